/**
 * rsyslog and syslog-ng. As Debian packages they exclude each other and bring daemons; the bench wants two programs. So
 * one that is not installed is unpacked beside the bench's other programs, with the libraries it brings.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Unavailable } from "../fetch.ts";
import { CACHE } from "../layout.ts";

/** A program, and the folder its own files lie under: `/`, or where it was unpacked. */
export interface Installed {
  /** What to run, without arguments. */
  program: readonly string[];
  root: string;
}

const ARCHITECTURE = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const LIBRARIES = [`usr/lib/${ARCHITECTURE}`, `lib/${ARCHITECTURE}`, "usr/lib/syslog-ng"];

/** Debian 12's packages of a program that a bare system does not have already. */
const PACKAGES = {
  rsyslogd: ["rsyslog", "libestr0", "libfastjson4", "liblognorm5"],
  "syslog-ng": [
    "syslog-ng-core",
    "syslog-ng-mod-http",
    ..."libivykis0 libnet1 libpcre3 libcap2 libwrap0 libjson-c5 libcurl4".split(" "),
  ],
} as const;

export type Daemon = keyof typeof PACKAGES;

/** @throws Unavailable when the program is neither installed nor to be had */
export async function installed(daemon: Daemon, say: (line: string) => void): Promise<Installed> {
  const path = Bun.which(daemon, { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` });
  if (path) return { program: [path], root: "/" };
  const root = join(CACHE, `debian-${daemon}`);
  if (!existsSync(root)) await unpack(daemon, root, say);
  const libraries = LIBRARIES.map((folder) => join(root, folder)).join(":");
  return { program: ["/usr/bin/env", `LD_LIBRARY_PATH=${libraries}`, join(root, "usr/sbin", daemon)], root };
}

async function unpack(daemon: Daemon, root: string, say: (line: string) => void): Promise<void> {
  const packages = PACKAGES[daemon];
  say(`unpacking ${packages[0]} (Debian) to ${root}`);
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "fetch-"));
  try {
    await succeed(["apt-get", "download", "-q", ...packages], folder);
    const unpacked = join(folder, "root");
    for (const file of (await readdir(folder)).filter((name) => name.endsWith(".deb"))) {
      await succeed(["dpkg-deb", "-x", file, unpacked], folder);
    }
    // Renamed when complete, so that an interrupted run leaves nothing that looks whole.
    await rename(unpacked, root);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function succeed(command: string[], folder: string): Promise<void> {
  if (!Bun.which(command[0]!)) throw new Unavailable(`not installed, and there is no ${command[0]} to fetch it`);
  const child = Bun.spawn(command, { cwd: folder, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = await child.stderr.text();
  if ((await child.exited) === 0) return;
  throw new Unavailable(`\`${command.slice(0, 4).join(" ")} …\` failed: ${said.trim().split("\n").at(-1)}`);
}
