/** Follows what one look found, while files are renamed under it. */
import { dirname } from "node:path";
import { type Arrival, Listings, locate } from "./arrivals.ts";
import type { FollowedFile } from "./followed-file.ts";
import type { Following } from "./following.ts";
import { followArrival, followMissed, isCopyOfFollowed, spotNow } from "./opening.ts";

/** How often files that are not where they were a moment ago are looked for: what is left waits for the next look. */
const mostSearches = 4;

/**
 * Known contents first: only then can be told which of the unknown files are copies of them. False when files were
 * renamed meanwhile: nothing unknown is taken from their folders in this look then.
 */
export function followAll(following: Following, arrivals: readonly Arrival[]): boolean {
  const { ledger, births } = following;
  const isKnown = ({ stamp }: Arrival) => {
    const row = ledger.find(stamp);
    return row !== undefined && !births.differ(stamp, row);
  };
  const [known, unknown] = [arrivals.filter(isKnown), arrivals.filter((arrival) => !isKnown(arrival))];
  const unsure = new Set(followKnown(following, known).flatMap(foldersOf));
  for (const arrival of unknown) {
    if (foldersOf(arrival).some((folder) => unsure.has(folder))) continue;
    if (isCopyOfFollowed(following, arrival)) continue;
    if (!followArrival(following, arrival)) unsure.add(dirname(arrival.path));
  }
  return unsure.size === 0;
}

function foldersOf({ path, origin }: Arrival): string[] {
  return [dirname(path), dirname(origin)];
}

/**
 * Files of known contents: told by their inodes, whatever else is renamed meanwhile, and found again where they are
 * now. Returns those that were not there either.
 */
function followKnown(following: Following, arrivals: readonly Arrival[]): readonly Arrival[] {
  let left = arrivals.filter((arrival) => !followArrival(following, arrival));
  for (let looks = 1; looks < mostSearches && left.length > 0; looks++) {
    const listings = new Listings(following);
    left = left.filter((arrival) => !followArrival(following, renamed(following, arrival, listings)));
  }
  return left;
}

function renamed({ births }: Following, arrival: Arrival, listings: Listings): Arrival {
  const { stamp, path, origin } = arrival;
  const { dev, ino, birthNs } = stamp;
  const spot = locate({ path, origin, dev, ino, birthNs }, births, listings);
  return spot === undefined ? arrival : { ...spot, origin };
}

/**
 * The files were empty when they were looked at last; what else they held since then is in copies beside them. All
 * are known by their first bytes before the first folder is listed: a copy that is made later says so by them.
 */
export function followBefore(following: Following, begun: readonly FollowedFile[]): void {
  const listings = new Listings(following);
  for (const file of begun) {
    if (!file.open) continue;
    const now = spotNow(following, file.row, file.stat(), listings);
    file.row.path = now.path;
    followMissed(following, file.row.origin, now, listings);
  }
}

/** False when a file was renamed or truncated while others than `before` were found beside it. */
export function isInPlace({ files, streams }: Following, before: ReadonlySet<FollowedFile>): boolean {
  const origins = new Set([...files.values()].filter((file) => !before.has(file)).map(({ row }) => row.origin));
  return ![...origins].some((origin) => streams.get(origin)?.hasMoved() === true);
}
