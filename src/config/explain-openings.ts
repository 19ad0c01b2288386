/** How connections begin, in sentences. */
import { formatDuration } from "./scalars.ts";
import type { Listener, Route } from "./schema.ts";

/** What happens before the first request; nothing to say where a connection begins with it. */
export function explainArrival({ arrival, capture, routes, timeouts, trust }: Listener): string[] {
  if (arrival === undefined) return [];
  const { protocol, proxyProtocol, tls } = arrival;
  const sentences: string[] = [];
  const toBytes = capture === true ? "to tcp://, tls:// or original" : "to tcp:// or tls://";
  if (proxyProtocol)
    sentences.push(
      `A PROXY header must come first, from ${trust.map(({ text }) => text).join(", ")}; its word on who the client is counts. Others are turned away.`,
    );
  if (protocol === "auto")
    sentences.push(
      tls === undefined
        ? `The first bytes tell what the client speaks; only plain HTTP is served, and what a route ${toBytes} takes.`
        : `The first bytes tell what the client speaks: TLS and plain HTTP are both served, and what a route ${toBytes} takes.`,
    );
  if (protocol === "auto" && capture !== true && routes.some(isForAnyBytes))
    sentences.push("A client that says nothing is one of those as soon as the upstream speaks first.");
  if (tls !== undefined) sentences.push(...explainTls(tls));
  if (sentences.length > 0) sentences.push(`All of that has ${formatDuration(timeouts.headMs)}.`);
  return sentences;
}

/** True for a route that takes bytes of a client which said nothing of itself. */
export function isForAnyBytes({ action, match }: Route): boolean {
  return action.kind === "forward" && /^(tcp|tls|original)$/.test(action.to.scheme) && match.sni === undefined;
}

function explainTls({
  certificates,
  clients,
  minVersion,
}: NonNullable<NonNullable<Listener["arrival"]>["tls"]>): string[] {
  const [first, ...others] = certificates;
  const choice =
    others.length === 0
      ? `the certificate ${first!.cert}`
      : `the certificate whose names fit the name asked for, of ${certificates.map(({ cert }) => cert).join(", ")}; else the first`;
  const from = clients && `signed by ${clients.ca}; x.peer.tls tells filters who they are`;
  return [
    `It speaks TLS ${minVersion} or later with ${choice}. Changed files are taken over for new connections.`,
    ...(clients === undefined
      ? []
      : [
          clients.required
            ? `Clients must show a certificate ${from}.`
            : `Clients may show a certificate ${from}; a wrong one is refused.`,
        ]),
  ];
}

const spoken = {
  http1: "HTTP/1.1 is spoken with the upstream.",
  http2: "HTTP/2 is spoken with the upstream.",
  auto: "What is spoken with the upstream is agreed on over TLS; in clear it is what the client speaks.",
} as const;

/** How connections to a route's upstream begin, beyond plain TCP. */
export function explainUpstream({ action }: Route): string[] {
  if (action.kind !== "forward") return [];
  const { to, upstream } = action;
  const sentences: string[] = [];
  if (to.scheme === "https" || to.scheme === "tls") {
    const { ca, serverName, identity, insecure } = upstream?.tls ?? {};
    const name = serverName ?? to.host;
    sentences.push(
      insecure === true
        ? "Any certificate of the upstream is taken: who is on the way can read and change everything."
        : `The upstream's certificate must be for ${name} and signed by ${ca === undefined ? "a CA this machine trusts" : ca}, else 502.`,
      ...(identity === undefined ? [] : [`It is shown the certificate ${identity.cert}.`]),
    );
  }
  if (upstream?.protocol !== undefined) sentences.push(spoken[upstream.protocol]);
  if (upstream?.proxyProtocol !== undefined)
    sentences.push(
      `Each connection begins with a PROXY header (v${upstream.proxyProtocol}) and serves one client's only.`,
    );
  return sentences;
}
