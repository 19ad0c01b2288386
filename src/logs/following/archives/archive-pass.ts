/**
 * One output's way through one archive: unpacked from its beginning, what the output has is passed over, and the rest
 * goes on in whole lines. Each output has a pass of its own, so that none waits for another.
 */
import type { Lane, LogFields } from "../../../contracts.ts";
import { detect, type Encoding, utf8 } from "../encoding.ts";
import { type Content, contentOf, FileBlock } from "../file-block.ts";
import { printOf, tailBytes } from "../identity.ts";
import type { FollowedFileParts, LineSource } from "../line-source.ts";
import { cut, ended, tooLongFrom } from "../long-line.ts";
import type { Archive, ArchiveProgress } from "./archive-book.ts";
import type { Unpacking } from "./unpacking.ts";

const turnBytes = 1024 * 1024;
const nothing = Buffer.alloc(0);

export class ArchiveSource implements LineSource {
  readonly archive: Archive;
  readonly parts: FollowedFileParts;
  encoding: Encoding = utf8;

  constructor(archive: Archive, parts: FollowedFileParts) {
    this.archive = archive;
    this.parts = parts;
  }

  get id(): string {
    return this.archive.id;
  }

  get input(): string {
    return this.parts.input;
  }

  get path(): string {
    return this.archive.path;
  }

  get fields(): LogFields {
    return this.parts.fields;
  }
}

export class ArchivePass {
  readonly source: ArchiveSource;
  readonly lane: Lane;
  readonly unpacking: Unpacking;
  private readonly progress: ArchiveProgress;
  /** Offset in the content of the line that is not finished. */
  private start = 0;
  /** That line so far, as much of it as may go out, and how many bytes of it were left out. */
  private line: Buffer[] = [];
  private kept = 0;
  private dropped = 0;
  /** Half a character at the end of the last piece. */
  private odd: Buffer = nothing;
  private isBegun = false;

  constructor(source: ArchiveSource, lane: Lane, progress: ArchiveProgress, unpacking: Unpacking) {
    this.source = source;
    this.lane = lane;
    this.progress = progress;
    this.unpacking = unpacking;
    this.progress.cursor.read = this.progress.cursor.acknowledged;
  }

  /** `more` at once, when something was unpacked, when the output has room; or nothing any more. */
  turn(): "more" | "wait" | "full" | "over" {
    for (let left = turnBytes; left > 0; ) {
      if (this.lane.room <= 0) return "full";
      const chunk = this.unpacking.take();
      if (chunk === undefined) return this.unpacking.isOver ? this.finish() : "wait";
      left -= chunk.length;
      this.take(this.unpassed(this.whole(chunk)));
    }
    return "more";
  }

  /** The last line may have no newline. */
  private finish(): "over" {
    const { cursor } = this.progress;
    const end = this.start + this.kept + this.dropped;
    if (this.unpacking.trouble === undefined && end > this.start && end > cursor.shownTo) {
      const raw = Buffer.concat(this.line);
      const length = end - this.start;
      this.offer(
        length > this.source.parts.maxLine ? cut(this.source, raw, length) : ended(contentOf(this.source, raw)),
        length,
      );
    }
    this.progress.isRead = true;
    return "over";
  }

  /** The piece with what was left of the one before, in whole characters' distance; its mark left out. */
  private whole(chunk: Buffer): Buffer {
    if (!this.isBegun) {
      this.isBegun = true;
      this.source.encoding = this.source.parts.encoding ?? detect(chunk) ?? utf8;
      const mark = this.source.encoding.markLength(chunk);
      if (mark > 0) return this.whole(this.withoutMark(chunk, mark));
    }
    const bytes = this.odd.length === 0 ? chunk : Buffer.concat([this.odd, chunk]);
    const end = bytes.length - (bytes.length % this.source.encoding.unit);
    this.odd = bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  private withoutMark(chunk: Buffer, mark: number): Buffer {
    const { cursor } = this.progress;
    this.start = mark;
    if (cursor.read < mark) {
      this.source.parts.counters.skipped("mark", mark);
      cursor.startAt(mark, chunk.subarray(0, mark));
    }
    return chunk.subarray(mark);
  }

  /** What of these bytes the output does not have yet. Its position is where a line begins. */
  private unpassed(bytes: Buffer): Buffer {
    const passed = Math.max(0, Math.min(bytes.length, this.progress.cursor.read - this.start));
    if (this.kept > 0 || passed === 0) return bytes;
    this.start += passed;
    return bytes.subarray(passed);
  }

  private take(bytes: Buffer): void {
    const { encoding } = this.source;
    let rest = bytes;
    if (this.kept > 0) {
      const first = encoding.firstLine(rest);
      this.keep(rest.subarray(0, first === 0 ? rest.length : first));
      if (first === 0) return;
      this.endLine();
      rest = rest.subarray(first);
    }
    for (let whole = encoding.wholeLines(rest, 0, rest.length); whole > 0; ) {
      const fits = tooLongFrom(this.source, rest, 0, whole);
      const length = fits > 0 ? fits : encoding.firstLine(rest);
      if (fits > 0) this.offer(contentOf(this.source, new Uint8Array(rest.subarray(0, fits))), fits);
      else {
        this.keep(rest.subarray(0, length));
        this.endLine();
      }
      rest = rest.subarray(length);
      whole -= length;
    }
    this.keep(rest);
  }

  private keep(bytes: Buffer): void {
    const { encoding, parts } = this.source;
    const more = Math.min(bytes.length, parts.maxLine + encoding.unit - this.kept);
    if (more > 0) this.line.push(Buffer.from(bytes.subarray(0, more)));
    this.kept += more;
    this.dropped += bytes.length - more;
  }

  /** The line that was kept has its newline. */
  private endLine(): void {
    const raw = Buffer.concat(this.line);
    const length = this.kept + this.dropped;
    const isLong = this.dropped > 0;
    this.offer(
      isLong ? cut(this.source, raw, length - this.source.encoding.unit) : contentOf(this.source, raw),
      length,
    );
  }

  /** Offers a block that stands for so many bytes of the content. */
  private offer(content: Content, length: number): void {
    const end = this.start + length;
    const tail = content.raw.subarray(Math.max(0, content.raw.length - tailBytes));
    const block = new FileBlock(this.source, content, { start: this.start, end, tail: printOf(tail) });
    this.progress.cursor.advance(end, tail);
    this.start = end;
    this.line = [];
    this.kept = 0;
    this.dropped = 0;
    this.source.parts.counters.read(block);
    block.offeredTo(1);
    this.lane.offer(block);
  }
}
