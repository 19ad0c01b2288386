/**
 * Files to follow from now on, in the order in which they were written, each with the stream it belongs to.
 *
 *   matched by a pattern and unknown          its own stream, or that of the file it was rotated from
 *   missed: came and went between two looks   the stream whose path it must have had
 *   remembered, but matched by no pattern     found by identity in the folder where it was
 */
import { basename, dirname } from "node:path";
import type { LogInputContext } from "../contracts.ts";
import type { FollowedFile } from "./followed-file.ts";
import { type Births, keyOf } from "./identity.ts";
import type { Ledger, Row } from "./ledger.ts";
import { byAge, findMissed, isRotatedName, listFiles, type Spot } from "./siblings.ts";
import type { Found } from "./survey.ts";

export interface Arrival extends Spot {
  /** Path of the stream it belongs to. */
  readonly origin: string;
}

export interface Known {
  readonly context: LogInputContext;
  readonly files: ReadonlyMap<string, FollowedFile>;
  readonly ledger: Ledger;
  readonly births: Births;
}

/** Files that rotation took away from a stream's path before they were seen there. */
export function missedAt(origin: string, known: Known): Arrival[] {
  const anchor = known.ledger.anchor(origin);
  if (anchor === undefined) return [];
  const spots = listFiles(dirname(origin), known.births).filter((spot) => !isKnown(spot, known));
  return findMissed({ path: origin, stamp: anchor, mtimeMs: anchor.mtimeMs }, spots, known.births).map((spot) => ({
    ...spot,
    origin,
  }));
}

/** A row for the inode is not enough: the inode may have been used again. */
export function isKnown({ stamp }: Spot, { context, files, ledger, births }: Known): boolean {
  if (files.has(keyOf(stamp))) return true;
  const row = ledger.find(stamp);
  if (row === undefined || births.differ(stamp, row) || stamp.size < row.head.length) return false;
  return context.lanes.every((lane) => row.cursors.has(lane.output));
}

/** Files matched now that nobody follows, each under the stream it was rotated from if that one is new as well. */
export function groupFresh(fresh: readonly Found[], known: Known): Arrival[] {
  const livePaths = fresh.map(({ paths }) => paths[0]!);
  return fresh.map(({ paths, stamp }) => {
    const path = paths[0]!;
    const remembered = known.ledger.find(stamp)?.origin;
    return { path, stamp, origin: remembered ?? baseOf(path, livePaths) ?? path };
  });
}

/** The longest path that `path` is a rotated name of. */
function baseOf(path: string, others: readonly string[]): string | undefined {
  const bases = others.filter(
    (other) => dirname(other) === dirname(path) && isRotatedName(basename(path), basename(other)),
  );
  return bases.sort((a, b) => b.length - a.length)[0];
}

/** Where the file of a remembered row is now, when no pattern matches it any more. */
export function locate(row: Row, births: Births): Spot | undefined {
  for (const folder of new Set([dirname(row.path), dirname(row.origin)])) {
    const spot = listFiles(folder, births).find(
      ({ stamp }) => stamp.ino === row.ino && stamp.dev === row.dev && !births.differ(stamp, row),
    );
    if (spot !== undefined) return spot;
  }
  return undefined;
}

/** Oldest first, and the file at the stream's own path after all that were rotated away from it. */
export function inOrder(arrivals: readonly Arrival[]): Arrival[] {
  const isLive = ({ path, origin }: Arrival) => (path === origin ? 1 : 0);
  return [...arrivals].sort((a, b) => isLive(a) - isLive(b) || byAge(a, b));
}

/** Every file once. */
export function distinct(arrivals: readonly Arrival[]): Arrival[] {
  return [...new Map(arrivals.map((arrival) => [keyOf(arrival.stamp), arrival])).values()];
}
