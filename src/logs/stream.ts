/**
 * The files that were at one path one after the other, oldest first. Each is read to its end before the next begins,
 * so that lines come out in the order in which they were written.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { FollowedFile } from "./followed-file.ts";
import { byAge, type Spot } from "./siblings.ts";

/** A folder that changed this shortly before it was listed may have changed again without a new time. */
const clockTickMs = 50;

export class Stream {
  readonly path: string;
  /** Oldest first; one at the path comes after all that were rotated away from it. */
  private files: FollowedFile[] = [];
  /** The file that was at the path when it was last looked at. */
  private keyAtPath = "";
  private folderChangedMs = Number.NaN;

  constructor(path: string) {
    this.path = path;
  }

  /** True when another file than before is at the path, or none: files may have come and gone meanwhile. */
  isLeft(keyAtPath: string | undefined): boolean {
    return keyAtPath !== this.keyAtPath;
  }

  /** Takes in a file at the place its age gives it. */
  add(file: FollowedFile): void {
    if (file.status === "live") this.keyAtPath = file.key;
    const others = this.files.filter((other) => other.open && other !== file);
    const place = others.findIndex((other) => isOlder(file, other));
    this.files = others.toSpliced(place < 0 ? others.length : place, 0, file);
    for (const [at, one] of this.files.entries()) one.previous = this.files[at - 1];
  }

  /** The file that came after this one. */
  successor(file: FollowedFile): FollowedFile | undefined {
    const open = this.files.filter((other) => other.open);
    return open[open.indexOf(file) + 1];
  }

  /** What was found has changed while it was looked at: the next look must not rely on it. */
  lookAgain(): void {
    this.folderChangedMs = Number.NaN;
  }

  /** True when the folder may hold files that were not there at the last call. */
  folderChanged(wallMs: number): boolean {
    const changedMs = statSync(dirname(this.path), { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;
    if (changedMs === this.folderChangedMs) return false;
    this.folderChangedMs = wallMs - changedMs > clockTickMs ? changedMs : Number.NaN;
    return !Number.isNaN(changedMs);
  }
}

function isOlder(one: FollowedFile, other: FollowedFile): boolean {
  const [isRotated, isOtherRotated] = [one.status !== "live", other.status !== "live"];
  if (isRotated !== isOtherRotated) return isRotated;
  return byAge(spotOf(one), spotOf(other)) < 0;
}

/** A writer that has not noticed the rotation must not make the file look younger. */
function spotOf({ row, leftMs }: FollowedFile): Spot {
  const { path, dev, ino, birthNs, size } = row;
  return { path, stamp: { dev, ino, birthNs, size, links: 1, mtimeMs: leftMs ?? row.mtimeMs } };
}
