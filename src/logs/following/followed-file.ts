/**
 * One open file: reads what is new, in whole lines, for every output that has room.
 *
 *   offset      read - 64        read                                      end of file
 *   file        | tail           | line \n line \n line \n | unfinished line |
 *   one read      compared         becomes a block           stays unread
 *
 * The 64 bytes before the position are read again with every read and compared: that one comparison, without a system
 * call of its own, tells a file that was truncated and has grown past the position from one that was appended to.
 * An unfinished line is not kept in memory; it is read again when it has grown.
 */
import { closeSync, fstatSync } from "node:fs";
import type { Lane, LogFields } from "../../contracts.ts";
import { ContentCheck } from "./content-check.ts";
import type { Cursor } from "./cursor.ts";
import { detect, type Encoding, utf8 } from "./encoding.ts";
import type { FileBlock } from "./file-block.ts";
import { learnHead } from "./head.ts";
import { headBytes, keyOf, readAt, type Stamp, stampOf } from "./identity.ts";
import { lastStampOf, type Row } from "./ledger.ts";
import type { FollowedFileParts, LineSource } from "./line-source.ts";
import { isLastLine, searchLongLine, takeRemainder } from "./long-line.ts";
import { Pace } from "./pace.ts";
import { takeWholeLines } from "./whole-lines.ts";

/** `live`: at the path it is known by. `rotated`: renamed, or the copy a truncation left. `deleted`: without a name. */
export type FileStatus = "live" | "rotated" | "deleted";

/**
 * What a turn came to: nothing new; more to read now; outputs are full; the content is another one; it cannot be read;
 * the first bytes of a file that was empty are there, and nothing of them is read yet.
 */
export type TurnResult = "end" | "more" | "full" | "replaced" | "failed" | "begun";
/** Why one read brought no bytes. */
export type NoBytes = Exclude<TurnResult, "more" | "failed">;

/** One output's way through this file. */
export interface Reader {
  readonly lane: Lane;
  readonly cursor: Cursor;
}

const turnBytes = 1024 * 1024;
const nothing = new Uint8Array();

export class FollowedFile implements LineSource {
  readonly row: Row;
  readonly fd: number;
  /** Of the open file; the row's may move on to another file that holds the same content. */
  readonly key: string;
  readonly readers: readonly Reader[];
  readonly parts: FollowedFileParts;
  status: FileStatus = "live";
  /** The file before it at the same path: it is read to its end first. */
  previous: FollowedFile | undefined;
  /** When it was written last, when it was first found away from its path. */
  leftMs: number | undefined;
  readonly pace: Pace;
  /** Error code of the last read, when it failed. */
  trouble: string | undefined;
  open = true;
  /** True when its last line has no newline and may get one yet, but the next file should not wait for that. */
  yields = false;
  /** True while outputs are full: there is something to read, but nobody to take it. */
  blocked = false;
  /** True while nothing can be found any more that comes before it: a look was brought to its end since it has a line. */
  isSettled = false;
  /** Whether it is still the content it was. */
  readonly content: ContentCheck;
  private size: number;
  /** Its size where it was found shorter than it was: less may be left to read, of the same content or of another. */
  private shrunkTo: number | undefined;
  /** True when it was found as empty as before, but written to meanwhile. */
  private isRewritten = false;
  /** Monotonic time of the last turn. */
  private turnedAt: number;
  private hasGrown = false;
  private detected: Encoding | undefined;

  constructor(row: Row, fd: number, readers: readonly Reader[], parts: FollowedFileParts, now: number) {
    this.row = row;
    this.fd = fd;
    this.key = keyOf(row);
    this.content = new ContentCheck(row, fd);
    this.readers = readers;
    this.parts = parts;
    this.size = row.size;
    this.pace = new Pace(now);
    this.detected = parts.encoding;
    this.turnedAt = now;
  }

  /** What its bytes mean. While there are too few of them to tell, UTF-8: they are no line yet. */
  get encoding(): Encoding {
    this.detected ??= detect(this.row.headBytes ?? new Uint8Array());
    return this.detected ?? utf8;
  }

  get id(): string {
    return this.row.id;
  }

  get input(): string {
    return this.parts.input;
  }

  get path(): string {
    return this.parts.shownAs ?? this.row.path;
  }

