/**
 * An entry's transforms, one after the other:
 *
 *   block -> records -> transform -> transform -> ... -> block of records, with how far the source is done with it
 *                          \-> dropped                      \-> waits for more lines, in the state
 *
 * What waits between two blocks is a snapshot that nobody changes: another output that is as far takes the same one,
 * and the same result. The work is done once for all outputs that go side by side.
 */
import { isUtf8 } from "node:buffer";
import type { Block, JoinTransform, LogRecord, LogSource, LogTransform, Mark } from "../../contracts.ts";
import type { ChainCounters } from "./chain-counters.ts";
import { LineRecord, RecordBlock, recordsOf } from "./record.ts";

/** A transform with the name it is counted under. */
export interface Link {
  readonly name: string;
  readonly transform: LogTransform;
}

/** What waits of one source, between two of its blocks. */
export interface Waiting {
  /** One for each transform that joins, in their order. */
  readonly states: readonly unknown[];
  /** The records that wait, oldest first, each with the place before it. */
  readonly marks: readonly { readonly offset: number; readonly mark: Mark }[];
  /** The end of the last block. */
  readonly end: Mark;
  /** Bytes that were dropped behind the oldest record that waits: they count with a later block. */
  readonly droppedBytes: number;
}

/** What a block came to. */
export interface Passed {
  readonly block: RecordBlock;
  /** Undefined when nothing waits. */
  readonly waiting: Waiting | undefined;
}

/** What a record and its fields cost beside the memory of their text, in bytes: estimates. */
const recordBytes = 160;
const fieldsBytes = 300;

type Emit = (record: LogRecord) => void;

interface Join {
  readonly name: string;
  readonly transform: JoinTransform;
  /** Hands on what it emits. */
  readonly emit: Emit;
}

export class Chain {
  private readonly links: readonly Link[];
  private readonly counters: ChainCounters;
  /** By place in the chain; undefined where a transform changes single records. */
  private readonly joins: readonly (Join | undefined)[];
  /** Of the block under way. */
  private states: unknown[] = [];
  private done: LogRecord[] = [];
  private droppedBytes = 0;
  /** The last work, for the next output that asks for the same. */
  private last:
    | { readonly of: Block | Waiting; readonly before: Waiting | undefined; readonly passed: Passed }
    | undefined;

  constructor(links: readonly Link[], counters: ChainCounters) {
    this.links = links;
    this.counters = counters;
    this.joins = links.map(({ name, transform }, at) => {
      return "take" in transform
        ? { name, transform, emit: (record: LogRecord) => this.feed(record, at + 1) }
        : undefined;
    });
  }

  /** Makes records of a block and passes them on, after what waited before it. */
  pass(block: Block, before: Waiting | undefined): Passed {
    if (this.last?.of === block && this.last.before === before) return this.last.passed;
    this.countInvalid(block);
    this.begin(before);
    for (const record of recordsOf(block)) this.feed(record, 0);
    this.eachJoin(({ transform, emit }, state) => transform.settle?.(state, emit));
    const marks = this.marks(before, (record) => markBefore(block, record));
    const start = before?.marks[0]?.mark.offset ?? block.start;
    const passed = this.end(block.source, start, marks, block.mark, block);
    this.last = { of: block, before, passed };
    return passed;
  }

  /** Ends the waiting of what waited `quietMs` for more lines; of everything where that is left out. */
  flush(source: LogSource, waiting: Waiting, quietMs = Number.POSITIVE_INFINITY): Passed {
    if (this.last?.of === waiting) return this.last.passed;
    this.begin(waiting);
    this.eachJoin((join, state) => {
      if (join.transform.quietMs <= quietMs) this.guarded(join, () => join.transform.flush(state, join.emit));
    });
    const marks = this.marks(waiting, () => waiting.end);
    const passed = this.end(source, waiting.marks[0]!.mark.offset, marks, waiting.end);
    this.last = { of: waiting, before: undefined, passed };
    return passed;
  }

  /** After how many quiet milliseconds the first of what waits is complete. */
  quietMs({ states }: Waiting): number {
    let least = Number.POSITIVE_INFINITY;
    this.joins.forEach((join, at) => {
      if (join === undefined || join.transform.waiting(states[at]).length === 0) return;
      least = Math.min(least, join.transform.quietMs);
    });
    return least;
  }

  /** Lets go of the last block. */
  forget(): void {
    this.last = undefined;
  }

  private begin(before: Waiting | undefined): void {
    this.done = [];
    this.droppedBytes = before?.droppedBytes ?? 0;
    this.states = this.joins.map((join) => join?.transform.start());
    if (before === undefined) return;
    this.joins.forEach((join, at) => {
      if (join !== undefined) this.takeUp(join, at, before.states[at]);
    });
  }

