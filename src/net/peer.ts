/**
 * Who is at the other end of a connection, as filters see it. Made once per connection; what TLS knows of the peer is
 * put together when somebody reads it.
 */
import type { X509Certificate } from "node:crypto";
import type { Peer, PeerCertificate, PeerTls } from "../contracts.ts";
import type { Connection } from "./connection.ts";
import type { Endpoint } from "./proxy-protocol.ts";

export class ConnectionPeer implements Peer {
  readonly address: string;
  readonly port: number;
  private readonly connection: Connection;
  private secured: PeerTls | undefined = undefined;

  constructor(connection: Connection) {
    this.address = connection.address;
    this.port = connection.port;
    this.connection = connection;
  }

  get tls(): PeerTls | undefined {
    const { security } = this.connection;
    if (security === undefined) return undefined;
    this.secured ??= {
      version: security.version,
      cipher: security.cipher,
      serverName: security.serverName,
      alpn: security.alpn,
      certificate: security.certificate && peerCertificate(security.certificate),
    };
    return this.secured;
  }

  /** Where this peer connected to. */
  get destination(): Endpoint {
    return this.connection.destination;
  }
}

/** What a certificate says of its owner. */
export function peerCertificate(certificate: X509Certificate): PeerCertificate {
  const sans = alternativeNames(certificate.subjectAltName);
  return {
    subject: certificate.subject.replaceAll("\n", ", "),
    sans,
    spiffe: spiffeId(sans),
    fingerprint256: certificate.fingerprint256,
  };
}

/**
 * The names of `DNS:a, URI:"b\u002c c"`: since CVE-2021-44532 a name with a comma or quote in it is written as a JSON
 * text, so that none can look like two.
 */
export function alternativeNames(text: string | undefined): string[] {
  if (text === undefined || text === "") return [];
  return text.split(", ").map((name) => {
    const [kind, value] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
    const plain = value.startsWith('"') ? String(JSON.parse(value)) : value;
    return `${kind === "IP Address" ? "IP" : kind}:${plain}`;
  });
}

/** The SPIFFE id: a certificate that is one has exactly one URI (SPIFFE X509-SVID section 2). */
function spiffeId(sans: readonly string[]): string | undefined {
  const uris = sans.filter((name) => name.startsWith("URI:"));
  return uris.length === 1 && uris[0]!.startsWith("URI:spiffe://") ? uris[0]!.slice(4) : undefined;
}
