/**
 * Where the files of an image come from: this machine, for its own architecture; else Debian's packages, fetched and
 * unpacked into a folder. The machine's own packages are not touched: apt gets lists, cache and state of its own.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./elf.ts";
import { outputOf, works } from "./programs.ts";

/** A Debian package that gave at least one file. */
export interface Package {
  name: string;
  version: string;
  architecture: string;
}

export interface Origin {
  /** Paths of the image begin here: `/` or a folder. */
  root: string;
  /** The package a file came with, by its path on this machine without symbolic links; undefined where none is known. */
  ownerOf(source: string): Package | undefined;
}

const asked = "${Package}\t${Version}\t${Architecture}\n";

function packageOf(line: string): Package {
  const [name = "", version = "", architecture = ""] = line.trim().split("\t");
  return { name, version, architecture };
}

/** This machine's files. Where it is not a Debian, they belong to no package that could be named. */
export const machine: Origin = {
  root: "/",
  ownerOf(source) {
    // What lies in /usr/lib today was packed as /lib: Debian's database knows the older name.
    const names = [source, source.replace(/^\/usr(?=\/lib|\/s?bin)/, "")];
    const known = names.find((name) => works("dpkg-query", "--search", name));
    if (known === undefined) return undefined;
    const name = outputOf(["dpkg-query", "--search", known]).split(": ", 1)[0]!;
    return packageOf(outputOf(["dpkg-query", "--show", `--showformat=${asked}`, name]));
  },
};

/** Debian's release of this machine, else the one whose libraries the image was tried with. */
function release(): string {
  const file = "/etc/os-release";
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const codename = /^VERSION_CODENAME="?(\w+)/m.exec(text)?.[1];
  return /^ID="?debian/m.test(text) && codename !== undefined ? codename : "bookworm";
}

function sources(codename: string): string {
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const line = (place: string, suite: string) =>
    `deb [signed-by=${keyring}] http://deb.debian.org/${place} ${suite} main\n`;
  return (
    line("debian", codename) + line("debian", `${codename}-updates`) + line("debian-security", `${codename}-security`)
  );
}

/** Options that keep apt within a folder. */
function within(folder: string, architecture: Architecture): string[] {
  const settings = {
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State": join(folder, "state"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

function prepare(folder: string): void {
  for (const path of ["state/lists/partial", "cache/archives/partial", "root"]) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  writeFileSync(join(folder, "status"), "");
  writeFileSync(join(folder, "sources.list"), sources(release()));
}

/**
 * Fetches packages of another architecture, and all they depend on, into `folder` (what is there already is kept) and
 * unpacks them below it. Throws when apt is missing or reaches no mirror.
 */
export function fetchPackages(names: readonly string[], architecture: Architecture, folder: string): Origin {
  if (!works("apt-get", "--version")) {
    throw new Error(
      `an image for ${architecture} needs Debian's packages of that architecture, and there is no apt-get`,
    );
  }
  rmSync(join(folder, "root"), { recursive: true, force: true });
  prepare(folder);
  const apt = ["apt-get", "-q", ...within(folder, architecture)];
  outputOf([...apt, "update", "-o", "APT::Update::Error-Mode=any"]);
  outputOf([...apt, "install", "--yes", "--download-only", "--no-install-recommends", ...names]);
  return unpacked(folder);
}

function unpacked(folder: string): Origin {
  const root = join(folder, "root");
  const owners = new Map<string, Package>();
  for (const file of new Bun.Glob("cache/archives/*.deb").scanSync({ cwd: folder, absolute: true })) {
    outputOf(["dpkg-deb", "--extract", file, root]);
    const owner = packageOf(outputOf(["dpkg-deb", "--show", `--showformat=${asked}`, file]));
    for (const line of outputOf(["dpkg-deb", "--contents", file]).split("\n")) {
      const path = /^-.* \.(\/.*)$/.exec(line)?.[1];
      if (path !== undefined) owners.set(join(root, path), owner);
    }
  }
  return { root, ownerOf: (source) => owners.get(source) };
}
