/**
 * Rotated files that were compressed. What a file held that was compressed and deleted before it was read is in its
 * archive, and only there:
 *
 *   found -> quiet -> recognised: which known contents does it hold? -> judged -> passes, one for each output
 *
 *   a content whose file is still there      it is read from that file
 *   one whose file is gone, not all read     the rest of it is read from the archive
 *   one that was read to its end             nothing is left to do
 *   none, and a pattern matches the archive  read whole
 */
import { closeSync } from "node:fs";
import { dirname } from "node:path";
import type { Acknowledged, LogSourceState } from "../../../contracts.ts";
import { Cursor } from "../cursor.ts";
import { FileMark } from "../file-block.ts";
import type { Following } from "../following.ts";
import { headBytes, keyOf, printOf, readAt } from "../identity.ts";
import type { Row } from "../ledger.ts";
import { newId } from "../opening.ts";
import { listFiles, openToRead, spotAt } from "../siblings.ts";
import type { Found } from "../survey.ts";
import { type Archive, ArchiveBook } from "./archive-book.ts";
import { ArchivePass, ArchiveSource } from "./archive-pass.ts";
import { type Candidate, Candidates } from "./candidates.ts";
import { lookInto } from "./compressed-files.ts";
import { readableCompressions } from "./compression.ts";
import { Recognition } from "./recognition.ts";
import { Unpacking } from "./unpacking.ts";

/** Pause while the runtime's threads unpack. */
const unpackingMs = 2;
const looksPerPruning = 60;

export class Archives {
  private readonly following: Following;
  private readonly book: ArchiveBook;
  private readonly candidates = new Candidates();
  /** Contents that are nowhere else, and what is to be done when no archive has them either. */
  private readonly sought = new Map<Row, () => void>();
  /** By output. */
  private readonly passes = new Map<string, ArchivePass>();
  private looks = 0;
  private recognising:
    | { readonly candidate: Candidate; readonly unpacking: Unpacking; readonly recognition: Recognition }
    | undefined;

  constructor(following: Following) {
    this.following = following;
    this.book = following.context.checkpoint.section("archives", (saved) => new ArchiveBook(saved));
  }

  /** Takes in the compressed files that the patterns find now. `isPassedOver`: those there now are not to be read. */
  look(found: readonly Found[], now: number, isPassedOver: boolean): void {
    this.candidates.look(found, now, isPassedOver);
    if (++this.looks % looksPerPruning === 0) this.prune();
    for (const candidate of this.candidates.undecided()) this.judge(candidate);
    for (const [row, otherwise] of this.sought) this.findArchive(row, otherwise, now);
  }

  /** Goes on with this content in an archive beside its file; calls `otherwise` once it is known that none has it. */
  seek(row: Row, otherwise: () => void): void {
    this.sought.set(row, otherwise);
  }

  /**
   * What becomes of a content whose file cannot be found: its rest is `taken` from an archive; there are archives that
   * may hold it, so `wait`; or undefined, there is none.
   */
  resolve(row: Row, now: number): "taken" | "wait" | undefined {
    if (this.isAdopted(row)) return "taken";
    const beside = this.candidates.beside(row, this.following.births, now);
    const holder = beside.find(({ rows, isJudged }) => !isJudged && rows !== undefined && surest(rows) === row);
    if (holder !== undefined) {
      this.adopt(holder, row);
      return "taken";
    }
    return beside.some(
      ({ rows, isJudged, compression }) =>
        rows === undefined && !isJudged && readableCompressions.includes(compression),
    )
      ? "wait"
      : undefined;
  }

  /** Reads on. Returns the milliseconds until it wants the next turn. */
  turn(now: number): number {
    const waits = [this.recognise(now), ...this.following.context.lanes.map(({ output }) => this.readFor(output))];
    return Math.min(...waits);
  }

  /** False when the block is none of ours. */
  acknowledged({ source, mark, start, end }: Acknowledged, output: string): boolean {
    if (!(source instanceof ArchiveSource)) return false;
    const progress = source.archive.outputs.get(output);
    if (mark instanceof FileMark) progress?.cursor.acknowledge(mark.offset, mark.tail);
    this.following.context.checkpoint.touch(end - start);
    return true;
  }

