/** The certificates as they are kept in one Secret, what is wrong with them, and what has to be renewed when. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { memberOf, textOf } from "../config/raw.ts";

const dayMs = 86_400_000;
/** A clock that goes slow must not find a certificate that is not valid yet. */
const skewMs = 3_600_000;

/** How long certificates live, and when they are replaced; in milliseconds. */
export interface Lifetimes {
  readonly authorityMs: number;
  readonly leafMs: number;
  /** Age at which a leaf is renewed. */
  readonly renewLeafMs: number;
  /** What an authority must have left; it always outlives what it signs. */
  readonly authorityLeftMs: number;
  /** How long an authority that was replaced is trusted still. */
  readonly overlapMs: number;
}

/** Authority 10 years, leaf 90 days renewed at 60; the old authority is trusted for a day beside the new one. */
export const usualLifetimes: Lifetimes = {
  authorityMs: 3652 * dayMs,
  leafMs: 90 * dayMs,
  renewLeafMs: 60 * dayMs,
  authorityLeftMs: 365 * dayMs,
  overlapMs: dayMs,
};

/** What the Secret holds; PEM texts. */
export interface Material {
  /** Trusted authorities: first the one that signs, then those it has replaced. */
  readonly authorities: readonly string[];
  readonly authorityKey: string;
  readonly cert: string;
  readonly key: string;
}

/** Keys of the Secret's data. */
const fields = { authorities: "ca.crt", authorityKey: "ca.key", cert: "tls.crt", key: "tls.key" } as const;

/** Reads a Secret; undefined when what it holds is not complete, not whole, or does not fit together. */
export function readMaterial(secret: unknown): Material | undefined {
  const text = (field: string) => Buffer.from(textOf(memberOf(secret, "data"), field) ?? "", "base64").toString();
  const material: Material = {
    authorities: certificatesIn(text(fields.authorities)),
    authorityKey: text(fields.authorityKey),
    cert: text(fields.cert),
    key: text(fields.key),
  };
  return fits(material) ? material : undefined;
}

/** The data of a Secret that holds it. */
export function secretData({ authorities, authorityKey, cert, key }: Material): Record<string, string> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    [fields.authorities]: base64(authorities.join("")),
    [fields.authorityKey]: base64(authorityKey),
    [fields.cert]: base64(cert),
    [fields.key]: base64(key),
  };
}

/** The certificates in a text that can be read, one PEM text each; of equal ones the first. */
export function certificatesIn(text: string): string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return [...new Set(blocks.map((block) => `${block}\n`))].filter((block) => readCertificate(block) !== undefined);
}

/** Undefined when it cannot be read. */
export function readCertificate(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text);
  } catch {
    return undefined;
  }
}

/** Milliseconds since the epoch. */
export function expiryOf(cert: string): number {
  return Date.parse(readCertificate(cert)?.validTo ?? "");
}

function startOf(cert: string): number {
  return Date.parse(readCertificate(cert)?.validFrom ?? "");
}

function fits({ authorities, authorityKey, cert, key }: Material): boolean {
  const issuer = readCertificate(authorities[0] ?? "");
  const leaf = readCertificate(cert);
  if (issuer === undefined || leaf === undefined) return false;
  try {
    const isOurs =
      issuer.checkPrivateKey(createPrivateKey(authorityKey)) && leaf.checkPrivateKey(createPrivateKey(key));
    return isOurs && leaf.verify(issuer.publicKey);
  } catch {
    return false; // a key that cannot be read
  }
}

/** The next thing to do: everything anew, the leaf anew, old authorities forgotten, nothing. */
export type Renewal = "authority" | "leaf" | "forget" | "none";

/** What the material needs now. @param names that the leaf must be for */
export function renewalOf(
  material: Material | undefined,
  names: readonly string[],
  nowMs: number,
  lifetimes: Lifetimes,
): Renewal {
  if (material === undefined) return "authority";
  const [authority] = material.authorities;
  if (expiryOf(authority!) - nowMs < lifetimes.authorityLeftMs || startOf(authority!) > nowMs) return "authority";
  const leaf = readCertificate(material.cert)!;
  const isFor = names.every((name) => leaf.checkHost(name) !== undefined);
  const bornAt = startOf(material.cert) + skewMs;
  if (!isFor || nowMs - bornAt >= lifetimes.renewLeafMs || startOf(material.cert) > nowMs) return "leaf";
  const isSettled = nowMs - (startOf(authority!) + skewMs) >= lifetimes.overlapMs;
  return material.authorities.length > 1 && isSettled ? "forget" : "none";
}

export type Kept = Exclude<Renewal, "none">;

/** Makes what is needed. Old authorities stay trusted until they are forgotten or have expired. */
export async function renewed(
  renewal: Kept,
  before: Material | undefined,
  names: readonly string[],
  nowMs: number,
  lifetimes: Lifetimes,
): Promise<Material> {
  if (renewal === "forget") return { ...before!, authorities: before!.authorities.slice(0, 1) };
  const { issueAuthority, issueLeaf } = await import("./certificate-issuing.ts");
  const from = nowMs - skewMs;
  const authority =
    renewal === "leaf"
      ? { cert: before!.authorities[0]!, key: before!.authorityKey }
      : await issueAuthority("outrigger webhook", { from, until: nowMs + lifetimes.authorityMs });
  const leaf = await issueLeaf(authority, names, { from, until: nowMs + lifetimes.leafMs });
  const others = (before?.authorities ?? []).filter((cert) => cert !== authority.cert && expiryOf(cert) > nowMs);
  return { authorities: [authority.cert, ...others], authorityKey: authority.key, cert: leaf.cert, key: leaf.key };
}
