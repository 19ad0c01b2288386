/**
 * Which versions of filters made their thread stand still, kept in the state folder: written by the watchdog, as the
 * thread itself cannot, and read before a version is run again. A version is told by its hash, so that a mended file
 * is free of it.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMap } from "../config/raw.ts";

const fileName = "stalled-filters.json";
/** Older ones are forgotten: what is tried again after so many others may be tried again. */
const mostKept = 100;

/** Why a version is not run again. */
export interface Blame {
  readonly hash: string;
  /** The filter's name when it happened. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** The versions blamed in any of these folders, by hash. A folder or file that cannot be read holds none. */
export function readBlame(folders: readonly string[]): Map<string, Blame> {
  return new Map(folders.flatMap(blameIn).map((blame) => [blame.hash, blame]));
}

function blameIn(folder: string): Blame[] {
  try {
    const kept: unknown = JSON.parse(readFileSync(join(folder, fileName), "utf8"));
    return Array.isArray(kept) ? kept.filter(isBlame) : [];
  } catch {
    return [];
  }
}

function isBlame(value: unknown): value is Blame {
  return (
    isMap(value) && typeof value.hash === "string" && typeof value.name === "string" && typeof value.atMs === "number"
  );
}

/** Adds a version. Synchronous: who calls it may be about to end the process. @throws what the file system throws */
export function writeBlame(folder: string, blame: Blame): void {
  const others = blameIn(folder).filter(({ hash }) => hash !== blame.hash);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `.${fileName}.draft`);
  writeFileSync(draft, JSON.stringify([...others, blame].slice(-mostKept)), { mode: 0o600 });
  renameSync(draft, join(folder, fileName));
}