  get fields(): LogFields {
    return this.parts.fields;
  }

  /** Size as far as it is known without asking. */
  get knownSize(): number {
    return this.size;
  }

  /** Reads up to the quota of one turn and offers it. */
  turn(now: number): TurnResult {
    this.turnedAt = now;
    let left = turnBytes;
    let result: TurnResult = "more";
    this.hasGrown = false;
    try {
      while (left > 0) {
        const step = this.step();
        if (typeof step === "string") {
          result = step;
          break;
        }
        left -= step;
      }
      this.trouble = undefined;
    } catch (error) {
      this.trouble = (error as NodeJS.ErrnoException).code ?? String(error);
      result = "failed";
    }
    if (result === "begun") this.isSettled = false; // it may have held more, that is now in a copy
    this.plan(now, result, this.hasGrown || left < turnBytes);
    return result;
  }

  /** True when the bytes that were read, or the beginning where none were, are no longer there. */
  isReplaced(): boolean {
    const { cursor } = this.readers.reduce((a, b) => (b.cursor.read > a.cursor.read ? b : a));
    const size = this.shrunkTo ?? this.size;
    const isOther = this.asked(() => this.content.isOther(size, cursor), false);
    if (!isOther) this.size = this.row.size = size;
    this.shrunkTo = undefined;
    return isOther;
  }

  /** The same, whatever the last look at it said. */
  isReplacedNow(): boolean {
    this.stat();
    return this.isReplaced();
  }

  /** True, once, when the file was empty so far and is not any more. From then on it is known by its beginning. */
  begins(): boolean {
    if (this.row.headBytes?.length !== 0 || this.size === 0) return false;
    const head = this.asked(() => readAt(this.fd, 0, headBytes), nothing);
    learnHead(this.row, 0, head);
    this.isSettled &&= this.row.headBytes.length === 0;
    return this.row.headBytes.length > 0;
  }

  /** All that may come before it is followed. */
  settle(): void {
    this.isSettled = true;
    this.row.isNew = false;
  }

  /** Takes over what a look at its path said. True when it is as empty as before, but was written to meanwhile. */
  seen(path: string, stamp: Stamp): boolean {
    this.row.path = path;
    this.noteTime(stamp);
    if (stamp.size !== this.size) this.pace.nextLookAt = 0;
    this.noteSize(stamp.size);
    this.shrunkTo = stamp.size < this.size ? stamp.size : undefined;
    const { isRewritten } = this;
    this.isRewritten = false;
    return isRewritten;
  }

  /** Asks the file itself for its size and number of names; where it does not answer, what is known of it. */
  stat(): Stamp {
    const stamp = this.asked(() => stampOf(fstatSync(this.fd, { bigint: true })), lastStampOf(this.row));
    this.noteTime(stamp);
    if (stamp.size !== this.size) this.pace.nextLookAt = 0;
    this.size = stamp.size;
    this.row.size = stamp.size;
    return stamp;
  }

  /** True when nothing more is expected: what has no newline at its end will not get one. */
  get isFinal(): boolean {
    return this.status === "deleted" || (this.status === "rotated" && !this.row.isGuessed);
  }

  /** True when every output was offered all there is, an unfinished last line too. */
  get exhausted(): boolean {
    return this.readers.every(({ cursor }) => cursor.read >= this.size);
  }

  get settled(): boolean {
    return this.readers.every(({ cursor }) => cursor.acknowledged >= cursor.read);
  }

  /** Bytes not offered to the output that is furthest behind; an unfinished line that was shown counts as offered. */
  get unread(): number {
    return Math.max(0, ...this.readers.map(({ cursor }) => this.size - Math.max(cursor.read, cursor.shownTo)));
  }

  /** The same for one output; what is shown counts as offered. */
  unreadFor(output: string): number {
    const reader = this.readers.find(({ lane }) => lane.output === output);
    return reader === undefined ? 0 : Math.max(0, this.size - Math.max(reader.cursor.read, reader.cursor.shownTo));
  }

