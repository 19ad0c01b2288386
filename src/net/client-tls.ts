/** TLS as we ask for it: whom we trust, which name we expect, who we are. */
import { existsSync } from "node:fs";
import { type KeyPair, readAuthorities, readKeyPair } from "./certificates.ts";
import { alpnWire, type SocketTls } from "./security.ts";

/** What the configuration says: absolute paths. */
export interface ClientTlsFiles {
  /** Undefined for the machine's own CAs. */
  readonly ca: string | undefined;
  /** Instead of the host of the address. */
  readonly serverName: string | undefined;
  readonly identity: { readonly cert: string; readonly key: string } | undefined;
  /** Any certificate of any name is taken. */
  readonly insecure: boolean;
}

/** Where systems keep the CAs they trust: Debian and Alpine, Red Hat, others. */
const systemFiles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

let systemAuthorities: string | undefined;

/** The machine's CAs, read once; undefined where it has none that can be read, and the runtime's list (Mozilla's) counts. */
function machineAuthorities(): string | undefined {
  if (systemAuthorities === undefined) {
    const file = systemFiles.find((path) => existsSync(path));
    systemAuthorities = file === undefined ? "" : readOrNothing(file);
  }
  return systemAuthorities === "" ? undefined : systemAuthorities;
}

function readOrNothing(file: string): string {
  try {
    return readAuthorities(file);
  } catch {
    return "";
  }
}

/** What holds for `https://` where nothing is said. */
export const machineTrust: ClientTlsFiles = {
  ca: undefined,
  serverName: undefined,
  identity: undefined,
  insecure: false,
};

export class ClientTls {
  /** Who we are, when we say so. */
  readonly identity: KeyPair | undefined;
  /** For the runtime's sockets, complete. */
  readonly options: SocketTls;
  /** Equal for equal options: connections may be shared then. */
  readonly key: string;

  private constructor(options: SocketTls, identity: KeyPair | undefined) {
    this.options = options;
    this.identity = identity;
    this.key = digest(options);
  }

  /** Reads the files. @param host of the address; @param protocols on offer by ALPN @throws CertificateFault */
  static read(files: ClientTlsFiles, host: string, protocols: readonly string[]): ClientTls {
    const { ca, serverName = host, identity, insecure } = files;
    const authorities = insecure ? undefined : ca === undefined ? machineAuthorities() : readAuthorities(ca);
    const pair = identity && readKeyPair(identity.cert, identity.key);
    const options: SocketTls = {
      serverName,
      ...(authorities === undefined ? {} : { ca: authorities }),
      ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }),
      rejectUnauthorized: !insecure,
      minVersion: 0x0303,
      ALPNProtocols: alpnWire(protocols),
    };
    return new ClientTls(options, pair);
  }
}

function digest(options: SocketTls): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const [name, value] of Object.entries(options)) hasher.update(`${name}=${value}\n`);
  return hasher.digest("hex");
}
