/**
 * What was read from a pipe, in files, until every output has it. A log like any other to those who read it:
 *
 *   spool.log-00000007   spool.log-00000008   spool.log
 *   full, kept until acknowledged             grows; renamed, at the end of a line, when it is an eighth of the spool
 *
 * Written with every read of the pipe and not synced: a killed process loses nothing of it, a machine that fails may.
 */
import { closeSync, fstatSync, openSync, readdirSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { readAt, type Stamp, stampOf } from "../identity.ts";

/** The option's bounds in `log-inputs/pipe` rely on it: a line fits one of so many files. */
const segmentsOfSpool = 8;
const current = "spool.log";
const next = "spool.next";
const full = /^spool\.log-(\d{8,})$/;
const newline = 10;
const searchBytes = 64 * 1024;

/** A file that is full. */
export interface Segment {
  readonly path: string;
  readonly stamp: Stamp;
}

export class Spool {
  /** The file that grows. */
  readonly path: string;
  private readonly folder: string;
  private readonly limitBytes: number;
  private segments: Segment[];
  private number: number;
  private fd: number;
  private size: number;
  private isAtLineEnd: boolean;
  /** What could not be written yet. */
  private waiting: Uint8Array = new Uint8Array();

  /** Goes on with what is in the folder. Throws where that cannot be done. */
  constructor(folder: string, limitBytes: number) {
    this.folder = folder;
    this.limitBytes = limitBytes;
    this.path = Spool.pathIn(folder);
    const names = readdirSync(folder).filter((name) => full.test(name));
    this.segments = names.sort().map((name) => segmentAt(join(folder, name)));
    this.number = Math.max(0, ...names.map((name) => Number(full.exec(name)![1])));
    this.fd = openSync(this.path, "a+", 0o600);
    this.size = fstatSync(this.fd).size;
    this.isAtLineEnd = this.size === 0 || readAt(this.fd, this.size - 1, 1)[0] === newline;
  }

  /** Where the file that grows is; others of the spool begin with the same. */
  static pathIn(folder: string): string {
    return join(folder, current);
  }

  /** All that is kept. */
  get bytes(): number {
    return this.segments.reduce((sum, { stamp }) => sum + stamp.size, this.size + this.waiting.length);
  }

  /** Bytes that may be appended; 0 while something waits to be written. */
  get room(): number {
    return this.waiting.length > 0 ? 0 : Math.max(0, this.limitBytes - this.bytes);
  }

  /** Length of the last line, where no newline ends it. */
  get unfinished(): number {
    for (let end = this.size; end > 0; end -= searchBytes) {
      const start = Math.max(0, end - searchBytes);
      const found = readAt(this.fd, start, end - start).lastIndexOf(newline);
      if (found >= 0) return this.size - (start + found + 1);
    }
    return this.size;
  }

  /** Appends; true when a file became full with it. Throws when that is not possible now: `flush` tries again. */
  append(bytes: Uint8Array): boolean {
    this.waiting = this.waiting.length === 0 ? bytes : Buffer.concat([this.waiting, bytes]);
    return this.flush();
  }

  /** Writes what waits. Its memory is the caller's until that is done. */
  flush(): boolean {
    let hasRolled = false;
    while (this.waiting.length > 0) {
      const { length, rolls } = this.piece();
      if (length > 0 && this.write(length) < length) continue;
      if (rolls) this.roll();
      hasRolled ||= rolls;
    }
    return hasRolled;
  }

  /** Deletes the full files of which that is said. */
  prune(isDone: (segment: Segment) => boolean): void {
    this.segments = this.segments.filter((segment) => {
      const done = isDone(segment);
      if (done) unlinkSync(segment.path);
      return !done;
    });
  }

  /** True when the file of this device and inode is one of ours. */
  has({ dev, ino }: Pick<Stamp, "dev" | "ino">): boolean {
    const own = fstatSync(this.fd, { bigint: true });
    return [own, ...this.segments.map(({ stamp }) => stamp)].some((one) => one.dev === dev && one.ino === ino);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** How much of what waits goes into the file that grows, and whether that one is full then. */
  private piece(): { length: number; rolls: boolean } {
    const { length } = this.waiting;
    if (this.size + length <= this.limitBytes / segmentsOfSpool) return { length, rolls: false };
    const end = this.waiting.lastIndexOf(newline) + 1;
    if (end > 0) return { length: end, rolls: true };
    // In the middle of a line there is no place for a new file.
    return this.isAtLineEnd && this.size > 0 ? { length: 0, rolls: true } : { length, rolls: false };
  }

  private write(length: number): number {
    const written = writeSync(this.fd, this.waiting, 0, length);
    if (written > 0) this.isAtLineEnd = this.waiting[written - 1] === newline;
    this.size += written;
    this.waiting = this.waiting.subarray(written);
    return written;
  }

  private roll(): void {
    const fresh = openSync(join(this.folder, next), "a+", 0o600);
    const path = `${this.path}-${String(++this.number).padStart(8, "0")}`;
    renameSync(this.path, path);
    renameSync(join(this.folder, next), this.path);
    closeSync(this.fd);
    this.segments.push(segmentAt(path));
    this.fd = fresh;
    this.size = 0;
    this.isAtLineEnd = true;
  }
}

function segmentAt(path: string): Segment {
  return { path, stamp: stampOf(statSync(path, { bigint: true })) };
}
