/**
 * What became of a file: the other files in its folder, told apart by name and by content.
 *
 * Rotation leaves an old file under a new name that the pattern may or may not match. The file we hold open is found
 * by its inode. One that came and went between two looks is known only by its name and its times; a copy that was
 * made before a truncation only by its content.
 */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import {
  type Births,
  hasPrint,
  keyOf,
  type Print,
  printOf,
  readAt,
  type Stamp,
  sameBeginning,
  stampOf,
} from "./identity.ts";
import type { Anchor, Row } from "./ledger.ts";

/** A file at a path, as it was when it was looked at. */
export interface Spot {
  readonly path: string;
  readonly stamp: Stamp;
}

/** What rotation puts into a name: `.1`, `-20240131`, `.2024-01-31T10:00`, `.old`, `~`. Compressed files have more. */
const rotationMark = /^(?:[-._]\d[\d\-._:TZ]*|[-._](?:old|bak|backup|prev|previous|orig|save|copy|last)|~)$/i;

/** True when `name` is what rotation makes of `base`: `app.log.1` or `app-2024-01-31.log` of `app.log`. */
export function isRotatedName(name: string, base: string): boolean {
  return rotationMark.test(addition(name, base) ?? "") || isCounted(name, base);
}

/** `app.log1` of `app.log`; but `app-12` is no rotated `app-1`. */
function isCounted(name: string, base: string): boolean {
  return name.startsWith(base) && /^\d+$/.test(name.slice(base.length)) && !/\d$/.test(base);
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

/** All that `name` may be an extended name of, longest first: few, where a folder has thousands of names to compare. */
export function basesOf(name: string): string[] {
  const bases: string[] = [];
  const dot = name.lastIndexOf(".");
  for (let added = 1; added < name.length; added++) {
    bases.push(name.slice(0, name.length - added));
    if (dot > added) bases.push(name.slice(0, dot - added) + name.slice(dot));
  }
  return bases;
}

/** Opens a file to read it. Never waits for a writer, should it be a named pipe. */
export function openToRead(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

/** The same for a file that was found; undefined when another one is at its path by now. Throws when it has none. */
export function openSpot({ path, stamp }: Spot): number | undefined {
  const fd = openToRead(path);
  try {
    if (keyOf(fstatSync(fd, { bigint: true })) === keyOf(stamp)) return fd;
  } catch {}
  closeSync(fd);
  return undefined;
}

/** How often a folder is listed until it is the same twice. */
const mostListings = 16;

/**
 * All regular files of a folder whose names are wanted; nothing when it cannot be listed. A file that is renamed while
 * the folder is listed may be seen twice or not at all, so this looks until two looks agree, which
 * is soon: rotation renames a chain of files without a pause.
 */
export function listFiles(folder: string, births: Births, isWanted = anyName): Spot[] {
  let before = listOnce(folder, births, isWanted);
  for (let listings = 1; listings < mostListings; listings++) {
    const now = listOnce(folder, births, isWanted);
    if (isSameListing(before, now)) return now;
    before = now;
  }
  return before;
}

export function isSameListing(one: readonly Spot[], other: readonly Spot[]): boolean {
  if (one.length !== other.length) return false;
  const paths = new Map(one.map(({ path, stamp }) => [path, keyOf(stamp)]));
  return other.every(({ path, stamp }) => paths.get(path) === keyOf(stamp));
}

const anyName = (_name: string) => true;

function listOnce(folder: string, births: Births, isWanted: (name: string) => boolean): Spot[] {
  try {
    return readdirSync(folder).flatMap((name) => (isWanted(name) ? (spotAt(join(folder, name), births) ?? []) : []));
  } catch {
    return [];
  }
}

/** Undefined for what is no file, and for a link that leads nowhere. */
export function spotAt(path: string, births: Births): Spot | undefined {
  const stats = statIfAny(path);
  if (stats === undefined || !stats.isFile()) return undefined;
  births.learn(stats);
  return { path, stamp: stampOf(stats) };
}

function statIfAny(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Content that can be recognised: how it begins, and what is before the furthest position. */
interface Recognisable {
  readonly head: Print;
  readonly headBytes: Uint8Array | undefined;
  readonly position: number;
  readonly tail: Print;
}

/** Undefined when nothing at all is known of it. */
function recognisable(row: Row): Recognisable | undefined {
  const { head, headBytes } = row;
  let furthest: Recognisable = { head, headBytes, position: 0, tail: { length: 0, hash: "" } };
  for (const cursor of row.cursors.values()) {
    if (cursor.read <= furthest.position) continue;
    const tail = cursor.tail === undefined ? cursor.acknowledgedTail : printOf(cursor.tail);
    furthest = { head, headBytes, position: cursor.read, tail };
  }
  return head.length === 0 ? undefined : furthest;
}

/** The newest of `spots` that begins with all we read of this content, opened. The caller closes it. */
export function findCopy(row: Row, spots: readonly Spot[]): { fd: number; spot: Spot } | undefined {
  const content = recognisable(row);
  if (content === undefined) return undefined;
  const large = spots.filter(({ stamp }) => stamp.size > 0 && stamp.size >= content.position);
  for (const spot of large.sort((a, b) => b.stamp.mtimeMs - a.stamp.mtimeMs)) {
    const fd = openIfSame(spot, content);
    if (fd !== undefined) return { fd, spot };
  }
  return undefined;
}

function openIfSame(spot: Spot, content: Recognisable): number | undefined {
  const { position, tail } = content;
  let fd: number | undefined;
  try {
    fd = openSpot(spot);
    if (fd === undefined) return undefined;
    if (beginsAs(content, fd, spot.stamp.size) && hasPrint(fd, position - tail.length, tail)) return fd;
  } catch {}
  if (fd !== undefined) closeSync(fd);
  return undefined;
}

/** True when a file of this size begins like the content; a shorter one is compared as far as it goes. */
function beginsAs({ head, headBytes }: Pick<Row, "head" | "headBytes">, fd: number, size: number): boolean {
  if (size >= head.length) return hasPrint(fd, 0, head);
  return headBytes !== undefined && sameBeginning(headBytes, readAt(fd, 0, size));
}

/**
 * The newest of `spots` that is called like a copy of the row's file and begins like it, but ends before what we read:
 * the writer went on while it was made. Nothing in it is new.
 */
export function findShorterCopy(row: Row, spots: readonly Spot[], births: Births): Spot | undefined {
  const position = recognisable(row)?.position ?? 0;
  const named = spots.filter(
    (spot) =>
      spot.stamp.size > 0 &&
      spot.stamp.size < position &&
      isExtendedName(basename(spot.path), basename(row.origin)) &&
      !births.before(spot.stamp, row) &&
      beginsLike(row, spot),
  );
  return named.sort(byAge).at(-1);
}

function beginsLike(row: Row, spot: Spot): boolean {
  let fd: number | undefined;
  try {
    fd = openSpot(spot);
    return fd !== undefined && beginsAs(row, fd, spot.stamp.size);
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Those of `spots` that came after a known content: written last no earlier, and not born before it. */
export function cameAfter({ birth, writtenMs }: Anchor, spots: readonly Spot[], births: Births): Spot[] {
  const isLater = ({ stamp }: Spot) => stamp.mtimeMs >= writtenMs && !births.before(stamp, birth);
  const later = spots.filter((spot) => spot.stamp.size > 0 && isLater(spot));
  return later.sort(byAge);
}

/** Oldest first. Files written last within one tick of the clock are told apart by what rotation put in their names. */
export function byAge(a: Spot, b: Spot): number {
  const written = a.stamp.mtimeMs - b.stamp.mtimeMs || rotationRank(b.path) - rotationRank(a.path);
  if (written !== 0) return written;
  if (a.stamp.birthNs !== b.stamp.birthNs) return a.stamp.birthNs < b.stamp.birthNs ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}

/** Larger for older files: `.2` is older than `.1`, but the second of January is younger than the first. */
function rotationRank(path: string): number {
  const digits = /([\d\-._:T]+)(?:\.[a-z]+)?$/i.exec(basename(path))?.[1]?.replace(/\D/g, "") ?? "";
  return digits.length < 6 ? Number(digits) : -Number(digits);
}
