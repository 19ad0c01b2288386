/**
 * Redirect rules for nftables: one table of our own, of the family `inet`, which is IPv4 and IPv6 at once.
 *
 *   outbound (nat, output)       return for what is left alone … redirect to the sidecar
 *   inbound (nat, prerouting)    likewise
 *
 * A script for `nft -f` is one transaction: the table is replaced whole or not at all, and nobody else's is touched.
 */
import { type InboundRedirect, isIpv4Range, type OutboundRedirect, type RedirectPlan, rangeText } from "./plan.ts";

/** Deleting what may not be there is a fault, so that it is made sure to be there first. */
const removal = ["table inet outrigger {}", "delete table inet outrigger"];

/** The script that removes every rule of ours, and is right as well where there is none. */
export function nftRemoval(): string {
  return `${removal.join("\n")}\n`;
}

/** The script that puts the plan in the place of whatever rules of ours there are. */
export function nftRules(plan: RedirectPlan): string {
  const chains = [
    ...(plan.outbound === undefined ? [] : chain("outbound", "output", outboundRules(plan.outbound, plan))),
    ...(plan.inbound === undefined ? [] : chain("inbound", "prerouting", inboundRules(plan.inbound, plan))),
  ];
  return `${[...removal, "table inet outrigger {", ...chains, "}"].join("\n")}\n`;
}

function chain(name: string, hook: string, rules: readonly string[]): string[] {
  return [
    `  chain ${name} {`,
    `    type nat hook ${hook} priority -100; policy accept;`,
    ...rules.map((rule) => `    ${rule}`),
    "  }",
  ];
}

function outboundRules(outbound: OutboundRedirect, { sidecarPorts }: RedirectPlan): string[] {
  return [
    "meta l4proto != tcp return",
    ...outbound.excludedUsers.map((range) => `meta skuid ${rangeText(range, "-")} return`),
    ...outbound.excludedGroups.map((range) => `meta skgid ${rangeText(range, "-")} return`),
    // The pod's own addresses are reached over lo as well, whatever interface they belong to.
    ...(outbound.own ? sidecarPorts.map((port) => `oifname "lo" tcp dport ${port} return`) : ['oifname "lo" return']),
    ...outbound.excludedPorts.map((range) => `tcp dport ${rangeText(range, "-")} return`),
    ...outbound.excludedAddresses.map((cidr) => `${isIpv4Range(cidr) ? "ip" : "ip6"} daddr ${cidr.text} return`),
    `meta l4proto tcp redirect to :${outbound.port}`,
  ];
}

function inboundRules({ port, ports, excludedPorts }: InboundRedirect, { sidecarPorts }: RedirectPlan): string[] {
  return [
    "meta l4proto != tcp return",
    'iifname "lo" return',
    ...sidecarPorts.map((own) => `tcp dport ${own} return`),
    ...excludedPorts.map((range) => `tcp dport ${rangeText(range, "-")} return`),
    ...(ports === undefined
      ? [`meta l4proto tcp redirect to :${port}`]
      : ports.map((range) => `tcp dport ${rangeText(range, "-")} redirect to :${port}`)),
  ];
}
