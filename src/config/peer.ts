/** Where an output connects to: `host:port`, and the TLS on it. */
import { isIpv4, isIpv6 } from "./address.ts";
import { type Scalar, scalar } from "./scalars.ts";

export interface Peer {
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const hostName = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/;

/** `host:port`; the port may be left out where the protocol has one of its own. */
export function peer(defaultPort?: number): Scalar<Peer> {
  const example = `logs.example:${defaultPort ?? 514}`;
  const remedy = `write a host and port such as ${example}`;
  return scalar({ title: "host and port", example, type: "string" }, (value) => {
    const text = String(value);
    const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
    const host = match?.[1] ?? match?.[2] ?? "";
    const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
    const isHost = match?.[1] === undefined ? hostName.test(host) || isIpv4(host) : isIpv6(host);
    if (!isHost) return { problem: `"${text}" is not a host with a port`, remedy };
    if (port === undefined) return { problem: `"${text}" has no port`, remedy: `write ${host}:514 or the like` };
    if (port < 1 || port > 65_535) return { problem: `there is no port ${port}`, remedy };
    return { value: { host, port } };
  });
}
