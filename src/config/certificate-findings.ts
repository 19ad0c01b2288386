/**
 * Looks into the certificates a configuration names: a file that is there and is no certificate, a key that belongs to
 * another one. Cryptography is loaded only for documents that name any.
 */
import { resolve } from "node:path";
import type { Finding } from "./faults.ts";
import { isMap, itemsOf, memberOf, type Path, textOf } from "./raw.ts";
import { unreadable } from "./reading.ts";

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
