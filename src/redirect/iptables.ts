/**
 * Redirect rules for iptables and ip6tables: two chains of our own in the table nat, and a jump to each. What is written
 * here is read by `iptables-restore --noflush`, which carries it out as one change and leaves other chains alone.
 */
import { type InboundRedirect, isIpv4Range, type OutboundRedirect, type RedirectPlan, rangeText } from "./plan.ts";

export type Family = "ipv4" | "ipv6";

const chains = { outbound: "OUTRIGGER_OUTBOUND", inbound: "OUTRIGGER_INBOUND" } as const;
const jumpsFrom = { outbound: "OUTPUT", inbound: "PREROUTING" } as const;
type Direction = keyof typeof chains;
const directions = Object.keys(chains) as Direction[];

/** @param saved what `iptables-save -t nat` says is there now; nothing where that is not known */
export function iptablesRules(plan: RedirectPlan, family: Family, saved = ""): string {
  const rules = {
    outbound: plan.outbound && outboundRules(plan.outbound, plan, family),
    inbound: plan.inbound && inboundRules(plan.inbound, plan),
  };
  const lines = directions.flatMap((direction) => {
    const wanted = rules[direction];
    if (wanted === undefined) return removalOf(direction, saved);
    const chain = chains[direction];
    // Naming a chain of one's own empties it (iptables-restore(8) with --noflush).
    const own = [`:${chain} - [0:0]`, ...wanted.map((rule) => `-A ${chain} ${rule}`)];
    return [...own, ...(isJumpedTo(direction, saved) ? [] : [`-A ${jumpsFrom[direction]} -p tcp -j ${chain}`])];
  });
  return script(lines);
}

/** Removes every rule of ours that `saved` shows. Undefined when there is none. */
export function iptablesRemoval(saved: string): string | undefined {
  const lines = directions.flatMap((direction) => removalOf(direction, saved));
  return lines.length === 0 ? undefined : script(lines);
}

/** As if both chains were there. */
export const wholeRemoval = script(
  directions.flatMap((direction) => [jumpRemoval(direction), ...chainRemoval(direction)]),
);

function script(lines: readonly string[]): string {
  return `${["*nat", ...lines, "COMMIT"].join("\n")}\n`;
}

function jump(direction: Direction): string {
  return `-A ${jumpsFrom[direction]} -p tcp -j ${chains[direction]}`;
}

function jumpRemoval(direction: Direction): string {
  return jump(direction).replace("-A", "-D");
}

function chainRemoval(direction: Direction): string[] {
  return [`-F ${chains[direction]}`, `-X ${chains[direction]}`];
}

function isJumpedTo(direction: Direction, saved: string): boolean {
  return saved.split("\n").includes(jump(direction));
}

function removalOf(direction: Direction, saved: string): string[] {
  const lines = saved.split("\n");
  const jumps = lines.filter((line) => line === jump(direction)).map(() => jumpRemoval(direction));
  return lines.some((line) => line.startsWith(`:${chains[direction]} `))
    ? [...jumps, ...chainRemoval(direction)]
    : jumps;
}

function outboundRules(outbound: OutboundRedirect, { sidecarPorts }: RedirectPlan, family: Family): string[] {
  const addresses = outbound.excludedAddresses.filter((cidr) => isIpv4Range(cidr) === (family === "ipv4"));
  return [
    ...outbound.excludedUsers.map((range) => `-m owner --uid-owner ${rangeText(range, "-")} -j RETURN`),
    ...outbound.excludedGroups.map((range) => `-m owner --gid-owner ${rangeText(range, "-")} -j RETURN`),
    ...(outbound.own
      ? sidecarPorts.map((port) => `-o lo -p tcp -m tcp --dport ${port} -j RETURN`)
      : ["-o lo -j RETURN"]),
    ...outbound.excludedPorts.map(leftAlone),
    ...addresses.map(({ text }) => `-d ${text} -j RETURN`),
    `-p tcp -j REDIRECT --to-ports ${outbound.port}`,
  ];
}

function inboundRules({ port, ports, excludedPorts }: InboundRedirect, { sidecarPorts }: RedirectPlan): string[] {
  return [
    "-i lo -j RETURN",
    ...sidecarPorts.map((own) => `-p tcp -m tcp --dport ${own} -j RETURN`),
    ...excludedPorts.map(leftAlone),
    ...(ports === undefined
      ? [`-p tcp -j REDIRECT --to-ports ${port}`]
      : ports.map((range) => `-p tcp -m tcp --dport ${rangeText(range, ":")} -j REDIRECT --to-ports ${port}`)),
  ];
}

function leftAlone(range: { readonly from: number; readonly to: number }): string {
  return `-p tcp -m tcp --dport ${rangeText(range, ":")} -j RETURN`;
}
