/** What an entry of Loki is made of, whatever it is written in. */
import type { Block, LogRecord } from "../contracts.ts";
import { eachLineOf, fieldOf, labelText, unchangedBytes } from "./_items.ts";
import type { Labels } from "./_loki-streams.ts";
import { labelName } from "./_loki-streams.ts";
import type { Stamps } from "./_stamps.ts";

/** Writes one entry. The bytes are UTF-8 and no longer than Loki takes. */
export type TakeEntry = (
  seconds: number,
  nanos: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  metadata: Labels,
) => void;

export interface EntryRules {
  /** Fields of records that go along as structured metadata. */
  readonly metadata: readonly string[];
  /** Longest line, in bytes. A longer one becomes several entries, so that nothing of it is lost. */
  readonly maxLine: number;
  /** For lines without a time of their own. */
  readonly stamps: Stamps;
  readonly onMended: () => void;
  readonly onSplit: () => void;
}

const none: Labels = [];
const nanosPerSecond = 1_000_000_000n;

export class Entries {
  private readonly rules: EntryRules;
  private readonly take: TakeEntry;

  constructor(rules: EntryRules, take: TakeEntry) {
    this.rules = rules;
    this.take = take;
  }

  item(item: Block | LogRecord): void {
    if ("bytes" in item)
      eachLineOf(item, (bytes, start, end) => this.stamped(bytes, start, end, none), this.rules.onMended);
    else this.record(item);
  }

  private record(record: LogRecord): void {
    const bytes = unchangedBytes(record) ?? Buffer.from(lineOf(record));
    const metadata = this.rules.metadata.length === 0 ? none : this.metadataOf(record);
    const { time } = record;
    if (time === undefined || time < 0n) this.stamped(bytes, 0, bytes.length, metadata);
    else this.timed(Number(time / nanosPerSecond), Number(time % nanosPerSecond), bytes, metadata);
  }

  private stamped(bytes: Uint8Array, start: number, end: number, metadata: Labels): void {
    const { stamps, maxLine } = this.rules;
    if (end - start > maxLine) this.split(bytes, start, end, (from, to) => this.stamped(bytes, from, to, metadata));
    else {
      this.take(stamps.seconds, stamps.nanos, bytes, start, end, metadata);
      stamps.next();
    }
  }

  private timed(seconds: number, nanos: number, bytes: Uint8Array, metadata: Labels): void {
    // Parts of one line stay in order: entries of one time have none.
    let part = Math.min(nanos, 999_999_000);
    const { maxLine } = this.rules;
    if (bytes.length <= maxLine) this.take(seconds, nanos, bytes, 0, bytes.length, metadata);
    else this.split(bytes, 0, bytes.length, (from, to) => this.take(seconds, part++, bytes, from, to, metadata));
  }

  private split(bytes: Uint8Array, start: number, end: number, part: (start: number, end: number) => void): void {
    this.rules.onSplit();
    for (let from = start; from < end; ) {
      const to = end - from <= this.rules.maxLine ? end : beforeCharacter(bytes, from + this.rules.maxLine);
      part(from, to);
      from = to;
    }
  }

  private metadataOf(record: LogRecord): Labels {
    return this.rules.metadata.flatMap((name) => {
      const value = labelText(fieldOf(record, name));
      return value === undefined ? [] : [[labelName(name), value] as const];
    });
  }
}

/** The nearest place at or before `at` where a character of UTF-8 begins. */
function beforeCharacter(bytes: Uint8Array, at: number): number {
  let place = at;
  while ((bytes[place]! & 0xc0) === 0x80) place--;
  return place;
}

/** Parsed fields as JSON, without those of the entry: they are labels. */
function lineOf({ fields, text }: LogRecord): string {
  return fields === undefined ? text : JSON.stringify(fields);
}
