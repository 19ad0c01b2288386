/**
 * Looks into the certificates a configuration names: a file that is there and is no certificate, a key that belongs to
 * another one. Cryptography is loaded only for documents that name any.
 */
import { resolve } from "node:path";
import { warningShare } from "../net/certificate-expiry.ts";
import type { Finding } from "./faults.ts";
import { isMap, itemsOf, memberOf, type Path, textOf } from "./raw.ts";
import { unreadable } from "./reading.ts";
import type { Config } from "./schema.ts";

/** Files that are used together. */
interface Wanted {
  readonly path: Path;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** `ca` where there is no key to it. */
  readonly kind: "pair" | "ca";
}

/** @param folder relative paths start from it */
export async function certificateFindings(document: unknown, folder: string): Promise<Finding[]> {
  const wanted = ["inbound", "outbound"].flatMap((section) =>
    itemsOf(document, section).flatMap((listener, at) => ofListener(listener, [section, at])),
  );
  if (wanted.length === 0) return [];
  const certificates = await import("../net/certificates.ts");
  return wanted.flatMap((one) => findingsOf(one, folder, certificates));
}

function ofListener(listener: unknown, path: Path): Wanted[] {
  const tls = memberOf(listener, "tls");
  const pairs = itemsOf(tls, "certificates").map((pair, at) => pairAt(pair, [...path, "tls", "certificates", at]));
  const clients = authoritiesAt(memberOf(tls, "clients"), [...path, "tls", "clients"]);
  const routes = itemsOf(listener, "routes").flatMap((route, at) => ofUpstream(route, [...path, "routes", at]));
  return [...pairs, ...clients, ...ofUpstream(listener, path), ...routes];
}

function ofUpstream(holder: unknown, path: Path): Wanted[] {
  const tls = memberOf(memberOf(holder, "upstream"), "tls");
  if (!isMap(tls)) return [];
  const at = [...path, "upstream", "tls"];
  return [...authoritiesAt(tls, at), ...(tls.cert !== undefined && tls.key !== undefined ? [pairAt(tls, at)] : [])];
}

function pairAt(pair: unknown, path: Path): Wanted {
  return { path, cert: textOf(pair, "cert"), key: textOf(pair, "key"), kind: "pair" };
}

function authoritiesAt(holder: unknown, path: Path): Wanted[] {
  const ca = textOf(holder, "ca");
  return ca === undefined ? [] : [{ path, cert: ca, key: undefined, kind: "ca" }];
}

/** What `check` adds about certificates that are right and will not be for long, a sentence each. */
export async function certificateNotes({ inbound, outbound }: Config, now: number): Promise<string[]> {
  const pairs = [...inbound, ...outbound].flatMap(({ arrival, routes }) => [
    ...(arrival?.tls?.certificates ?? []),
    ...routes.flatMap(({ action }) => (action.kind === "forward" ? (action.upstream?.tls?.identity ?? []) : [])),
  ]);
  if (pairs.length === 0) return [];
  const { readKeyPair } = await import("../net/certificates.ts");
  const facts = new Map(pairs.map(({ cert, key }) => [cert, readKeyPair(cert, key)]));
  return [...facts].flatMap(([file, { notBefore, notAfter }]) => noteOf(file, notBefore, notAfter, now));
}

function noteOf(file: string, notBefore: number, notAfter: number, now: number): string[] {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  if (now >= notAfter)
    return [`The certificate ${file} expired on ${day(notAfter)}: whoever checks it will refuse it.`];
  if (now < notBefore) return [`The certificate ${file} is valid from ${day(notBefore)} on, which is yet to come.`];
  const soon = now >= notAfter - (notAfter - notBefore) * warningShare;
  return soon ? [`The certificate ${file} expires on ${day(notAfter)}.`] : [];
}

type Certificates = typeof import("../net/certificates.ts");

/** What cannot be read at all is told by the option itself. */
function findingsOf({ path, cert, key, kind }: Wanted, folder: string, certificates: Certificates): Finding[] {
  const files = [cert, kind === "pair" ? key : cert].map((file) => file && resolve(folder, file));
  const [certFile, keyFile] = files;
  if (!certFile || !keyFile || [certFile, keyFile].some((file) => unreadable(file) !== undefined)) return [];
  try {
    if (kind === "ca") certificates.readAuthorities(certFile);
    else certificates.readKeyPair(certFile, keyFile);
    return [];
  } catch (error) {
    if (!(error instanceof certificates.CertificateFault)) throw error;
    const member = kind === "ca" ? "ca" : error.of;
    return [{ path: [...path, member], problem: `the file ${error.message}`, remedy: error.remedy }];
  }
}
