/** Carries out one wish of `outrigger init`, on one file or on all below it. */
import { chmodSync, chownSync, closeSync, fstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { type Mounts, openBelow, placeOf } from "./_mounts.ts";
import type { Owner, Wish } from "./_wishes.ts";

const permissionMask = 0o7777;

function octal(bits: number): string {
  return bits.toString(8).padStart(4, "0");
}

/** What a refusal of the kernel's means here, and what would help. */
const remedies: Record<string, string> = {
  EPERM: "not permitted: run the init container as root with the capabilities CHOWN and FOWNER, or as the file's owner",
  EACCES: "not permitted: run the init container as root with the capability DAC_READ_SEARCH, or as the file's owner",
  EROFS: "the volume is mounted read-only: mount it writable in the init container",
  ENOTSUP: "the volume's file system keeps no owners or modes",
};

function attempt<T>(path: string, deed: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new UserError(`${path}: cannot ${deed}: ${remedies[code] ?? message}`, 3);
  }
}

/** Sets the owner of what is open; the sentence that says so, or undefined when it was right. */
function setOwner(descriptor: number, path: string, stats: Stats, owner: Owner): string | undefined {
  const uid = owner.uid ?? stats.uid;
  const gid = owner.gid ?? stats.gid;
  if (uid === stats.uid && gid === stats.gid) return undefined;
  attempt(path, `set the owner ${uid}:${gid}`, () => chownSync(placeOf(descriptor), uid, gid));
  return `${path}: owner ${stats.uid}:${stats.gid} -> ${uid}:${gid}`;
}

/** Sets the mode of what is open; links have none of their own. */
function setMode(descriptor: number, path: string, stats: Stats, change: NonNullable<Wish["mode"]>) {
  if (stats.isSymbolicLink()) return undefined;
  const bits = stats.mode & permissionMask;
  const wanted = change(bits, stats.isDirectory());
  if (wanted === bits) return undefined;
  attempt(path, `set the mode ${octal(wanted)}`, () => chmodSync(placeOf(descriptor), wanted));
  return `${path}: mode ${octal(bits)} -> ${octal(wanted)}`;
}

/** Mends what is open and, when asked, all below it on the same file system: a mount inside must be named itself. */
function* mendOpen(
  descriptor: number,
  path: string,
  wish: Wish,
  device: number | undefined,
): Generator<string | undefined> {
  const stats = fstatSync(descriptor);
  if (device !== undefined && stats.dev !== device) return;
  if (wish.owner) yield setOwner(descriptor, path, stats, wish.owner);
  if (wish.mode) yield setMode(descriptor, path, stats, wish.mode);
  if (device === undefined || !stats.isDirectory()) return;
  for (const name of attempt(path, "list the folder", () => readdirSync(placeOf(descriptor)))) {
    yield* mendName(descriptor, name, path, wish, device);
  }
}

function* mendName(
  folder: number,
  name: string,
  path: string,
  wish: Wish,
  device: number,
): Generator<string | undefined> {
  let descriptor: number;
  try {
    descriptor = openBelow(folder, name);
  } catch (error) {
    // Deleted between the listing and now, by an app that shares the volume.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw new UserError(`${join(path, name)}: ${(error as Error).message}`, 3);
  }
  try {
    yield* mendOpen(descriptor, join(path, name), wish, device);
  } finally {
    closeSync(descriptor);
  }
}

/** Yields, for each file looked at, the sentence that says what was changed, or undefined when it was right already. */
export function* mend(mounts: Mounts, wish: Wish, recursive: boolean): Generator<string | undefined> {
  const descriptor = attempt(wish.path, "open it", () => mounts.openAt(wish.path));
  try {
    yield* mendOpen(descriptor, wish.path, wish, recursive ? fstatSync(descriptor).dev : undefined);
  } finally {
    closeSync(descriptor);
  }
}