  /** Compressed bytes of archives that are being read: of what is in them nothing is known before. */
  unread(): number {
    return [...this.passes.values()].reduce(
      (sum, { source, unpacking }) => sum + source.archive.size - unpacking.read,
      0,
    );
  }

  state(): LogSourceState[] {
    return [...this.passes.values()].map(({ source, lane }) => {
      const { cursor } = source.archive.outputs.get(lane.output)!;
      const progress = { readBytes: cursor.read, acknowledgedBytes: cursor.acknowledged };
      const { id, input, path, archive } = source;
      return { id, input, path, state: "archive", sizeBytes: archive.size, outputs: { [lane.output]: progress } };
    });
  }

  close(): void {
    this.recognising?.unpacking.close();
    for (const { unpacking } of this.passes.values()) unpacking.close();
    this.passes.clear();
    this.book.release(this);
  }

  private findArchive(row: Row, otherwise: () => void, now: number): void {
    const result = this.resolve(row, now);
    if (result === "wait") return;
    this.sought.delete(row);
    if (result === undefined) otherwise();
  }

  private recognise(now: number): number {
    this.recognising ??= this.nextToRecognise(now);
    if (this.recognising === undefined) return Number.POSITIVE_INFINITY;
    const { candidate, unpacking, recognition } = this.recognising;
    const rows = recognition.turn();
    if (rows === undefined) return unpackingMs;
    unpacking.close();
    this.recognising = undefined;
    candidate.rows = rows;
    this.judge(candidate);
    return 0;
  }

  private nextToRecognise(now: number) {
    const { ledger, survey } = this.following;
    for (const candidate of this.candidates.unread(now)) {
      const { path, compression } = candidate;
      candidate.isJudged = !readableCompressions.includes(compression);
      if (candidate.isJudged) continue;
      try {
        candidate.isJudged = this.isKnown(candidate);
        if (candidate.isJudged) continue;
        const unpacking = new Unpacking(path, compression);
        return { candidate, unpacking, recognition: new Recognition(unpacking, ledger.rows.values()) };
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? String(error);
        // One that was renamed is found again.
        if (code !== "ENOENT") survey.unopened(path, code);
      }
    }
    return undefined;
  }

  /** True when it was judged before; if it is not read to its end, reading goes on. */
  private isKnown(candidate: Candidate): boolean {
    const { path, stamp } = candidate;
    candidate.start = startOf(path);
    const archive = this.book.find(stamp, candidate.start);
    if (archive !== undefined && keyOf(archive) === keyOf(stamp)) archive.path = path;
    return archive !== undefined;
  }

  private judge(candidate: Candidate): void {
    const rows = candidate.rows ?? [];
    // What is in a file that is still there is read from it.
    if (rows.some(({ endedAt }) => endedAt === undefined)) return;
    if (rows.some((one) => hasBegun(one) && this.isAdopted(one))) {
      candidate.isJudged = true;
      return;
    }
    const row = surest(rows.filter((one) => !this.isAdopted(one)));
    if (row !== undefined) this.adopt(candidate, row);
    else if (candidate.isMatched)
      this.add(candidate, newId(this.following), candidate.path, candidate.isPassedOver, new Map());
    else candidate.isJudged = true;
  }

  /** True when an archive, this one or another, is read for the row. */
  private isAdopted(row: Row): boolean {
    return [...this.book.archives].some(({ id }) => id === row.id);
  }

  /** From now on the content of the row is read from this archive. */
  private adopt(candidate: Candidate, row: Row): void {
    this.add(candidate, row.id, row.origin, false, row.cursors);
    if (row.endedAt === undefined) this.following.ledger.end(row);
  }

