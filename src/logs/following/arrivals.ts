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
import { basesOf, byAge, cameAfter, isRotatedName, listFiles, openSpot, type Spot, spotAt } from "./siblings.ts";
import type { Found } from "./survey.ts";

export interface Arrival extends Spot {
  /** Path of the stream it belongs to. */
  readonly origin: string;
}

/** For more logs than this of one folder, the whole folder is looked at once; for fewer, only names that matter. */
const fewLogs = 4;

/** The folders that one look needs, each listed once. */
export class Listings {
  private readonly known: Following;
  private readonly all = new Map<string, readonly Spot[]>();
  /** By folder: how many logs were asked for, and what rotation took from each of all. */
  private readonly asked = new Map<string, number>();
  private readonly rotated = new Map<string, ReadonlyMap<string, readonly Spot[]>>();

  constructor(known: Following) {
    this.known = known;
  }

  in(folder: string): readonly Spot[] {
    const spots = this.all.get(folder) ?? listFiles(folder, this.known.births);
    this.all.set(folder, spots);
    return spots;
  }

  /** Files that hold no content we know, and are called as rotation would call one from this path. */
  unknownFrom(origin: string): readonly Spot[] {
    const [folder, base] = [dirname(origin), basename(origin)];
    const asked = (this.asked.get(folder) ?? 0) + 1;
    this.asked.set(folder, asked);
    const spots =
      asked <= fewLogs
        ? listFiles(folder, this.known.births, (name) => isRotatedName(name, base))
        : (this.rotatedIn(folder).get(base) ?? []);
    return spots.filter((spot) => !isKnown(spot, this.known));
  }

  /** By the name they were rotated from. */
  private rotatedIn(folder: string): ReadonlyMap<string, readonly Spot[]> {
    const rotated = this.rotated.get(folder) ?? byBase(this.in(folder));
    this.rotated.set(folder, rotated);
    return rotated;
  }
}

function byBase(spots: readonly Spot[]): Map<string, Spot[]> {
  const found = new Map<string, Spot[]>();
  for (const spot of spots) {
    const name = basename(spot.path);
    for (const base of basesOf(name)) {
      if (!isRotatedName(name, base)) continue;
      const others = found.get(base);
      if (others === undefined) found.set(base, [spot]);
      else others.push(spot);
    }
  }
  return found;
}

/** Files that rotation took away from a stream's path before they were seen there. */
export function missedAt(origin: string, known: Following, listings = new Listings(known)): Arrival[] {
  const spots = listings.unknownFrom(origin).filter((spot) => !known.suspects.has(spot));
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
  const freshPaths = new Set(fresh.map(({ paths }) => paths[0]!));
  const isLivePath = (path: string) => freshPaths.has(path) || known.streams.has(path);
  return fresh.map(({ paths, stamp }) => {
    const path = paths[0]!;
    const remembered = rememberedAt({ path, stamp }, known)?.origin;
    return { path, stamp, origin: remembered ?? baseOf(path, isLivePath) ?? path };
  });
}

/** The longest path that `path` is a rotated name of. */
function baseOf(path: string, isOther: (path: string) => boolean): string | undefined {
  const name = basename(path);
  const folder = path.slice(0, path.length - name.length);
  const base = basesOf(name).find((one) => isOther(folder + one) && isRotatedName(name, one));
  return base === undefined ? undefined : folder + base;
}

/** Where the file of a remembered row is now, when no pattern matches it any more. */
export function locate(
  row: Pick<Row, "path" | "origin" | "dev" | "ino" | "birthNs">,
  births: Births,
  listings: Listings,
): Spot | undefined {
  const isIt = ({ stamp }: Spot) => stamp.ino === row.ino && stamp.dev === row.dev && !births.differ(stamp, row);
  const before = spotAt(row.path, births);
  if (before !== undefined && isIt(before)) return before;
  for (const folder of new Set([dirname(row.path), dirname(row.origin)])) {
    const spot = listings.in(folder).find(isIt);
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
