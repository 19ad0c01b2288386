/** Bun for another architecture: the package of the version that package-lock.json names, checked against its checksum. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Architecture } from "./elf.ts";
import { outputOf } from "./programs.ts";

const lockFile = join(import.meta.dirname, "../../package-lock.json");

export const foreignTargets = {
  amd64: { target: "bun-linux-x64", name: "@oven/bun-linux-x64" },
  arm64: { target: "bun-linux-arm64", name: "@oven/bun-linux-aarch64" },
} as const satisfies Record<Architecture, unknown>;

function lockedIntegrity(name: string): string {
  const { packages } = JSON.parse(readFileSync(lockFile, "utf8"));
  const integrity: unknown = packages[`node_modules/${name}`]?.integrity;
  if (typeof integrity !== "string") throw new Error(`package-lock.json has no checksum of ${name}`);
  return integrity;
}

function integrityOf(file: string): string {
  return `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
}

/** Fetches it into `folder` unless it is there already; gives the binary's path. Throws when the registry cannot be reached. */
export function fetchBun(architecture: Architecture, folder: string): string {
  const { name } = foreignTargets[architecture];
  const archive = join(folder, `${basename(name)}-${Bun.version}.tgz`);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(archive)) {
    const packed = outputOf(["npm", "pack", `${name}@${Bun.version}`, "--silent"], { cwd: folder }).trim();
    outputOf(["mv", join(folder, packed), archive]);
  }
  if (integrityOf(archive) !== lockedIntegrity(name)) {
    throw new Error(`${archive} is not the package that package-lock.json names: remove it, and try again`);
  }
  outputOf(["tar", "-xzf", archive, "-C", folder, "package/bin/bun"]);
  return join(folder, "package/bin/bun");
}
