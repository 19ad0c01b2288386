/** Options of `outrigger init` for transparent capture. */
export const redirectOptions = {
  redirect: {
    kind: "text",
    flags: "--redirect <directions>",
    doc: "send TCP connections of this network namespace to the sidecar: outbound, inbound, or outbound,inbound",
  },
  outboundPort: { kind: "text", flags: "--outbound-port <port>", doc: "where the sidecar takes outbound ones (15001)" },
  inboundPort: { kind: "text", flags: "--inbound-port <port>", doc: "where the sidecar takes inbound ones (15006)" },
  healthPort: { kind: "text", flags: "--health-port <port>", doc: "the sidecar's own port, never redirected (7411)" },
  inboundPorts: { kind: "list", flags: "--inbound-ports <ports...>", doc: "which ports are captured (all)" },
  excludeInboundPorts: {
    kind: "list",
    flags: "--exclude-inbound-ports <ports...>",
    doc: "ports that are reached as they are: 9090 or 9000-9100, several with commas",
  },
  excludeOutboundPorts: {
    kind: "list",
    flags: "--exclude-outbound-ports <ports...>",
    doc: "calls to these ports are left alone",
  },
  excludeCidrs: {
    kind: "list",
    flags: "--exclude-cidrs <ranges...>",
    doc: "calls to these addresses are left alone: 10.0.0.0/8, fd00::/8",
  },
  excludeUids: {
    kind: "list",
    flags: "--exclude-uids <ids...>",
    doc: "calls of these users are left alone; the sidecar must be among them, or among the groups (7411)",
  },
  excludeGids: { kind: "list", flags: "--exclude-gids <ids...>", doc: "calls of these groups are left alone" },
  includeOwn: {
    kind: "flag",
    flags: "--include-own",
    doc: "capture calls to loopback and to the pod's own addresses as well",
  },
  backend: { kind: "text", flags: "--backend <backend>", doc: "nft, iptables, or auto: nft where it is (auto)" },
  print: { kind: "flag", flags: "--print", doc: "show the rules and change nothing; needs no rights" },
  noVerify: {
    kind: "flag",
    flags: "--no-verify",
    doc: "do not make a call to 198.18.0.1:9 to see that outbound ones are captured",
  },
  undo: { kind: "flag", flags: "--undo", doc: "remove the rules" },
} as const;
