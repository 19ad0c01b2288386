/**
 * How far one output has one content: what was read for it, and what it acknowledged. The first is ahead of the
 * second by what is under way; after a restart both are where the acknowledgements were.
 */
import { type Print, printOf } from "./identity.ts";
import { ReadTimes } from "./read-times.ts";

export interface SavedCursor {
  at: number;
  tail: Print;
  shown?: number;
}

const noPrint: Print = { length: 0, hash: "" };

export class Cursor {
  /** Offset of the next byte to read: always the beginning of a line. */
  read = 0;
  /** The bytes before `read`; undefined after a restart, until they were verified in the file. */
  tail: Uint8Array | undefined = new Uint8Array();
  /** Offset up to which the line at `read` is known to hold no newline. */
  scanned = 0;
  /** True while nothing but NULs was before `read`. */
  blank = true;
  acknowledged = 0;
  acknowledgedTail: Print = noPrint;
  /**
   * End of an unfinished last line that was shown, with a newline added, when the collector stopped. `read` stays
   * before it: should the line be finished after all, it comes whole; should it not, it does not come again.
   */
  shownTo = 0;
  /** When what is not acknowledged was read. */
  readonly times = new ReadTimes();

  static revive(saved: SavedCursor): Cursor {
    const cursor = new Cursor();
    cursor.acknowledged = saved.at;
    cursor.acknowledgedTail = saved.tail;
    cursor.shownTo = saved.shown ?? 0;
    cursor.read = saved.at;
    cursor.scanned = saved.at;
    cursor.blank = saved.at === 0;
    cursor.tail = undefined;
    return cursor;
  }

  save(): SavedCursor {
    const shown = this.shownTo > this.acknowledged ? { shown: this.shownTo } : {};
    return { at: this.acknowledged, tail: this.acknowledgedTail, ...shown };
  }

  /** Everything before `position` was read; `tail` are the bytes before it. */
  advance(position: number, tail: Uint8Array): void {
    this.read = position;
    this.scanned = position;
    this.tail = tail;
    this.blank = false;
  }

  acknowledge(position: number, tail: Print): void {
    this.acknowledged = position;
    this.acknowledgedTail = tail;
    this.times.settle(position, this.read);
  }

  /** Goes on at `position` as though all before had been read and acknowledged. */
  startAt(position: number, tail: Uint8Array): void {
    this.advance(position, tail);
    this.acknowledge(position, printOf(tail));
  }
}
