/**
 * Makes certificates: an authority of our own and what it signs. ECDSA on P-256, as every API server takes it.
 * Loaded only by the webhook that keeps its certificate itself: the library costs 50 ms and more.
 */
import "reflect-metadata"; // @peculiar/x509 asks for it before it is loaded
import { createHash, randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** PEM texts. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** From when to when, in milliseconds since the epoch. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** An authority that signs itself, and nothing but certificates of servers. */
export async function issueAuthority(commonName: string, { from, until }: Validity): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // Two authorities of one name would be taken for one another while both are trusted.
    name: [{ CN: [`${commonName} ${await fingerprint(keys.publicKey)}`] }],
    notBefore: new Date(from),
    notAfter: new Date(until),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(cert), key: await keyText(keys.privateKey) };
}

/** A server's certificate for some host names, the first of which is its common name too. */
export async function issueLeaf(authority: Issued, names: readonly string[], validity: Validity): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const issuer = new x509.X509Certificate(authority.cert);
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    // A common name has at most 64 characters (RFC 5280, appendix A.1); nobody reads it where there are names.
    subject: [{ CN: [names[0]!.slice(0, 64)] }],
    issuer: issuer.subjectName,
    notBefore: new Date(validity.from),
    notAfter: new Date(validity.until),
    publicKey: keys.publicKey,
    signingKey: await signingKey(authority.key),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value }))),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(cert), key: await keyText(keys.privateKey) };
}

/** 127 bits nobody can guess, positive and not zero (RFC 5280 section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
}

async function fingerprint(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey("spki", key);
  return createHash("sha256").update(Buffer.from(bytes)).digest("hex").slice(0, 16);
}

function pem(cert: x509.X509Certificate): string {
  return `${cert.toString("pem").trim()}\n`;
}

async function keyText(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${bytes.replace(/.{64}(?=.)/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
}

function signingKey(text: string): Promise<webcrypto.CryptoKey> {
  const bytes = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return webcrypto.subtle.importKey("pkcs8", bytes, algorithm, false, ["sign"]);
}
