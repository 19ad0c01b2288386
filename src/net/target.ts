/** Where connections to an upstream go, and how each of them begins. */
import type { SocketTls } from "./security.ts";

export interface Target {
  /** Equal for targets whose connections may be shared. */
  readonly key: string;
  /** `host:port` or `unix:/path`, for people. */
  readonly name: string;
  /** As a Host field carries it: without the port of the scheme, as some servers compare it as text. */
  readonly authority: string;
  /** Tried in order. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Path of a socket; addresses and port say nothing then. */
  readonly unix: string | undefined;
  readonly tls: SocketTls | undefined;
  /** Each connection begins with such a header and is one client's only. */
  readonly proxyProtocol: 1 | 2 | undefined;
}

/** What differs from plain TCP. */
export interface TargetOptions {
  /** With a key that is equal for equal options. */
  readonly tls?: { readonly options: SocketTls; readonly key: string } | undefined;
  readonly proxyProtocol?: 1 | 2 | undefined;
}

/** @param host name or address, IPv6 without brackets */
export function tcpTarget(host: string, port: number, { tls, proxyProtocol }: TargetOptions = {}): Target {
  const place = host.includes(":") ? `[${host}]` : host;
  const name = `${place}:${port}`;
  return {
    key: `${name} ${tls?.key ?? ""} ${proxyProtocol ?? ""}`,
    name,
    authority: port === (tls === undefined ? 80 : 443) ? place : name,
    // An app may listen on one family only.
    addresses: host === "localhost" ? ["127.0.0.1", "::1"] : [host],
    port,
    unix: undefined,
    tls: tls?.options,
    proxyProtocol,
  };
}

/** A socket of this machine. There is no host to name, so a request without one gets `localhost`. */
export function unixTarget(path: string, proxyProtocol?: 1 | 2): Target {
  const name = `unix:${path}`;
  const key = `${name} ${proxyProtocol ?? ""}`;
  return { key, name, authority: "localhost", addresses: [path], port: 0, unix: path, tls: undefined, proxyProtocol };
}