  /** Goes on with what waited; where that fails, what waited goes on by itself. */
  private takeUp(join: Join, at: number, state: unknown): void {
    try {
      this.states[at] = join.transform.copy(state);
    } catch (error) {
      this.counters.failed(join.name, error);
      for (const record of join.transform.waiting(state)) join.emit(record);
    }
  }

  private end(source: LogSource, start: number, marks: Waiting["marks"], end: Mark, block?: Block): Passed {
    const records = inOrder(this.done);
    const mark = marks[0]?.mark ?? end;
    const heldBytes = (block?.heldBytes ?? 0) + costOf(records, block === undefined);
    const droppedBytes = Math.min(this.droppedBytes, Math.max(0, mark.offset - start));
    const made = new RecordBlock(records, { source, start, mark, heldBytes, block, droppedBytes });
    const later = { states: this.states, marks, end, droppedBytes: this.droppedBytes - droppedBytes };
    this.done = [];
    return { block: made, waiting: marks.length === 0 ? undefined : later };
  }

  /** Passes a record through all transforms from `at` on, up to one that joins. */
  private feed(record: LogRecord, at: number): void {
    for (let next = at; next < this.links.length; next++) {
      const join = this.joins[next];
      if (join !== undefined) {
        this.join(join, next, record);
        return;
      }
      if (!this.isKept(this.links[next]!, record)) return;
    }
    this.done.push(record);
  }

  /** A transform that fails leaves the record as it is. */
  private isKept({ name, transform }: Link, record: LogRecord): boolean {
    try {
      if (!("apply" in transform) || transform.apply(record)) return true;
      this.droppedBytes += this.counters.dropped(name, record);
      return false;
    } catch (error) {
      this.counters.failed(name, error);
      return true;
    }
  }

  private join(join: Join, at: number, record: LogRecord): void {
    const { transform, emit } = join;
    try {
      transform.take(this.states[at], record, emit);
    } catch (error) {
      this.counters.failed(join.name, error);
      const waited = transform.waiting(this.states[at]);
      this.states[at] = transform.start();
      for (const one of waited) emit(one);
      if (!waited.includes(record)) emit(record);
    }
  }

  private eachJoin(each: (join: Join, state: unknown) => void): void {
    this.joins.forEach((join, at) => {
      if (join !== undefined) this.guarded(join, () => each(join, this.states[at]));
    });
  }

  private guarded({ name }: Join, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.counters.failed(name, error);
    }
  }

  /** The records that wait now. Those that waited before keep their marks; all of them outlive the block. */
  private marks(before: Waiting | undefined, markOf: (record: LogRecord) => Mark): Waiting["marks"] {
    const waiting: LogRecord[] = [];
    this.eachJoin(({ transform }, state) => waiting.push(...transform.waiting(state)));
    for (const record of waiting) if (record instanceof LineRecord) record.detach();
    const marks = waiting.map((record) => {
      const known = before?.marks.find(({ offset }) => offset === record.offset);
      return known ?? { offset: record.offset, mark: markOf(record) };
    });
    return marks.sort((a, b) => a.mark.offset - b.mark.offset);
  }

  private countInvalid({ bytes, records }: Block): void {
    if (records !== undefined || isUtf8(bytes)) return;
    this.counters.invalidUtf8(bytes);
  }
}

/** The mark before a record that began in this block. */
function markBefore(block: Block, record: LogRecord): Mark {
  return block.markAt(record instanceof LineRecord ? record.beginning : record.offset - block.start);
}

/** Records whose last line came later than the next one's go before it all the same. */
function inOrder(records: LogRecord[]): LogRecord[] {
  for (let at = 1; at < records.length; at++) {
    if (records[at]!.offset < records[at - 1]!.offset) return records.sort((a, b) => a.offset - b.offset);
  }
  return records;
}

/** Memory the records take beside their block: text of their own, fields, the objects themselves. */
function costOf(records: readonly LogRecord[], hasNoBlock: boolean): number {
  let bytes = records.length * recordBytes;
  for (const record of records) {
    bytes += record instanceof LineRecord && !hasNoBlock ? record.ownBytes : lengthOf(record);
    if (hasFields(record)) bytes += fieldsBytes + 2 * lengthOf(record);
  }
  return bytes;
}

/** Without making those that nobody has asked for. */
function hasFields(record: LogRecord): boolean {
  return record instanceof LineRecord ? record.hasOwnFields : record.fields !== undefined;
}

function lengthOf(record: LogRecord): number {
  return record instanceof LineRecord ? record.span : record.text.length;
}
