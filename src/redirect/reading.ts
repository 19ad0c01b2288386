/** The words of `outrigger init --redirect`, read into a plan. Every fault is a usage error that says what would be right. */
import { type Cidr, parseCidr } from "../config/cidr.ts";
import { UserError } from "../errors.ts";
import type { NumberRange, RedirectPlan } from "./plan.ts";

/** As typed; an absent list is what holds by default, a list of nothing is nothing. */
export interface RedirectWords {
  readonly redirect: string | undefined;
  readonly outboundPort: string | undefined;
  readonly inboundPort: string | undefined;
  readonly healthPort: string | undefined;
  readonly inboundPorts: readonly string[];
  readonly excludeInboundPorts: readonly string[];
  readonly excludeOutboundPorts: readonly string[];
  readonly excludeCidrs: readonly string[];
  readonly excludeUids: readonly string[];
  readonly excludeGids: readonly string[];
  readonly includeOwn: boolean;
}

export const defaults = { outboundPort: 15001, inboundPort: 15006, healthPort: 7411, excludeUid: 7411 };
const largestPort = 65535;
/** -1 means nobody to the kernel, so 2^32 - 1 is no id. */
const largestId = 2 ** 32 - 2;

/** @throws UserError (exit 2) */
export function readRedirect(words: RedirectWords): RedirectPlan {
  const directions = readDirections(words.redirect ?? "");
  const port = readPort("--outbound-port", words.outboundPort, defaults.outboundPort);
  const inboundPort = readPort("--inbound-port", words.inboundPort, defaults.inboundPort);
  const health = readPort("--health-port", words.healthPort, defaults.healthPort);
  if (new Set([port, inboundPort, health]).size < 3)
    throw new UserError(
      "--outbound-port, --inbound-port and --health-port must differ: each has a listener of its own",
      2,
    );
  const plan = {
    outbound: directions.has("outbound") ? readOutbound(words, port) : undefined,
    inbound: directions.has("inbound") ? readInbound(words, inboundPort) : undefined,
    sidecarPorts: [port, inboundPort, health],
  };
  if (plan.inbound === undefined && words.inboundPorts.length + words.excludeInboundPorts.length > 0)
    throw new UserError("--inbound-ports and --exclude-inbound-ports need --redirect inbound", 2);
  return plan;
}

function readDirections(text: string): ReadonlySet<string> {
  const words = split([text]);
  const wrong = words.find((word) => word !== "outbound" && word !== "inbound");
  if (wrong !== undefined || words.length === 0)
    throw new UserError(`--redirect ${wrong ?? '""'}: write outbound, inbound, or outbound,inbound`, 2);
  return new Set(words);
}

function readOutbound(words: RedirectWords, port: number) {
  const excludedUsers =
    words.excludeUids.length === 0
      ? [{ from: defaults.excludeUid, to: defaults.excludeUid }]
      : readRanges("--exclude-uids", words.excludeUids, 0, largestId, "an id of a user");
  const excludedGroups = readRanges("--exclude-gids", words.excludeGids, 0, largestId, "an id of a group");
  if (excludedUsers.length + excludedGroups.length === 0)
    throw new UserError(
      "nobody is excluded, so the sidecar's own calls would come back to it: give --exclude-uids or --exclude-gids with the id it runs as",
      2,
    );
  return {
    port,
    own: words.includeOwn,
    excludedUsers,
    excludedGroups,
    excludedPorts: readRanges("--exclude-outbound-ports", words.excludeOutboundPorts, 1, largestPort, "a port"),
    excludedAddresses: split(words.excludeCidrs).map(readCidr),
  };
}

function readInbound({ inboundPorts, excludeInboundPorts }: RedirectWords, port: number) {
  const isAll = inboundPorts.length === 0 || split(inboundPorts).includes("all");
  const ports = isAll ? undefined : readRanges("--inbound-ports", inboundPorts, 1, largestPort, "a port");
  if (ports?.length === 0) throw new UserError("--inbound-ports: name at least one port, or write all", 2);
  const excludedPorts = readRanges("--exclude-inbound-ports", excludeInboundPorts, 1, largestPort, "a port");
  return { port, ports, excludedPorts };
}

function readCidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if ("value" in parsed) return parsed.value;
  throw new UserError(`--exclude-cidrs ${text}: ${parsed.problem}; ${parsed.remedy}`, 2);
}

function readPort(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  return readRange(option, text, 1, largestPort, "a port", /^(\d{1,5})$/).from;
}

function readRanges(
  option: string,
  words: readonly string[],
  least: number,
  most: number,
  what: string,
): NumberRange[] {
  return split(words).map((word) => readRange(option, word, least, most, what, /^(\d{1,10})(?:-(\d{1,10}))?$/));
}

function readRange(option: string, word: string, least: number, most: number, what: string, form: RegExp): NumberRange {
  const match = form.exec(word);
  const from = Number(match?.[1]);
  const to = match?.[2] === undefined ? from : Number(match[2]);
  if (match !== null && least <= from && from <= to && to <= most) return { from, to };
  throw new UserError(
    `${option} ${word}: this is not ${what} (${least} to ${most})${match?.[2] ? ", or the range is upside down" : ""}`,
    2,
  );
}

/** Lists are written with commas, or as several words, or both. */
function split(words: readonly string[]): string[] {
  return words
    .flatMap((word) => word.split(","))
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
