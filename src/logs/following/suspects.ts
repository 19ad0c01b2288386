/**
 * New files that may be copies of a file we follow: `cp app.log app.log.1`, which comes before the truncation when a
 * log is rotated by copytruncate. Read as new, a copy would repeat every line.
 *
 * A suspect is called like the original with something added, appeared while the original stayed in place, and begins
 * with the same bytes. It is held back, and let go as soon as it differs, outgrows the original, or the original is
 * truncated or renamed; then the search for the original's content decides. A copy that just stays is not read while
 * it is, byte for byte, what we read already. Nothing is lost by that: the moment it says something else it is read
 * from its beginning.
 */
import { closeSync } from "node:fs";
import { basename } from "node:path";
import type { FollowedFile } from "./followed-file.ts";
import { type Births, headBytes, keyOf, readAt, readTail, sameBeginning } from "./identity.ts";
import { basesOf, openSpot, type Spot } from "./siblings.ts";
import type { Stream } from "./stream.ts";

export class Suspects {
  private readonly births: Births;
  /** By device and inode: its size when it was last found to be a copy. */
  private readonly copies = new Map<string, number>();

  constructor(births: Births) {
    this.births = births;
  }

  /** True when this new file should not be read yet, because it is so far a copy of `original`. */
  holds(spot: Spot, original: FollowedFile): boolean {
    if (this.isCopy(spot, original)) {
      this.copies.set(keyOf(spot.stamp), spot.stamp.size);
      return true;
    }
    this.copies.delete(keyOf(spot.stamp));
    // Truncated while it was compared: whose content the other one is will be asked as soon as that is noticed.
    return original.isReplacedNow();
  }

  /** True when the file is held back, and as it was then. */
  has({ stamp }: Spot): boolean {
    return this.copies.get(keyOf(stamp)) === stamp.size;
  }

  /** Forgets those that are gone. */
  keepOnly(keys: ReadonlyMap<string, unknown>): void {
    for (const key of this.copies.keys()) if (!keys.has(key)) this.copies.delete(key);
  }

  /** The file this one would be a copy of. */
  originalOf({ path, stamp }: Spot, streams: ReadonlyMap<string, Stream>): FollowedFile | undefined {
    const name = basename(path);
    const folder = path.slice(0, path.length - name.length);
    for (const base of basesOf(name)) {
      const file = streams.get(folder + base)?.live;
      if (file !== undefined && !this.births.before(stamp, file.row)) return file;
    }
    return undefined;
  }

  private isCopy(spot: Spot, original: FollowedFile): boolean {
    if (this.has(spot)) return true;
    // An empty one has nothing to be read yet; it may be a copy that has only begun.
    if (spot.stamp.size === 0) return true;
    // The original may have grown between the two looks.
    if (spot.stamp.size > original.knownSize && spot.stamp.size > original.stat().size) return false;
    return hasSameBytes(spot, original.fd);
  }
}

const pieceBytes = 64 * 1024;
/** Of a large file only so many pieces are compared, spread evenly: this must not hold up the thread. */
const mostPieces = 16;

/** Compares ends first, then what is between them. */
function hasSameBytes(spot: Spot, original: number): boolean {
  let copy: number | undefined;
  try {
    copy = openSpot(spot);
    if (copy === undefined) return false;
    const { size } = spot.stamp;
    if (!sameBeginning(readAt(original, 0, headBytes), readAt(copy, 0, Math.min(size, headBytes)))) return false;
    if (Buffer.compare(readTail(original, size), readTail(copy, size)) !== 0) return false;
    return sameThroughout(original, copy, size);
  } catch {
    return false;
  } finally {
    if (copy !== undefined) closeSync(copy);
  }
}

function sameThroughout(one: number, other: number, size: number): boolean {
  const step = Math.max(pieceBytes, Math.ceil(size / mostPieces));
  for (let at = 0; at < size; at += step) {
    const length = Math.min(pieceBytes, size - at);
    if (Buffer.compare(readAt(one, at, length), readAt(other, at, length)) !== 0) return false;
  }
  return true;
}
