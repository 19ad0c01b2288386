/** Lines that are becoming one record. */
import type { LogRecord } from "../../../contracts.ts";
import { LineRecord } from "../line-record.ts";

export class Group<S> {
  readonly first: LineRecord;
  /** Where what joins stands after the last line. */
  at: S;
  lines = 1;

  constructor(first: LogRecord, at: S) {
    this.first = LineRecord.of(first);
    this.at = at;
  }

  clone(): Group<S> {
    const copy = new Group(this.first.clone(), this.at);
    copy.lines = this.lines;
    return copy;
  }

  append(record: LogRecord, separator?: string): void {
    const { fields } = this.first;
    const isMessage = fields !== undefined && typeof fields.message === "string" && fields.message === this.first.text;
    this.first.append(LineRecord.of(record), separator);
    if (isMessage) fields.message = this.first.text;
    this.lines++;
  }
}

/** What a record may come to before it is ended. */
export interface JoinLimits {
  readonly bytes: number;
  readonly lines: number;
}

/** True when one more line would be too much. */
export function isFull({ first, lines }: Group<unknown>, next: LogRecord, limits: JoinLimits): boolean {
  return lines >= limits.lines || first.span + LineRecord.of(next).span > limits.bytes;
}

/** Groups by stream: the lines of two streams lie between each other. */
export type Groups<S> = Map<string, Group<S>>;

export function copyOf<S>(groups: Groups<S>): Groups<S> {
  return new Map([...groups].map(([stream, group]) => [stream, group.clone()]));
}

/** Their first records, oldest first. */
export function waitingOf(groups: Groups<unknown>): LineRecord[] {
  return [...groups.values()].map(({ first }) => first).sort((a, b) => a.offset - b.offset);
}
