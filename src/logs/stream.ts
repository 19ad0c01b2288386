/**
 * The files that were at one path one after the other, oldest first. Each is read to its end before the next begins,
 * so that lines come out in the order in which they were written.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { FollowedFile } from "./followed-file.ts";
import { keyOf } from "./identity.ts";
import type { Row } from "./ledger.ts";

/** A folder that changed this shortly before it was listed may have changed again without a new time. */
const clockTickMs = 50;

export class Stream {
  readonly path: string;
  /** The last content at the path that we know. */
  private last: Row;
  private newest: FollowedFile | undefined;
  private folderChangedMs = Number.NaN;

  constructor(path: string, last: Row) {
    this.path = path;
    this.last = last;
  }

  get file(): FollowedFile | undefined {
    return this.newest?.open ? this.newest : undefined;
  }

  /** True when the file at the path is not the last one we know. */
  isLeft(keyAtPath: string | undefined): boolean {
    return keyAtPath !== (this.newest?.key ?? keyOf(this.last));
  }

  /** A file that came after all others. */
  append(file: FollowedFile): void {
    if (this.newest !== file && this.newest?.open) file.previous = this.newest;
    this.newest = file;
    this.last = file.row;
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
