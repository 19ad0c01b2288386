/** TLS as a listener offers it: several certificates, chosen by the name a client asks for. */
import { type KeyPair, NameChoice, readAuthorities, readKeyPair } from "./certificates.ts";
import { alpnWire, type SocketTls } from "./security.ts";

/** What the configuration says: absolute paths. */
export interface ServerTlsFiles {
  /** At least one; the first is for clients that ask for no name, or for one that no certificate is for. */
  readonly certificates: readonly { readonly cert: string; readonly key: string }[];
  /** Client certificates: who signs them, and whether a client may come without one. */
  readonly clients: { readonly ca: string; readonly required: boolean } | undefined;
  readonly minVersion: TlsVersion;
}

export type TlsVersion = "1.2" | "1.3";

const wireVersions: Readonly<Record<TlsVersion, number>> = { "1.2": 0x0303, "1.3": 0x0304 };

export class ServerTls {
  readonly pairs: readonly KeyPair[];
  private readonly choice: NameChoice<SocketTls>;

  constructor(pairs: readonly KeyPair[], common: SocketTls) {
    this.pairs = pairs;
    this.choice = new NameChoice(
      pairs.map(({ names, cert, key }) => ({ names, value: { ...common, cert, key } satisfies SocketTls })),
    );
  }

  /** Reads the files. `protocols` are the application protocols on offer, best first. @throws CertificateFault */
  static read({ certificates, clients, minVersion }: ServerTlsFiles, protocols: readonly string[]): ServerTls {
    const pairs = certificates.map(({ cert, key }) => readKeyPair(cert, key));
    const verifies = clients && {
      ca: readAuthorities(clients.ca),
      requestCert: true,
      // Without this a client that has no certificate is let in; one with a wrong certificate never is.
      rejectUnauthorized: clients.required,
    };
    const ALPNProtocols = alpnWire(protocols);
    return new ServerTls(pairs, { ...verifies, minVersion: wireVersions[minVersion], ALPNProtocols });
  }

  /** The options for a client that asks for this name. Equal options share one context inside the runtime. */
  for(serverName: string | undefined): SocketTls {
    return this.choice.for(serverName);
  }
}
