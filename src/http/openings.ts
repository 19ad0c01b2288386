/** Compiles how connections begin, on either side, from the configuration: reads the certificates it names. */
import { inRanges } from "../config/cidr.ts";
import type { Listener, Upstream, UpstreamPolicy } from "../config/schema.ts";
import { UserError } from "../errors.ts";
import type { ArrivalPlan } from "../net/arrival.ts";
import type { Expiring } from "../net/certificate-expiry.ts";
import { type Target, tcpTarget, unixTarget } from "../net/target.ts";

/** Application protocols that a listener offers by ALPN, best first. */
const servedProtocols = ["h2", "http/1.1"];
/** Those that are offered to an upstream. */
const askedProtocols = { http1: ["http/1.1"], http2: ["h2"], auto: ["h2", "http/1.1"] };

/** What is spoken with an upstream, where the policy leaves it open. */
export function protocolFor(to: Upstream, policy: UpstreamPolicy | undefined): "http1" | "http2" | "auto" {
  const byScheme = {
    http: "http1",
    unix: "http1",
    https: "auto",
    h2c: "http2",
    tcp: "http1",
    tls: "http1",
    original: "auto",
  } as const;
  const protocol = policy?.protocol ?? byScheme[to.scheme];
  if (policy?.proxyProtocol === undefined || protocol === "http1") return protocol;
  // A connection that names one client cannot be shared, which is all that HTTP/2 is about.
  if (policy.protocol === undefined && to.scheme !== "h2c") return "http1";
  throw new UserError(
    `the upstream ${to.text} cannot be told of its clients by PROXY protocol over HTTP/2, as they share its connections; write protocol: http1, or leave proxyProtocol out`,
    1,
  );
}

export interface Opening<T> {
  readonly value: T;
  /** Certificates it uses. */
  readonly certificates: readonly Expiring[];
}

/** Undefined for a listener whose connections begin with a request. @throws UserError for certificates that cannot be used */
export async function compileArrival(listener: Listener, timeoutMs: number): Promise<Opening<ArrivalPlan | undefined>> {
  const { arrival, trust } = listener;
  if (arrival === undefined) return { value: undefined, certificates: [] };
  const { protocol, proxyProtocol, tls } = arrival;
  const { ServerTls } = tls === undefined ? { ServerTls: undefined } : await import("../net/server-tls.ts");
  const served = tls && readOrRefuse(() => ServerTls!.read(tls, servedProtocols));
  const proxies = proxyProtocol ? (address: string) => inRanges(address, trust) : undefined;
  return {
    value: { protocol, proxies, tls: served, timeoutMs },
    certificates: served === undefined ? [] : served.pairs.map(expiring),
  };
}

/** @throws UserError for certificates that cannot be used */
export async function compileTarget(to: Upstream, policy: UpstreamPolicy | undefined): Promise<Opening<Target>> {
  const proxyProtocol = policy?.proxyProtocol;
  if (to.scheme === "unix") return { value: unixTarget(to.host, proxyProtocol), certificates: [] };
  if (to.scheme !== "https" && to.scheme !== "tls")
    return { value: tcpTarget(to.host, to.port, { proxyProtocol }), certificates: [] };
  const { ClientTls, machineTrust } = await import("../net/client-tls.ts");
  const asked = to.scheme === "tls" ? [] : askedProtocols[protocolFor(to, policy)];
  const tls = readOrRefuse(() => ClientTls.read(policy?.tls ?? machineTrust, to.host, asked));
  return {
    value: tcpTarget(to.host, to.port, { tls, proxyProtocol }),
    certificates: tls.identity === undefined ? [] : [expiring(tls.identity)],
  };
}

function expiring({
  certFile,
  notBefore,
  notAfter,
}: {
  certFile: string;
  notBefore: number;
  notAfter: number;
}): Expiring {
  return { file: certFile, notBefore, notAfter };
}

/** The files were right when the configuration was read, and may have changed since. */
function readOrRefuse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && error.name === "CertificateFault")
      throw new UserError(`the file ${error.message}`, 1);
    throw error;
  }
}
