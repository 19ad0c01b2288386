/**
 * Certificates and keys from PEM files, checked before anything depends on them: a fault names the file and says what
 * is wrong. Contents of keys stand in no message.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { errorCode } from "../errors.ts";
import { alternativeNames } from "./peer.ts";

/** A certificate's chain and its key. */
export interface KeyPair {
  /** The files, for people. */
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM texts. The chain begins with the certificate itself. */
  readonly cert: string;
  readonly key: string;
  /** Host names it is for, in lower case; a first label may be `*`. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A file that cannot be used. */
export class CertificateFault extends Error {
  readonly file: string;
  /** Which of the two files of a pair. */
  readonly of: "cert" | "key";
  readonly remedy: string;

  constructor(file: string, of: "cert" | "key", problem: string, remedy: string) {
    super(`${file} ${problem}`);
    this.name = "CertificateFault";
    this.file = file;
    this.of = of;
    this.remedy = remedy;
  }
}

const pemRemedy = "write a PEM file: lines between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----";
const keyRemedy = "write a PEM file: lines between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----";

/** @throws CertificateFault */
export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  const cert = readText(certFile, "cert");
  const key = readText(keyFile, "key");
  const [leaf] = certificatesOf(cert, certFile);
  if (!leaf!.checkPrivateKey(privateKeyOf(key, keyFile)))
    throw new CertificateFault(
      keyFile,
      "key",
      `is not the key of the certificate in ${certFile}`,
      "name the key the certificate was made for; when both are being replaced, the next change of a file is tried",
    );
  const { names, notBefore, notAfter } = factsOf(leaf!);
  return { certFile, keyFile, cert, key, names, notBefore, notAfter };
}

/** The PEM text of certificates to trust. @throws CertificateFault */
export function readAuthorities(file: string): string {
  const text = readText(file, "cert");
  certificatesOf(text, file);
  return text;
}

function readText(file: string, of: "cert" | "key"): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    throw new CertificateFault(
      file,
      of,
      `cannot be read (${errorCode(error) ?? error})`,
      "name a file that can be read",
    );
  }
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Each certificate of a PEM text; at least one. */
function certificatesOf(text: string, file: string): X509Certificate[] {
  const blocks = [...text.matchAll(block)].filter(([, label]) => label!.endsWith("CERTIFICATE"));
  if (blocks.length === 0) throw new CertificateFault(file, "cert", withoutCertificate(text), pemRemedy);
  return blocks.map(([pem], at) => {
    try {
      return new X509Certificate(pem);
    } catch {
      throw new CertificateFault(file, "cert", `is damaged: its certificate ${at + 1} cannot be read`, pemRemedy);
    }
  });
}

function withoutCertificate(text: string): string {
  if (text.trim() === "") return "is empty";
  if (/PRIVATE KEY-----/.test(text)) return "holds a key and no certificate";
  return /-----BEGIN CERTIFICATE-----/.test(text)
    ? "holds a certificate that is cut off"
    : "holds no certificate in PEM";
}

function privateKeyOf(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    if (errorCode(error) === "ERR_MISSING_PASSPHRASE")
      throw new CertificateFault(file, "key", "is encrypted", "write the key without a passphrase: openssl pkey -in …");
    const trouble = /PRIVATE KEY-----/.test(text)
      ? "holds a key that is damaged or cut off"
      : "holds no private key in PEM";
    throw new CertificateFault(file, "key", text.trim() === "" ? "is empty" : trouble, keyRemedy);
  }
}

function factsOf(leaf: X509Certificate): Pick<KeyPair, "names" | "notBefore" | "notAfter"> {
  const sans = alternativeNames(leaf.subjectAltName).filter((name) => name.startsWith("DNS:"));
  // A common name counts only for certificates without alternative names (RFC 6125 section 6.4.4).
  const common = leaf.subjectAltName === undefined ? /^CN=(.+)$/m.exec(leaf.subject)?.[1] : undefined;
  const names = common === undefined ? sans.map((name) => name.slice(4)) : [common];
  return {
    names: names.map((name) => name.toLowerCase().replace(/\.$/, "")),
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
  };
}

/** Picks by the name a client asks for: the exact one, then `*` for exactly one label, then the first certificate. */
export class NameChoice<T> {
  private readonly exact = new Map<string, T>();
  private readonly wild = new Map<string, T>();
  private readonly fallback: T;

  /** @param choices at least one; of several for one name the first wins */
  constructor(choices: readonly { readonly names: readonly string[]; readonly value: T }[]) {
    this.fallback = choices[0]!.value;
    for (const { names, value } of choices) for (const name of names) this.add(name, value);
  }

  private add(name: string, value: T): void {
    const [into, key] = name.startsWith("*.") ? [this.wild, name.slice(2)] : [this.exact, name];
    if (!into.has(key)) into.set(key, value);
  }

  /** @param name in lower case, without a final dot; undefined when the client named none */
  for(name: string | undefined): T {
    if (name === undefined) return this.fallback;
    const parent = name.slice(name.indexOf(".") + 1);
    return this.exact.get(name) ?? (parent === name ? undefined : this.wild.get(parent)) ?? this.fallback;
  }
}
