/**
 * From a path to a followed file: which content it holds, where to go on in it, and what became of the content that
 * was expected there instead.
 */
import { closeSync, fstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { compressionOf } from "./archives/compression.ts";
import { type Arrival, isKnown, Listings, locate, missedAt } from "./arrivals.ts";
import { holdsContent, refresh } from "./content.ts";
import { Cursor } from "./cursor.ts";
import { lastLineEnd } from "./encoding.ts";
import { FollowedFile, type Reader } from "./followed-file.ts";
import type { Following } from "./following.ts";
import { setHead } from "./head.ts";
import { headBytes, keyOf, readAt, readTail, type Stamp, sameBeginning, stampOf } from "./identity.ts";
import type { Row } from "./ledger.ts";
import { byAge, findCopy, findShorterCopy, isSameListing, listFiles, openToRead, type Spot } from "./siblings.ts";
import { Stream } from "./stream.ts";

/** How often a folder is looked at while files in it are renamed. */
const mostLooks = 16;

/** An open file that nobody follows yet. */
interface Opened {
  readonly fd: number;
  readonly stamp: Stamp;
  /** How it began when it was opened: known from now on, a truncation is noticed even before the first line was read. */
  readonly head: Uint8Array;
  readonly path: string;
  readonly origin: string;
}

/**
 * Opens the file and follows it, unless it cannot be read or is followed already. With `isRead`, from its end on. False when another file is at its
 * path by now: then whatever else was found at the same time cannot be relied on either.
 */
export function followArrival(following: Following, arrival: Arrival, isRead = false): boolean {
  if (following.files.has(keyOf(arrival.stamp))) return true;
  const atEnd = isRead || following.past.has(arrival.stamp);
  try {
    const opened = openIfSame(arrival);
    if (opened !== undefined && compressionOf(opened.head) !== undefined) closeSync(opened.fd);
    else if (opened !== undefined) closingFailed(following, opened.fd, () => followOpened(following, opened, atEnd));
    following.survey.opened(arrival.path);
    return opened !== undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (code !== "ENOENT") following.survey.unopened(arrival.path, code);
    return code !== "ENOENT";
  }
}

/** Runs what follows an open file. When that fails the file is closed: the next look finds and opens it again. */
function closingFailed<T>({ files, ledger }: Following, fd: number, follow: () => T): T {
  try {
    return follow();
  } catch (error) {
    const file = [...files.values()].find((one) => one.fd === fd);
    if (file === undefined) closeSync(fd);
    else {
      files.delete(file.key);
      ledger.release(file.row, files);
      file.close();
    }
    throw error;
  }
}

function openIfSame({ path, origin, stamp: wanted }: Arrival): Opened | undefined {
  const fd = openToRead(path);
  try {
    const stamp = stampOf(fstatSync(fd, { bigint: true }));
    if (keyOf(stamp) === keyOf(wanted)) return { fd, stamp, path, origin, head: readAt(fd, 0, headBytes) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

/** The content of a followed file was replaced in place: follows what it holds now, and the old content elsewhere. */
export function followReplaced(following: Following, file: FollowedFile): void {
  const { path, row } = file;
  following.files.delete(file.key);
  const fd = file.surrender();
  try {
    const now = closingFailed(following, fd, () => followAnew(following, file, fd));
    followMissed(following, row.origin, now);
  } catch (error) {
    following.survey.unopened(path, (error as NodeJS.ErrnoException).code ?? String(error));
  }
}

/** Returns where the file is now. */
function followAnew(following: Following, file: FollowedFile, fd: number): Spot {
  const { row, path } = file;
  // Fixed before anything else is looked for: a further truncation from here on is noticed as one.
  const head = readAt(fd, 0, headBytes);
  following.parts.counters.rotated("truncated");
  following.context.emit("log_file_truncated", { input: file.input, path });
  following.context.checkpoint.hasten();
  if (keyOf(row) === file.key) leaveContent(following, row, fd);
  else followMoved(following, row);
  const now = spotNow(following, file.row, stampOf(fstatSync(fd, { bigint: true })));
  followOpened(following, { fd, ...now, origin: row.origin, head }, false);
  return now;
}

/** Another entry found the content in another file first. */
function followMoved(following: Following, { path, origin }: Row): void {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats !== undefined) followArrival(following, { path, origin, stamp: stampOf(stats) });
}

function followOpened(following: Following, opened: Opened, atEnd: boolean): void {
  const { ledger, births, streams } = following;
  const { fd, stamp, path, origin } = opened;
  // A folder was changed after it was made, so it tells whether its device keeps times of birth.
  const folder = statSync(dirname(path), { bigint: true, throwIfNoEntry: false });
  if (folder !== undefined) births.learn(folder);
  const known = ledger.find(stamp) ?? ledger.findMoved(stamp);
  const isRestart = known !== undefined && known.headBytes === undefined;
  const isSame = known !== undefined && holdsContent(known, fd, stamp, births) && refresh(known, fd);
  const isLeft = known !== undefined && !isSame;
  // What is unread of it comes before what is in the file now, so its place is taken first.
  if (isLeft) leaveKnown(following, known, fd);
  if (isSame && isRestart) countRepeats(following, known);
  const row = isSame ? resume(following, known, opened) : ledger.add(newId(following), origin, path, stamp);
  if (!isSame) setHead(row, opened.head);
  if (!isSame) row.isGuessed = path !== origin && following.matches(path);
  const file = makeFile(following, row, fd);
  if (file === undefined) return;
  // After a kill, what was rotated away from a path is looked for only where the path is known.
  if (!isSame) following.context.checkpoint.hasten();
  if (atEnd && !isSame) skipToEnd(file, stamp.size);
  const stream = streams.get(row.origin) ?? new Stream(row.origin);
  streams.set(row.origin, stream);
  stream.add(file);
  if (isLeft) followMissed(following, origin, { path, stamp });
}

/** The file that was found under a row's inode holds something else: nobody looked while that happened. */
function leaveKnown(following: Following, row: Row, fd: number): void {
  if (row.endedAt === undefined) leaveContent(following, row, fd);
  else following.ledger.supersede(row);
}

/** Goes on with the content of `row` in a copy of the file, where there is one; counts what is lost where not. */
function leaveContent(following: Following, row: Row, fd: number): void {
  const own = keyOf(fstatSync(fd, { bigint: true }));
  const folder = dirname(row.path);
  for (let looks = 1; looks <= mostLooks; looks++) {
    const listed = listFiles(folder, following.births);
    const others = listed.filter(({ stamp }) => keyOf(stamp) !== own);
    if (goOnInCopy(following, row, others) || leaveShorterCopy(following, row, others)) return;
    // One that was renamed before it could be opened is found under its new name.
    if (isSameListing(listed, listFiles(folder, following.births))) break;
  }
  giveUp(following, row);
}

/** False when none of these files is a copy that has all we read. */
function goOnInCopy(following: Following, row: Row, others: readonly Spot[]): boolean {
  const { ledger, files, streams } = following;
  const candidates = others.filter((spot) => files.has(keyOf(spot.stamp)) || !isKnown(spot, following));
  const copy = findCopy(row, candidates);
  if (copy === undefined) return false;
  if (files.has(keyOf(copy.spot.stamp))) {
    closeSync(copy.fd);
    ledger.supersede(row);
    return true;
  }
  ledger.move(row, copy.spot.path, stampOf(fstatSync(copy.fd, { bigint: true })));
  refresh(row, copy.fd);
  // What was written between copy and truncation, and seen at the beginning, is not in the copy.
  if (row.headBytes !== undefined) setHead(row, row.headBytes.slice(0, row.size));
  const file = makeFile(following, row, copy.fd);
  if (file === undefined) return true;
  file.status = "rotated";
  streams.get(row.origin)?.add(file);
  return true;
}

/** False when no copy is there that ends before what was read. What is left of the content was read, or is nowhere. */
function leaveShorterCopy(following: Following, row: Row, others: readonly Spot[]): boolean {
  const unknown = others.filter((spot) => !isKnown(spot, following));
  const shorter = findShorterCopy(row, unknown, following.births);
  if (shorter === undefined || !followArrival(following, { ...shorter, origin: row.origin }, true)) return false;
  giveUp(following, row);
  return true;
}

function giveUp({ ledger, parts, context, archives }: Following, row: Row): void {
  const read = Math.min(...[...row.cursors.values()].map((cursor) => cursor.read));
  const bytes = row.endedAt === undefined && row.size > read ? row.size - read : 0;
  const lose = () => {
    parts.counters.lost("truncated", bytes);
    if (bytes > 0) context.emit("log_bytes_lost", { input: parts.input, path: row.path, bytes, reason: "truncated" });
  };
  ledger.supersede(row);
  if (archives === undefined) lose();
  else archives.seek(row, lose);
}

/**
 * Follows what came and went at this path without being seen there. With `before`, only what is older than that file,
 * as it is now.
 */
export function followMissed(following: Following, origin: string, before?: Spot, listings?: Listings): void {
  if (followAllMissed(following, origin, before, listings)) return;
  for (let looks = 1; looks < mostLooks; looks++) if (followAllMissed(following, origin, before)) return;
  following.isUnsettled = true;
}

/**
 * False when files were renamed meanwhile. What is beside a file is older than its content only if that is still in
 * place, and the same, after the folder was listed.
 */
function followAllMissed(following: Following, origin: string, before?: Spot, listings?: Listings): boolean {
  const arrivals = missedAt(origin, following, listings);
  if (arrivals.length > 0 && following.streams.get(origin)?.hasMoved() === true) return false;
  for (const arrival of arrivals) {
    const isItself = before !== undefined && keyOf(before.stamp) === keyOf(arrival.stamp);
    if (isItself || (before !== undefined && byAge(arrival, before) > 0)) continue;
    if (isCopyOfFollowed(following, arrival)) continue;
    if (!followArrival(following, arrival)) return false;
    following.parts.counters.rotated("missed");
  }
  return true;
}

/** True when the file is, or may be, a copy of one that is followed: made by a rotation that has yet to truncate it. */
export function isCopyOfFollowed({ suspects, streams }: Following, spot: Spot): boolean {
  const original = suspects.originalOf(spot, streams);
  return original !== undefined && suspects.holds(spot, original);
}

/** Where a followed file is now; where it was when it cannot be found. */
export function spotNow(following: Following, row: Row, stamp: Stamp, listings = new Listings(following)): Spot {
  const path = locate(
    { ...row, dev: stamp.dev, ino: stamp.ino, birthNs: stamp.birthNs },
    following.births,
    listings,
  )?.path;
  return { path: path ?? row.path, stamp };
}

/** After a restart: what was read and not acknowledged is read again. */
function countRepeats({ parts }: Following, row: Row): void {
  const behind = [...row.cursors.values()].map(({ acknowledged, shownTo }) => Math.max(acknowledged, shownTo));
  parts.counters.repeats(Math.max(0, row.size - Math.min(row.size, ...behind)));
}

function resume({ ledger }: Following, row: Row, { stamp, path, head }: Opened): Row {
  if (keyOf(stamp) !== keyOf(row)) ledger.move(row, path, stamp);
  // Known further than it was read: so a truncation is noticed even before the next line is.
  if (row.headBytes !== undefined && head.length > row.headBytes.length && sameBeginning(row.headBytes, head)) {
    setHead(row, head);
  }
  row.path = path;
  row.endedAt = undefined;
  row.size = stamp.size;
  row.mtimeMs = stamp.mtimeMs;
  return row;
}

/** Undefined, and the descriptor closed, when it is followed already, or when another entry reads this file for all of our outputs. */
function makeFile(following: Following, row: Row, fd: number): FollowedFile | undefined {
  const { ledger, files, parts, context } = following;
  const lanes = context.lanes.filter((lane) => ledger.claim(row, lane.output, files));
  const readers: Reader[] = lanes.map((lane) => {
    const cursor = row.cursors.get(lane.output) ?? new Cursor();
    row.cursors.set(lane.output, cursor);
    return { lane, cursor };
  });
  const isFollowed = files.has(keyOf(row));
  if (isFollowed || readers.length === 0) {
    closeSync(fd);
    if (!isFollowed) following.survey.taken(row.path);
    return undefined;
  }
  const file = new FollowedFile(row, fd, readers, parts, context.clock.now());
  if (row.path !== row.origin) file.status = "rotated";
  files.set(file.key, file);
  context.checkpoint.touch(0);
  return file;
}

function skipToEnd(file: FollowedFile, size: number): void {
  const position = lastLineEnd(file.fd, size, file.encoding);
  for (const { cursor } of file.readers) cursor.startAt(position, readTail(file.fd, position));
}

/** 64 random bits. */
export function newId({ context }: Following): string {
  const half = () => Math.floor(context.random() * 2 ** 32);
  return [half(), half()].map((bits) => bits.toString(16).padStart(8, "0")).join("");
}
