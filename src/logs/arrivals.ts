/**
 * Files to follow from now on, in the order in which they were written, each with the stream it belongs to.
 *
 *   matched by a pattern and unknown          its own stream, or that of the file it was rotated from
 *   missed: came and went between two looks   the stream whose path it must have had
 *   remembered, but matched by no pattern     found by identity in the folder where it was
 */
import { closeSync } from "node:fs";
import { basename, dirname } from "node:path";
import { holdsContent } from "./content.ts";
import type { Following } from "./following.ts";
import { type Births, keyOf } from "./identity.ts";
import type { Row } from "./ledger.ts";
import { byAge, cameAfter, isRotatedName, listFiles, openSpot, type Spot } from "./siblings.ts";
import type { Found } from "./survey.ts";

export interface Arrival extends Spot {
  /** Path of the stream it belongs to. */
  readonly origin: string;
}

/** The folders that one look needs, each listed once. */
export class Listings {
  private readonly known: Following;
  private readonly all = new Map<string, readonly Spot[]>();
  private readonly strangers = new Map<string, readonly Spot[]>();

  constructor(known: Following) {
    this.known = known;
  }

  in(folder: string): readonly Spot[] {
    const spots = this.all.get(folder) ?? listFiles(folder, this.known.births);
    this.all.set(folder, spots);
    return spots;
  }

  /** Files that hold no content we know. */
  unknownIn(folder: string): readonly Spot[] {
    const spots = this.strangers.get(folder) ?? this.in(folder).filter((spot) => !isKnown(spot, this.known));
    this.strangers.set(folder, spots);
    return spots;
  }
}

/** Files that rotation took away from a stream's path before they were seen there. */
export function missedAt(origin: string, known: Following, listings = new Listings(known)): Arrival[] {
  const base = basename(origin);
  const spots = listings
    .unknownIn(dirname(origin))
    .filter((spot) => isRotatedName(basename(spot.path), base) && !known.suspects.has(spot));
  const anchor = spots.length === 0 ? undefined : known.ledger.anchor(origin);
  if (anchor === undefined) return [];
  return cameAfter(anchor, spots, known.births).map((spot) => ({ ...spot, origin }));
}

/** True when the file is followed, or holds a content that all our outputs have begun with. */
export function isKnown(spot: Spot, known: Following): boolean {
  if (known.files.has(keyOf(spot.stamp))) return true;
  const row = rememberedAt(spot, known);
  return row !== undefined && known.context.lanes.every((lane) => row.cursors.has(lane.output));
}

/** The row for the file's inode, unless the inode has been used again. */
export function rememberedAt(spot: Spot, { ledger, births }: Following): Row | undefined {
  const { stamp } = spot;
  const row = ledger.find(stamp);
  if (row === undefined || births.differ(stamp, row) || stamp.size < row.head.length) return undefined;
  return isHolding(spot, row, births) ? row : undefined;
}

function isHolding(spot: Spot, row: Row, births: Births): boolean {
  let fd: number | undefined;
  try {
    fd = openSpot(spot);
    return fd !== undefined && holdsContent(row, fd, spot.stamp, births);
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Files matched now that nobody follows, each under the stream it was rotated from if that one is new as well. */
export function groupFresh(fresh: readonly Found[], known: Following): Arrival[] {
  const livePaths = [...fresh.map(({ paths }) => paths[0]!), ...known.streams.keys()];
  return fresh.map(({ paths, stamp }) => {
    const path = paths[0]!;
    const remembered = rememberedAt({ path, stamp }, known)?.origin;
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
export function locate(
  row: Pick<Row, "path" | "origin" | "dev" | "ino" | "birthNs">,
  births: Births,
  listings: Listings,
): Spot | undefined {
  for (const folder of new Set([dirname(row.path), dirname(row.origin)])) {
    const spot = listings
      .in(folder)
      .find(({ stamp }) => stamp.ino === row.ino && stamp.dev === row.dev && !births.differ(stamp, row));
    if (spot !== undefined) return spot;
  }
  return undefined;
}

/**
 * The file at the stream's own path first, so that a copy of it is recognised; then those that were rotated away from
 * it, oldest first. The stream puts them in the order in which they are read.
 */
export function inOrder(arrivals: readonly Arrival[]): Arrival[] {
  const isLive = ({ path, origin }: Arrival) => (path === origin ? 0 : 1);
  return [...arrivals].sort((a, b) => isLive(a) - isLive(b) || byAge(a, b));
}

/** Every file once. */
export function distinct(arrivals: readonly Arrival[]): Arrival[] {
  return [...new Map(arrivals.map((arrival) => [keyOf(arrival.stamp), arrival])).values()];
}
