/**
 * Which known contents an archive holds: it is unpacked as far as the furthest of them was read, and must begin as each
 * did and have the same bytes before its position. Many logs begin alike, so the beginning alone says nothing.
 */
import { headBytes, printOf, samePrint, tailBytes } from "../identity.ts";
import type { Row } from "../ledger.ts";
import type { Unpacking } from "./unpacking.ts";

/** Bytes looked at in one turn. */
const turnBytes = 4 * 1024 * 1024;

export class Recognition {
  private readonly unpacking: Unpacking;
  private readonly rows: readonly Row[];
  private candidates: readonly Row[] | undefined;
  private position = 0;
  private head: Buffer = Buffer.alloc(0);
  /** The last bytes before `position`. */
  private tail: Buffer = Buffer.alloc(0);

  constructor(unpacking: Unpacking, rows: Iterable<Row>) {
    this.unpacking = unpacking;
    this.rows = [...rows].filter((row) => row.head.length > 0);
  }

  /** The rows whose content it holds; undefined while that is not known yet. */
  turn(): readonly Row[] | undefined {
    for (let left = turnBytes; left > 0; ) {
      if (this.candidates?.every((row) => furthest(row) <= this.position)) return this.finish();
      const chunk = this.unpacking.take();
      if (chunk === undefined) return this.unpacking.isOver ? this.finish() : undefined;
      left -= chunk.length;
      this.look(chunk);
    }
    return undefined;
  }

  private look(chunk: Buffer): void {
    if (this.head.length < headBytes)
      this.head = Buffer.concat([this.head, chunk.subarray(0, headBytes - this.head.length)]);
    if (this.candidates === undefined && this.head.length >= headBytes) this.compareHeads();
    const known = Buffer.concat([this.tail, chunk]);
    const from = this.position - this.tail.length;
    this.position += chunk.length;
    this.candidates = this.candidates?.filter((row) => this.hasTails(row, known, from));
    this.tail = Buffer.from(known.subarray(Math.max(0, known.length - tailBytes)));
  }

  private finish(): readonly Row[] {
    // All of a short one is its beginning.
    if (this.candidates === undefined) {
      this.compareHeads();
      this.candidates = this.candidates!.filter((row) => this.hasTails(row, this.head, 0));
    }
    // Of a broken one the rest is not known: better some lines missing than all of them twice.
    const isBroken = this.unpacking.trouble !== undefined;
    return this.candidates.filter((row) => isBroken || furthest(row) <= this.position);
  }

  private compareHeads(): void {
    this.candidates = this.rows.filter(
      ({ head }) => head.length <= this.head.length && samePrint(printOf(this.head.subarray(0, head.length)), head),
    );
  }

  /** False when a position lies within these bytes, which begin at `from`, and others are before it. */
  private hasTails(row: Row, bytes: Buffer, from: number): boolean {
    return [...row.cursors.values()].every(({ acknowledged, acknowledgedTail: tail }) => {
      const end = acknowledged - from;
      if (tail.length === 0 || end < tail.length || end > bytes.length) return true;
      return samePrint(printOf(bytes.subarray(end - tail.length, end)), tail);
    });
  }
}

function furthest({ cursors }: Row): number {
  return Math.max(0, ...[...cursors.values()].map(({ acknowledged }) => acknowledged));
}
