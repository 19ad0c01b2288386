/**
 * The files that were at one path one after the other, oldest first. Each is read to its end before the next begins,
 * so that lines come out in the order in which they were written.
 */
import { type BigIntStats, statSync } from "node:fs";
import { dirname } from "node:path";
import type { FollowedFile } from "./followed-file.ts";
import { keyOf } from "./identity.ts";
import { lastStampOf } from "./ledger.ts";
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
  /** True when a look could not be brought to its end: where its files are has to be found out again. */
  isOwed = false;

  constructor(path: string) {
    this.path = path;
  }

  /** True when another file than before is at the path, or none: files may have come and gone meanwhile. */
  isLeft(keyAtPath: string | undefined): boolean {
    return this.isOwed || keyAtPath !== this.keyAtPath;
  }

  /** Takes in a file at the place its age gives it. */
  add(file: FollowedFile): void {
    if (file.status === "live") this.keyAtPath = file.key;
    const others = this.files.filter((other) => other.open && other !== file);
    const place = others.findIndex((other) => isOlder(file, other));
    this.line(others.toSpliced(place < 0 ? others.length : place, 0, file));
  }

  /** Puts the files in order anew, by what is known of them now. */
  sort(): void {
    this.line(this.files.filter((file) => file.open).sort((a, b) => (isOlder(a, b) ? -1 : 1)));
  }

  private line(files: FollowedFile[]): void {
    this.files = files;
    for (const [at, one] of files.entries()) one.previous = files[at - 1];
  }

  /** The file at the path; undefined when none is followed there. */
  get live(): FollowedFile | undefined {
    return this.files.findLast((file) => file.open && file.status === "live");
  }

  /** The file that came after this one. */
  successor(file: FollowedFile): FollowedFile | undefined {
    const open = this.files.filter((other) => other.open);
    return open[open.indexOf(file) + 1];
  }

  /** What was found has changed while it was looked at: the next look must not rely on it. */
  lookAgain(): void {
    this.folderChangedMs = Number.NaN;
    this.isOwed = true;
  }

  /** The look was brought to its end. */
  settle(): void {
    this.isOwed = false;
  }

  /** True when a file is no longer where we know it, or the live one not with the content we know. */
  hasMoved(): boolean {
    return this.files.some((file) => file.open && file.status !== "deleted" && isElsewhere(file));
  }

  /** True when the folder may hold files that were not there at the last call. */
  folderChanged(wallMs: number): boolean {
    const changedMs = changedMsOf(dirname(this.path));
    if (changedMs === this.folderChangedMs) return false;
    this.folderChangedMs = wallMs - changedMs > clockTickMs ? changedMs : Number.NaN;
    return !Number.isNaN(changedMs);
  }
}

/** NaN where there is none, or where it cannot be asked. */
function changedMsOf(folder: string): number {
  try {
    return statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;
  } catch {
    return Number.NaN;
  }
}

function isElsewhere(file: FollowedFile): boolean {
  const stats = statOf(file.path);
  if (stats === "unknown") return false;
  return stats === undefined || keyOf(stats) !== file.key || (file.status === "live" && file.isReplacedNow());
}

/** `unknown` where a path cannot be asked: that a file was moved is not known of it either. */
function statOf(path: string): BigIntStats | "unknown" | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return "unknown";
  }
}

function isOlder(one: FollowedFile, other: FollowedFile): boolean {
  const [isRotated, isOtherRotated] = [one.status !== "live", other.status !== "live"];
  if (isRotated !== isOtherRotated) return isRotated;
  return byAge(spotOf(one), spotOf(other)) < 0;
}

/** A writer that has not noticed the rotation must not make the file look younger. */
function spotOf({ row, leftMs }: FollowedFile): Spot {
  return { path: row.path, stamp: { ...lastStampOf(row), mtimeMs: leftMs ?? row.mtimeMs } };
}
