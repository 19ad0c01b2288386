/**
 * Opens connections to upstreams: the only place that does.
 *
 *   TCP or Unix socket -> PROXY header, if asked for -> TLS, if asked for -> ready
 */
import { errorCode, type FailureCode } from "../errors.ts";
import { Connection, connectionEvents, isLoopback } from "./connection.ts";
import { descriptorOf } from "./listen.ts";
import { ownCalls } from "./own-calls.ts";
import { type Endpoint, proxyHeader } from "./proxy-protocol.ts";
import { tlsTrouble } from "./security.ts";
import { boundReceiveBuffer } from "./socket-options.ts";
import type { Target } from "./target.ts";

/** Whose connection it is, for a PROXY header. */
export interface Ends {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** Who asked for it. `failed` is called at most once, and never after `ready`. */
export interface Dialler {
  /** The kernel has connected; what remains may still fail. Its owner is the caller from now on. */
  opened(connection: Connection): void;
  /** The first byte of the application may be written. */
  ready(connection: Connection): void;
  /** @param connection undefined when the kernel could not connect */
  failed(code: FailureCode, detail: string, connection: Connection | undefined): void;
}

/** @param address one of the target's; @param ends undefined for a connection of our own */
export function dial(target: Target, address: string, ends: Ends | undefined, dialler: Dialler): void {
  const { unix, port, tls, proxyProtocol } = target;
  // With a PROXY header in front TLS begins later, on the same socket.
  const options = tls !== undefined && proxyProtocol === undefined ? { tls } : {};
  const socket = {
    ...connectionEvents,
    open(raw: Parameters<typeof connectionEvents.drain>[0]) {
      const connection = new Connection(raw);
      raw.data = connection;
      ownCalls.note(connection);
      if (isLoopback(connection.address)) boundReceiveBuffer(descriptorOf(raw));
      begin(connection, target, ends, dialler);
    },
    handshake(raw: Parameters<typeof connectionEvents.drain>[0], success: boolean, error: Error | null) {
      raw.data.shaken(success, error);
    },
    connectError() {}, // the promise below is rejected as well
  };
  const opening =
    unix === undefined
      ? Bun.connect<Connection>({ hostname: address, port, allowHalfOpen: true, socket, ...options })
      : Bun.connect<Connection>({ unix, allowHalfOpen: true, socket, ...options });
  opening.catch((error: unknown) => dialler.failed(failureOf(error), troubleOf(error, target), undefined));
}

function begin(connection: Connection, target: Target, ends: Ends | undefined, dialler: Dialler): void {
  const { tls, proxyProtocol } = target;
  const settled = (failure: Error | undefined) => {
    if (failure === undefined) dialler.ready(connection);
    else dialler.failed("upstream_tls_failed", tlsTrouble(failure), connection);
  };
  if (tls !== undefined && proxyProtocol === undefined) connection.expectHandshake(tls, settled);
  dialler.opened(connection);
  if (connection.closed) return;
  if (proxyProtocol !== undefined) connection.write(headerFor(proxyProtocol, ends));
  if (tls === undefined) dialler.ready(connection);
  else if (proxyProtocol !== undefined) startTls(connection, tls, settled);
}

function startTls(connection: Connection, tls: NonNullable<Target["tls"]>, settled: (failure?: Error) => void): void {
  try {
    connection.startTls(tls, { isServer: false, serverName: tls.serverName }, settled);
  } catch (error) {
    settled(error instanceof Error ? error : new Error(String(error)));
    connection.destroy();
  }
}

function headerFor(version: 1 | 2, ends: Ends | undefined): Uint8Array {
  return proxyHeader(version, ends?.source, ends?.destination ?? { address: "", port: 0 });
}

function failureOf(error: unknown): FailureCode {
  const code = errorCode(error) ?? "";
  if (code === "ENOTFOUND" || code.startsWith("EAI") || code.startsWith("DNS")) return "upstream_name_unresolved";
  if (isTlsOption(code)) return "upstream_tls_failed";
  return code === "ETIMEDOUT" ? "upstream_connect_timeout" : "upstream_unreachable";
}

/** The runtime could not use a certificate, key or CA. */
function isTlsOption(code: string): boolean {
  return code === "ERR_BORINGSSL" || code.startsWith("ERR_OSSL") || code.startsWith("ERR_SSL");
}

/** As the end of a sentence about the upstream. */
function troubleOf(error: unknown, { unix }: Target): string {
  const code = errorCode(error) ?? "cannot connect";
  if (unix === undefined) return isTlsOption(code) && error instanceof Error ? error.message : code;
  const known: Readonly<Record<string, string>> = {
    ENOENT: "there is no such socket; does the app listen there, and is its volume mounted here?",
    ECONNREFUSED: "the socket is there and nobody listens on it",
    EACCES: "this user may not connect to the socket",
    ENOTSOCK: "the file is no socket",
  };
  return known[code] ?? code;
}