  /**
   * Offers the unfinished last line, a newline added, to outputs that have room. For good when nothing can be appended
   * to it any more; as a mere show when the collector stops, see `Cursor.shownTo`.
   */
  offerLastLine(forGood: boolean): void {
    for (const reader of this.readers) {
      const { cursor, lane } = reader;
      const isDue = lane.room > 0 && this.isTurnOf(lane.output) && this.asked(() => isLastLine(this, cursor), false);
      if (isDue) this.offerRest(reader, forGood);
    }
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.fd);
  }

  /** Gives the descriptor to the caller instead of closing it. */
  surrender(): number {
    this.open = false;
    return this.fd;
  }

  /**
   * The answer to a question about the file; `otherwise` where it cannot be read. That must not end a look at all the
   * others: the next turn of the file fails as well, and says so.
   */
  private asked<T>(question: () => T, otherwise: T): T {
    try {
      return question();
    } catch {
      this.pace.nextLookAt = 0;
      return otherwise;
    }
  }

  /** Reads once. Returns the bytes it was about, or why there were none. */
  private step(): number | NoBytes {
    const group = this.group();
    if (group === undefined) return this.readers.some(({ lane }) => lane.room <= 0) ? "full" : "end";
    const { cursor } = group[0]!;
    const taken = cursor.scanned > cursor.read ? searchLongLine(this, cursor) : takeWholeLines(this, cursor);
    if (typeof taken !== "object") return taken;
    learnHead(this.row, cursor.read, taken.block.raw);
    const length = taken.block.end - cursor.read;
    for (const reader of group) reader.cursor.advance(taken.block.end, taken.tail);
    this.offer(taken.block, group);
    return length;
  }

  /** The outputs to read for next: those that are furthest behind of those that may have something. */
  private group(): Reader[] | undefined {
    const ready = this.readers.filter(({ lane }) => lane.room > 0 && this.isTurnOf(lane.output));
    if (ready.length <= 1) return ready.length === 1 ? ready : undefined;
    const least = Math.min(...ready.map(({ cursor }) => cursor.read));
    return ready.filter(({ cursor }) => cursor.read === least);
  }

  /** The files before this one come first, for each output by itself. */
  private isTurnOf(output: string): boolean {
    // One that is over stands for nothing; but those before it may not be over for every output.
    while (this.previous !== undefined && (!this.previous.open || this.previous.exhausted)) {
      this.previous = this.previous.previous;
    }
    return this.previous?.isDoneFor(output) ?? true;
  }

  private isDoneFor(output: string): boolean {
    const reader = this.readers.find(({ lane }) => lane.output === output);
    return (reader === undefined || this.trouble !== undefined || this.isReadBy(reader)) && this.isTurnOf(output);
  }

  private isReadBy({ cursor }: Reader): boolean {
    return cursor.read >= this.size || (this.yields && isLastLine(this, cursor));
  }

  private offerRest(reader: Reader, forGood: boolean): void {
    const { cursor } = reader;
    const isShown = cursor.shownTo >= this.size;
    const taken = takeRemainder(this, cursor, this.size, forGood);
    if (taken === undefined) return;
    const { block, tail } = taken;
    if (!isShown) this.offer(block, [reader]);
    if (!forGood) cursor.shownTo = this.size;
    else if (isShown) cursor.startAt(this.size, tail);
    else cursor.advance(this.size, tail);
  }

  private offer(block: FileBlock, group: readonly Reader[]): void {
    this.parts.counters.read(block);
    block.offeredTo(group.length);
    for (const { lane, cursor } of group) {
      cursor.times.note(block.start, this.turnedAt);
      lane.offer(block);
    }
  }

  private noteTime({ size, mtimeMs }: Stamp): void {
    if (size === 0 && this.size === 0 && mtimeMs !== this.row.mtimeMs) this.isRewritten = true;
    this.row.mtimeMs = mtimeMs;
  }

  /** The file is at least this long. */
  noteSize(size: number): void {
    if (size <= this.size) return;
    this.size = size;
    this.row.size = size;
    this.hasGrown = true;
  }

  private plan(now: number, result: TurnResult, grew: boolean): void {
    if (grew) {
      this.pace.grewAt = now;
      this.yields = false;
    }
    this.blocked = result === "full";
    if (result === "end") this.content.readToEnd();
    if (grew || (result !== "end" && result !== "failed")) this.pace.hurry();
    // One that waits for the file before it is not quiet.
    else this.pace.wait(now, this.previous === undefined);
  }
}
