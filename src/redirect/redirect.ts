/** Sets the redirect rules, removes them, or shows them: `outrigger init --redirect`. */
import { UserError } from "../errors.ts";
import { type Family, iptablesRemoval, iptablesRules, wholeRemoval } from "./iptables.ts";
import { nftRemoval, nftRules } from "./nftables.ts";
import type { RedirectPlan } from "./plan.ts";
import { type Machine, needRights, runTool } from "./tools.ts";

export type Backend = "nft" | "iptables";

/** @returns undefined for `auto` @throws UserError (exit 2) */
export function readBackend(text: string | undefined): Backend | undefined {
  if (text === undefined || text === "auto") return undefined;
  if (text === "nft" || text === "iptables") return text;
  throw new UserError(`--backend ${text}: write nft, iptables or auto`, 2);
}

const families: readonly { family: Family; program: string }[] = [
  { family: "ipv4", program: "iptables" },
  { family: "ipv6", program: "ip6tables" },
];

/** The one that was asked for; else nft where it is, and iptables where only that is. @throws UserError (exit 3) */
function chosen(wanted: Backend | undefined, machine: Machine): Backend {
  const found = (["nft", "iptables"] as const).filter((backend) => machine.find(programOf(backend)) !== undefined);
  if (wanted !== undefined && !found.includes(wanted))
    throw new UserError(
      `init: there is no ${programOf(wanted)} here; the image of outrigger has nft, so leave --backend out, or install it`,
      3,
    );
  const backend = wanted ?? found[0];
  if (backend !== undefined) return backend;
  throw new UserError(
    "init: there is neither nft nor iptables here to set the rules with; use the image of outrigger, which has nft, or install nftables",
    3,
  );
}

function programOf(backend: Backend): string {
  return backend === "nft" ? "nft" : "iptables-restore";
}

/** What would be done, for a machine on which nothing of it is there yet. Needs no rights and no program. */
export function showRules(plan: RedirectPlan | undefined, wanted: Backend | undefined, machine: Machine): string {
  const backend =
    wanted ??
    (machine.find("nft") === undefined && machine.find("iptables-restore") !== undefined ? "iptables" : "nft");
  if (backend === "nft") return `# nft -f -\n${plan === undefined ? nftRemoval() : nftRules(plan)}`;
  return families
    .map(
      ({ family, program }) =>
        `# ${program}-restore --noflush\n${plan === undefined ? wholeRemoval : iptablesRules(plan, family)}`,
    )
    .join("");
}

/** Puts the plan in the place of what there is of ours. @returns what was done, a sentence each @throws UserError (exit 3) */
export function setRules(plan: RedirectPlan, wanted: Backend | undefined, machine: Machine): string[] {
  needRights(machine);
  if (chosen(wanted, machine) === "nft") {
    runTool(machine, [machine.find("nft")!, "-f", "-"], nftRules(plan), nftHelp);
    return ["nft: the table inet outrigger is set, for IPv4 and IPv6", ...planSentences(plan)];
  }
  const done = usableFamilies(machine).map(({ family, program }) => {
    restore(machine, program, iptablesRules(plan, family, savedRules(machine, program)));
    return `${program}: the chains OUTRIGGER_OUTBOUND and OUTRIGGER_INBOUND are set as asked`;
  });
  return [
    ...done,
    ...(machine.hasIpv6 ? [] : ["ip6tables: left out, as this kernel has no IPv6"]),
    ...planSentences(plan),
  ];
}

const nftHelp = "if the node's kernel has no nftables, try --backend iptables";

/** Removes what there is of ours, by either program. @throws UserError (exit 3) */
export function removeRules(wanted: Backend | undefined, machine: Machine): string[] {
  needRights(machine);
  const first = chosen(wanted, machine);
  const sentences: string[] = [];
  if (first === "nft") {
    runTool(machine, [machine.find("nft")!, "-f", "-"], nftRemoval(), nftHelp);
    sentences.push("nft: there is no table inet outrigger any more");
  }
  if (first === "iptables" || (wanted === undefined && machine.find("iptables-restore") !== undefined))
    sentences.push(...usableFamilies(machine).map(({ program }) => removeFrom(machine, program)));
  return sentences;
}

function removeFrom(machine: Machine, program: string): string {
  const script = iptablesRemoval(savedRules(machine, program));
  if (script === undefined) return `${program}: there were no rules of ours`;
  restore(machine, program, script);
  return `${program}: the rules are removed`;
}

/** Rules for one family only would leave the way over the other one open. */
function usableFamilies(machine: Machine): typeof families {
  const usable = families.filter(({ family }) => family === "ipv4" || machine.hasIpv6);
  const missing = usable.find(({ program }) => machine.find(`${program}-restore`) === undefined);
  if (missing === undefined) return usable;
  throw new UserError(
    `init: there is no ${missing.program}-restore here, and this network has ${missing.family === "ipv6" ? "IPv6" : "IPv4"} as well; use nft, or install it`,
    3,
  );
}

function savedRules(machine: Machine, program: string): string {
  return runTool(machine, [machine.find(`${program}-save`) ?? `${program}-save`, "-t", "nat"], "", iptablesHelp);
}

function restore(machine: Machine, program: string, script: string): void {
  runTool(machine, [machine.find(`${program}-restore`)!, "--noflush", "--wait", "5"], script, iptablesHelp);
}

const iptablesHelp =
  "iptables-legacy needs NET_RAW beside NET_ADMIN, and a writable /run/xtables.lock; nft needs neither";

/** The plan in words. */
function planSentences({ outbound, inbound, sidecarPorts }: RedirectPlan): string[] {
  const sentences: string[] = [];
  if (outbound !== undefined) {
    const own = outbound.own ? "" : ", but for loopback and the pod's own addresses";
    sentences.push(`outbound: TCP connections to other places go to port ${outbound.port}${own}`);
  }
  if (inbound !== undefined) {
    const which = inbound.ports === undefined ? "every port" : "the ports named";
    sentences.push(`inbound: TCP connections to ${which} but ${sidecarPorts.join(", ")} go to port ${inbound.port}`);
  }
  return sentences;
}
