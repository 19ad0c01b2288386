/**
 * What became of a file: the other files in its folder, told apart by name and by content.
 *
 * Rotation leaves an old file under a new name that the pattern may or may not match. The file we hold open is found
 * by its inode. One that came and went between two looks is known only by its name and its times; a copy that was
 * made before a truncation only by its content.
 */
import { closeSync, constants, openSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type Births, hasPrint, type Print, printOf, type Stamp, stampOf } from "./identity.ts";
import type { Row } from "./ledger.ts";

/** A file at a path, as it was when it was looked at. */
export interface Spot {
  readonly path: string;
  readonly stamp: Stamp;
}

/** What rotation puts into a name: `.1`, `-20240131`, `.2024-01-31T10:00`, `.old`, `~`. Compressed files have more. */
const rotationMark = /^(?:[-._]?\d[\d\-._:TZ]*|[-._](?:old|bak|backup|prev|previous|orig|save|copy|last)|~)$/i;

/** True when `name` is what rotation makes of `base`: `app.log.1` or `app-2024-01-31.log` of `app.log`. */
export function isRotatedName(name: string, base: string): boolean {
  return rotationMark.test(addition(name, base) ?? "");
}

/** True when `name` is `base` with anything added, as a copy of it would be called. */
export function isExtendedName(name: string, base: string): boolean {
  return addition(name, base) !== undefined;
}

/** What `name` has beyond `base`, at its end or before its extension. */
function addition(name: string, base: string): string | undefined {
  if (name.length <= base.length) return undefined;
  if (name.startsWith(base)) return name.slice(base.length);
  const dot = base.lastIndexOf(".");
  if (dot <= 0) return undefined;
  const [stem, extension] = [base.slice(0, dot), base.slice(dot)];
  const fits = name.startsWith(stem) && name.endsWith(extension);
  return fits ? name.slice(stem.length, name.length - extension.length) : undefined;
}

/** Opens a file to read it. Never waits for a writer, should it be a named pipe. */
export function openToRead(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

/** All regular files of a folder; nothing when it cannot be listed. */
export function listFiles(folder: string, births: Births): Spot[] {
  try {
    return readdirSync(folder).flatMap((name) => spotAt(join(folder, name), births) ?? []);
  } catch {
    return [];
  }
}

function spotAt(path: string, births: Births): Spot | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) return undefined;
  births.learn(stats);
  return { path, stamp: stampOf(stats) };
}

/** Content that can be recognised: how it begins, and what is before the furthest position. */
interface Recognisable {
  readonly head: Print;
  readonly position: number;
  readonly tail: Print;
}

function recognisable(row: Row): Recognisable | undefined {
  let furthest: Recognisable | undefined;
  for (const cursor of row.cursors.values()) {
    if (cursor.read <= (furthest?.position ?? 0)) continue;
    const tail = cursor.tail === undefined ? cursor.acknowledgedTail : printOf(cursor.tail);
    furthest = { head: row.head, position: cursor.read, tail };
  }
  return furthest;
}

/** The newest of `spots` that begins with all we read of this content, opened. The caller closes it. */
export function findCopy(row: Row, spots: readonly Spot[]): { fd: number; spot: Spot } | undefined {
  const content = recognisable(row);
  if (content === undefined) return undefined;
  const large = spots.filter(({ stamp }) => stamp.size >= content.position);
  for (const spot of large.sort((a, b) => b.stamp.mtimeMs - a.stamp.mtimeMs)) {
    const fd = openIfSame(spot.path, content);
    if (fd !== undefined) return { fd, spot };
  }
  return undefined;
}

function openIfSame(path: string, { head, position, tail }: Recognisable): number | undefined {
  let fd: number | undefined;
  try {
    fd = openToRead(path);
    if (hasPrint(fd, 0, head) && hasPrint(fd, position - tail.length, tail)) return fd;
  } catch {}
  if (fd !== undefined) closeSync(fd);
  return undefined;
}

/** The last file we know of a stream, as it was when it was last seen at its path. */
export interface Anchor {
  readonly path: string;
  readonly stamp: Pick<Stamp, "dev" | "birthNs">;
  readonly mtimeMs: number;
}

/**
 * Files that stood at the anchor's path after it and were renamed before anyone looked, oldest first. They are called
 * like rotated files, were written last no earlier than the anchor, and were not born before it.
 */
export function findMissed(anchor: Anchor, spots: readonly Spot[], births: Births): Spot[] {
  const base = basename(anchor.path);
  const missed = spots.filter(
    ({ path, stamp }) =>
      path !== anchor.path &&
      stamp.size > 0 &&
      isRotatedName(basename(path), base) &&
      stamp.mtimeMs >= anchor.mtimeMs &&
      !births.before(stamp, anchor.stamp),
  );
  return missed.sort(byAge);
}

/** Oldest first. Rotated within one tick of the clock, the higher number is the older one. */
export function byAge(a: Spot, b: Spot): number {
  const written = a.stamp.mtimeMs - b.stamp.mtimeMs;
  if (written !== 0) return written;
  if (a.stamp.birthNs !== b.stamp.birthNs) return a.stamp.birthNs < b.stamp.birthNs ? -1 : 1;
  return rotationNumber(b.path) - rotationNumber(a.path);
}

function rotationNumber(path: string): number {
  return Number(/(\d+)\D*$/.exec(basename(path))?.[1] ?? 0);
}
