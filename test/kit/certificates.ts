/** Certificates for tests, made by Debian's openssl in a folder of their own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const openssl = Bun.which("openssl");

/** False where certificates cannot be made; the tests that need them say so and are skipped. */
export const canMakeCertificates = openssl !== null;
if (!canMakeCertificates)
  process.stderr.write("SKIPPED: tests of TLS, because there is no openssl (apt-get install openssl)\n");

export interface Issued {
  /** Paths, as a configuration names them. */
  readonly cert: string;
  readonly key: string;
  /** PEM texts, as a client's options take them. */
  readonly pem: { readonly cert: string; readonly key: string };
}

export interface Wish {
  /** `/O=shop/CN=web` */
  readonly subject?: string;
  /** `DNS:a.test,URI:spiffe://shop/web,IP:127.0.0.1` */
  readonly names?: string;
  /** May be negative: expired before it began. */
  readonly days?: number;
}

function run(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([openssl!, ...args], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A CA, and what it signs. */
export class Authority {
  readonly folder: string;
  /** Path and text of its own certificate. */
  readonly ca: string;
  readonly pem: string;
  private serial = 0;

  constructor(name = "test CA") {
    this.folder = mkdtempSync(join(tmpdir(), "certificates-"));
    this.ca = join(this.folder, "ca.crt");
    const own = ["-keyout", join(this.folder, "ca.key"), "-out", this.ca, "-days", "30", "-subj", `/CN=${name}`];
    run("req", "-x509", ...ecKey, ...own, "-addext", "basicConstraints=critical,CA:TRUE");
    this.pem = readFileSync(this.ca, "latin1");
  }

  issue({ subject = "/CN=test", names, days = 30 }: Wish = {}): Issued {
    const at = (end: string) => join(this.folder, `${this.serial}.${end}`);
    this.serial++;
    writeFileSync(at("ext"), names === undefined ? "" : `subjectAltName=${names}\n`);
    run("req", ...ecKey, "-keyout", at("key"), "-out", at("csr"), "-subj", subject);
    const by = ["-CA", this.ca, "-CAkey", join(this.folder, "ca.key"), "-CAcreateserial", "-days", String(days)];
    run("x509", "-req", "-in", at("csr"), ...by, "-out", at("crt"), "-extfile", at("ext"));
    const [cert, key] = [at("crt"), at("key")];
    return { cert, key, pem: { cert: readFileSync(cert, "latin1"), key: readFileSync(key, "latin1") } };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
