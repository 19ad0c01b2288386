/**
 * Pieces of blocks: views that copy nothing. An item keeps its identity, `source.id` and offset, in every piece.
 *
 *   block   | line | line | line | line |      a piece of a piece ends where its whole knows a place
 *   piece          | line | line |             bytes left out by rules count with the piece they lie in
 */
import type { Block, LogRecord, LogSource, Mark } from "../../contracts.ts";
import { eachLine, RecordBlock } from "../shaping/record.ts";

/** Items from the first up to, not including, the second. */
export type Run = readonly [from: number, to: number];

/** A part of a block of lines or of records. */
export interface Piece extends Block {
  /** What it was cut from: a block, or a piece. */
  readonly whole: Block;
  /** The mark of the place where it begins; undefined where the input knows none there. */
  readonly before: Mark | undefined;
}

/** The mark of the place where a piece begins; undefined where there is none, and for a block that was not cut. */
export function markBefore(part: Block): Mark | undefined {
  return (part as Partial<Piece>).before;
}

/** Bytes of the source that a block stands for, less what rules left out of it. */
export function sourceBytesOf({ start, end, droppedBytes = 0 }: Block): number {
  return end - start - droppedBytes;
}

/** True when there is nothing in it to deliver: every record was dropped. */
export function isEmpty(block: Block): boolean {
  return block.records === undefined ? block.bytes.length === 0 : block.records.length === 0;
}

/** True when `part` is `block`, or was cut from it. */
export function isPartOf(part: Block, block: Block): boolean {
  for (let one: Block | undefined = part; one !== undefined; one = (one as Partial<Piece>).whole) {
    if (one === block) return true;
  }
  return false;
}

/** The pieces of a block that hold these runs of items, which are in order; the block itself where that is all of it. */
export function piecesOf(block: Block, runs: readonly Run[]): Block[] {
  const [first] = runs;
  if (first === undefined) return [];
  if (first[0] === 0 && first[1] === block.count) return [block];
  if (block.records !== undefined) return runs.map((run) => new RecordsPiece(block, block.records!, run));
  const places = placesOf(block.bytes, runs.flat());
  return runs.map(([from, to], at) => new LinesPiece(block, places[2 * at]!, places[2 * at + 1]!, to - from));
}

/** Where the lines with these numbers, which do not go down, begin in `bytes`; the end of it for one after the last. */
function placesOf(bytes: Uint8Array, lines: readonly number[]): number[] {
  const places: number[] = [];
  let line = 0;
  eachLine(bytes, (start) => {
    while (lines[places.length] === line) places.push(start);
    line++;
  });
  while (places.length < lines.length) places.push(bytes.length);
  return places;
}

class LinesPiece implements Piece {
  readonly whole: Block;
  readonly bytes: Uint8Array;
  readonly count: number;
  private readonly from: number;
  private known: { readonly start: number; readonly mark: Mark } | undefined;
  private begin: Mark | undefined;

  /** @param from where it begins in the bytes of `whole` */
  constructor(whole: Block, from: number, to: number, count: number) {
    this.whole = whole;
    this.bytes = whole.bytes.subarray(from, to);
    this.count = count;
    this.from = from;
  }

  get source(): LogSource {
    return this.whole.source;
  }

  get size(): number {
    return this.bytes.length;
  }

  get before(): Mark {
    this.begin ??= this.whole.markAt(this.from);
    return this.begin;
  }

  get start(): number {
    return this.places.start;
  }

  get end(): number {
    return this.mark.offset;
  }

  get mark(): Mark {
    return this.places.mark;
  }

  get heldBytes(): number {
    return this.whole.heldBytes;
  }

  markAt(place: number): Mark {
    return this.whole.markAt(this.from + place);
  }

  /** The last piece of a block gives it back. */
  release(): void {
    if (this.isLast) this.whole.release?.();
  }

  private get isLast(): boolean {
    return this.from + this.bytes.length === this.whole.bytes.length;
  }

  /** Looked up once, and only when it matters: a mark is a hash over bytes. */
  private get places() {
    this.known ??= {
      start: this.from === 0 ? this.whole.start : this.before.offset,
      mark: this.isLast ? this.whole.mark : this.whole.markAt(this.from + this.bytes.length),
    };
    return this.known;
  }
}

/**
 * Its own mark is but an offset, unless it is the last piece: whether the input knows a place there is asked apart. The
 * last piece gives the block back.
 */
class RecordsPiece extends RecordBlock implements Piece {
  readonly whole: Block;
  private readonly from: number;

  constructor(whole: Block, records: readonly LogRecord[], [from, to]: Run) {
    const { source, heldBytes } = whole;
    const isLast = to === records.length;
    const start = beginOf(whole, records, from);
    const mark = isLast ? whole.mark : { offset: beginOf(whole, records, to) };
    const kept = keptBefore(whole, records, to) - keptBefore(whole, records, from);
    const droppedBytes = mark.offset - start - kept;
    super(records.slice(from, to), { source, start, mark, heldBytes, droppedBytes, block: isLast ? whole : undefined });
    this.whole = whole;
    this.from = from;
  }

  get before(): Mark | undefined {
    return this.markBefore(0);
  }

  override markBefore(item: number): Mark | undefined {
    return this.whole.markBefore?.(this.from + item);
  }
}

/** Offset at which a record begins; what was left out before the first counts with it, after the last likewise. */
function beginOf(block: Block, records: readonly LogRecord[], at: number): number {
  if (at === 0) return block.start;
  return Math.max(block.start, Math.min(block.end, records[at]?.offset ?? block.end));
}

/**
 * Bytes of the source that all records before `at` stand for. Which bytes between two records were dropped is not
 * known, only how many in all: they are taken from the end.
 */
function keptBefore(block: Block, records: readonly LogRecord[], at: number): number {
  return Math.min(beginOf(block, records, at) - block.start, sourceBytesOf(block));
}
