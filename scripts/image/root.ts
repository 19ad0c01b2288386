/**
 * Lays out the files of the images in a folder, the context that `Containerfile` is built in:
 *
 *   base/       loader, libraries, CA certificates, users
 *   outrigger/  the sidecar, nft and its libraries
 *   samples/    Bun and the samples' workloads
 *   state/      empty: the sidecar's state
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { rootCertificates } from "node:tls";
import { librariesOf, type Piece } from "./libraries.ts";
import type { Origin, Package } from "./packages.ts";

const repository = join(import.meta.dirname, "../..");

export interface Layout {
  /** Where to. */
  folder: string;
  origin: Origin;
  /** The compiled sidecar. */
  outrigger: string;
  /** Bun for the workloads. */
  bun: string;
}

/** Kubernetes gives a container the numbers only; the names are for people. */
const users = [
  ["root", 0, "/root"],
  ["outrigger", 7411, "/var/lib/outrigger"],
] as const;

const texts: Record<string, string> = {
  "/etc/passwd": users.map(([name, id, home]) => `${name}:x:${id}:${id}:${name}:${home}:/sbin/nologin\n`).join(""),
  "/etc/group": users.map(([name, id]) => `${name}:x:${id}:\n`).join(""),
  // Without it, glibc asks a name server before it looks into /etc/hosts, where `localhost` stands.
  "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  // Mozilla's list as this version of Bun brings it: the same on every machine the image is built on.
  "/etc/ssl/certs/ca-certificates.crt": `${rootCertificates.join("\n")}\n`,
};

function write(to: string, text: string): void {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, text);
  chmodSync(to, 0o644);
}

function copy(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

/** The programs and libraries, and what the licences of their packages ask to be handed on. Gives the packages. */
function copyPieces(pieces: readonly Piece[], to: string, origin: Origin): Package[] {
  const packages = new Map<string, Package>();
  for (const { path, source } of pieces) {
    copy(source, join(to, path), 0o755);
    const owner = origin.ownerOf(source);
    if (owner !== undefined) packages.set(owner.name, owner);
  }
  for (const name of packages.keys()) {
    const licence = `/usr/share/doc/${name}/copyright`;
    if (existsSync(join(origin.root, licence))) copy(join(origin.root, licence), join(to, licence), 0o644);
  }
  return [...packages.values()];
}

function layBase(to: string, libraries: readonly Piece[], origin: Origin): Package[] {
  for (const [path, text] of Object.entries(texts)) write(join(to, path), text);
  // Programs expect it; where the root is read-only, a volume is mounted over it.
  mkdirSync(join(to, "tmp"), { recursive: true });
  chmodSync(join(to, "tmp"), 0o1777);
  mkdirSync(join(to, "var/lib"), { recursive: true });
  return copyPieces(libraries, to, origin);
}

function laySamples(to: string, bun: string): void {
  copy(bun, join(to, "usr/local/bin/bun"), 0o755);
  for (const path of new Bun.Glob("samples/*/workload.ts").scanSync({ cwd: repository })) {
    copy(join(repository, path), join(to, path), 0o644);
  }
}

/** Writes everything; gives the packages whose files the sidecar's image holds. Throws when something is missing. */
export function layOut({ folder, origin, outrigger, bun }: Layout): Package[] {
  for (const part of ["base", "outrigger", "samples", "state"]) {
    rmSync(join(folder, part), { recursive: true, force: true });
    mkdirSync(join(folder, part), { recursive: true });
  }
  const nft: Piece = { path: "/usr/sbin/nft", source: join(origin.root, "/usr/sbin/nft") };
  if (!existsSync(nft.source)) throw new Error(`${nft.source} is missing: install nftables`);
  const base = librariesOf([outrigger, bun], origin.root);
  const shared = new Set(base.map(({ path }) => path));
  const more = librariesOf([nft.source], origin.root).filter(({ path }) => !shared.has(path));
  laySamples(join(folder, "samples"), bun);
  copy(outrigger, join(folder, "outrigger/usr/local/bin/outrigger"), 0o755);
  copy(join(repository, "LICENSE"), join(folder, "outrigger/usr/share/doc/outrigger/LICENSE"), 0o644);
  return [
    ...layBase(join(folder, "base"), base, origin),
    ...copyPieces([nft, ...more], join(folder, "outrigger"), origin),
  ];
}