  private add(
    candidate: Candidate,
    id: string,
    origin: string,
    isRead: boolean,
    cursors: ReadonlyMap<string, Cursor>,
  ): void {
    const { path, stamp, start = startOf(path) } = candidate;
    const { dev, ino, size, mtimeMs } = stamp;
    const outputs = new Map(
      this.following.context.lanes.map(({ output }) => {
        const known = cursors.get(output);
        const cursor = known === undefined ? new Cursor() : Cursor.revive(known.save());
        return [output, { cursor, isRead }] as const;
      }),
    );
    this.book.archives.add({ id, origin, path, dev, ino, size, mtimeMs, start, outputs });
    candidate.isJudged = true;
    this.following.context.checkpoint.hasten();
  }

  private readFor(output: string): number {
    const pass = this.passes.get(output) ?? this.begin(output);
    if (pass === undefined) return Number.POSITIVE_INFINITY;
    const result = pass.turn();
    if (result === "over") this.end(pass);
    if (result === "wait") return unpackingMs;
    return result === "full" ? Number.POSITIVE_INFINITY : 0;
  }

  private begin(output: string): ArchivePass | undefined {
    const lane = this.following.context.lanes.find((one) => one.output === output)!;
    for (const archive of this.book.archives) {
      const progress = archive.outputs.get(output);
      const isOurs = this.following.matches(archive.origin) || this.following.matches(archive.path);
      if (progress === undefined || progress.isRead || !isOurs || !this.book.claim(archive, this)) continue;
      archive.path = this.pathOf(archive) ?? archive.path;
      const unpacking = this.unpack(archive);
      if (unpacking === undefined) progress.isRead = true;
      else {
        const pass = new ArchivePass(new ArchiveSource(archive, this.following.parts), lane, progress, unpacking);
        this.passes.set(output, pass);
        return pass;
      }
    }
    return undefined;
  }

  private end({ lane, source, unpacking }: ArchivePass): void {
    this.passes.delete(lane.output);
    unpacking.close();
    if (unpacking.trouble !== undefined) this.sayBroken(source.path, unpacking.trouble);
    this.following.context.checkpoint.touch(0);
  }

  /** Where the archive is now: it may have been renamed. */
  private pathOf(archive: Archive): string | undefined {
    const { births } = this.following;
    const spot = spotAt(archive.path, births);
    if (spot !== undefined && keyOf(spot.stamp) === keyOf(archive)) return archive.path;
    const beside = listFiles(dirname(archive.path), births);
    return beside.find(({ stamp }) => keyOf(stamp) === keyOf(archive))?.path;
  }

  /** Forgets archives that are gone. */
  private prune(): void {
    for (const archive of this.book.archives) {
      const isRead = [...archive.outputs.values()].every((progress) => progress.isRead);
      if (isRead && this.pathOf(archive) === undefined) this.book.forget(archive);
    }
  }

  private unpack({ path }: { path: string }): Unpacking | undefined {
    try {
      return new Unpacking(path, lookInto(path) ?? "gzip");
    } catch (error) {
      this.sayBroken(path, (error as NodeJS.ErrnoException).code ?? String(error));
      return undefined;
    }
  }

  private sayBroken(path: string, error: string): void {
    const { context, parts } = this.following;
    parts.counters.brokenArchive();
    context.emit("log_archive_broken", { input: parts.input, path, error });
  }
}

/** The content that an archive most likely holds, of those that it may hold: the one of which the most was read. */
function surest(rows: readonly Row[]): Row | undefined {
  return rows.toSorted((a, b) => leastOf(b) - leastOf(a) || b.head.length - a.head.length)[0];
}

/**
 * False while nothing of a content is known but how it begins: many logs begin alike, and of a line that was just being
 * written a few bytes may be all. Another archive that begins so is another content.
 */
function hasBegun({ cursors }: Row): boolean {
  return [...cursors.values()].some(({ acknowledged }) => acknowledged > 0);
}

function leastOf({ cursors }: Row): number {
  return Math.min(...[...cursors.values()].map(({ acknowledged }) => acknowledged));
}

function startOf(path: string) {
  const fd = openToRead(path);
  try {
    return printOf(readAt(fd, 0, headBytes));
  } finally {
    closeSync(fd);
  }
}
