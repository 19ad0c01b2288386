/** TLS on a connection: what it is asked to do, what it agreed on, and why it failed, in words. */
import type { X509Certificate } from "node:crypto";
import { errorCode } from "../errors.ts";
import type { RawSocket } from "./connection.ts";

/** The options of the runtime's sockets, those of them that we use. */
export interface SocketTls {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** Client: the name that is asked for, and that the certificate must be for. */
  readonly serverName?: string;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
  /** As on the wire: each name behind its length. */
  readonly ALPNProtocols?: Buffer;
  /** As on the wire: 0x0303 is TLS 1.2. The runtime's types lack it (Bun 1.4). */
  readonly minVersion?: number;
}

/** What was agreed. */
export interface Security {
  /** `TLSv1.3` */
  readonly version: string;
  readonly cipher: string | undefined;
  /** Server: what the client asked for. Client: what we asked for. */
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
  /** The peer's own certificate, when it sent one. */
  readonly certificate: X509Certificate | undefined;
}

/**
 * Why a handshake counts as failed; undefined when it does not. The runtime's word is not enough (Bun 1.4): a server's
 * socket reports success for a client's certificate that nobody here has signed, and a client's socket that is to take
 * any certificate reports failure for one of another name, and stays open.
 */
export function handshakeFailure(
  tls: SocketTls,
  success: boolean,
  error: Error | null,
  authorized: boolean,
): Error | undefined {
  const takesAny = tls.rejectUnauthorized === false && tls.requestCert !== true;
  const broken = error !== null && /^(EPROTO|ECONNRESET)$/.test(errorCode(error) ?? "");
  if (authorized && (success || (takesAny && !broken))) return undefined;
  return error ?? new Error("the handshake failed");
}

/** What a socket has agreed on, once its handshake is over. */
export function securityOf(
  socket: RawSocket,
  serverName: string | undefined,
  certificate: X509Certificate | undefined,
): Security {
  const version = socket.getTLSVersion();
  return { version, cipher: socket.getCipher()?.name, serverName, alpn: socket.alpnProtocol || undefined, certificate };
}

/** How TLS begins on a connection that was plain. */
export interface TlsStart {
  readonly isServer: boolean;
  /** What the peer has sent already. */
  readonly firstBytes?: Buffer | undefined;
  /** Server: the name the client asked for. */
  readonly serverName?: string | undefined;
}

/** One that is under way, and who waits for its end. */
export interface Handshake {
  readonly tls: SocketTls;
  readonly serverName: string | undefined;
  readonly settled: (failure: Error | undefined) => void;
}

/** The names of protocols as ALPN wants them. */
export function alpnWire(protocols: readonly string[]): Buffer {
  return Buffer.concat(
    protocols.map((name) => Buffer.concat([Uint8Array.of(name.length), Buffer.from(name, "latin1")])),
  );
}

const untrusted = "its certificate is not signed by a CA that is trusted here";

/** What the library's codes mean; what is not here is shown as the library says it, in lower case. */
const words: Readonly<Record<string, string>> = {
  WRONG_VERSION_NUMBER: "what it sent is not TLS",
  HTTP_REQUEST: "it sent plain HTTP",
  UNSUPPORTED_PROTOCOL: "it offers only versions of TLS that are not allowed here",
  TLSV1_ALERT_PROTOCOL_VERSION: "it refused the versions of TLS that are allowed here",
  NO_APPLICATION_PROTOCOL: "it offers no application protocol that is spoken here",
  NO_SHARED_CIPHER: "it offers no cipher that is allowed here",
  PEER_DID_NOT_RETURN_A_CERTIFICATE: "it sent no certificate",
  BAD_PACKET_LENGTH: "it broke off, as a client does that does not trust our certificate",
  TLSV1_ALERT_UNKNOWN_CA: "it does not trust the CA of our certificate",
  SSLV3_ALERT_BAD_CERTIFICATE: "it refused our certificate",
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: "it refused our certificate",
  SSLV3_ALERT_CERTIFICATE_EXPIRED: "it says that our certificate has expired",
  TLSV1_ALERT_CERTIFICATE_REQUIRED: "it wants a client certificate, and none is configured",
  SSLV3_ALERT_HANDSHAKE_FAILURE: "it refused the handshake; a missing client certificate is a usual reason",
  TLSV1_ALERT_UNRECOGNIZED_NAME: "it does not know the name it was asked for",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed and not trusted here",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_REVOKED: "its certificate is revoked",
  INVALID_PURPOSE: "its certificate is not for this purpose",
  ECONNRESET: "it closed the connection during the handshake",
};

/** Why a handshake failed, as the end of a sentence about the peer. */
export function tlsTrouble(error: Error): string {
  const code = errorCode(error) ?? "";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return nameTrouble(error.message);
  const reason = /:([A-Z0-9_]+)$/.exec(error.message)?.[1] ?? code;
  return words[reason] ?? (reason === "" ? error.message : reason.toLowerCase().replaceAll("_", " "));
}

/** `Host: x. is not in the cert's altnames: DNS:a, DNS:b` and its like. */
function nameTrouble(message: string): string {
  const [, wanted, names] =
    /(?:Host|IP): (\S+?)\.? is not in the cert's (?:altnames|list): ?(.*)$/s.exec(message) ?? [];
  if (wanted === undefined) return "its certificate is for another name";
  if (!names) return `its certificate is not for ${wanted}; tls.serverName can say which name to expect`;
  return `its certificate is for ${names}, not for ${wanted}`;
}

/** True for what TLS reports when the established connection fails: an alert of the peer, a broken record. */
export function isTlsError(error: Error): boolean {
  return errorCode(error) === "EPROTO";
}
