/**
 * Lines joined by patterns of the user: one says which line begins a record, another how long it goes on.
 *
 *   through   lines that match belong to it                past     lines that match belong to it, and one more
 *   before    it ends before a line that matches           with     it ends with a line that matches
 */
import type { Counter, JoinTransform, LogRecord } from "../../../contracts.ts";
import { mostRegexText } from "../parsing/format.ts";
import { copyOf, Group, type Groups, isFull, type JoinLimits, waitingOf } from "./group.ts";

type Emit = (record: LogRecord) => void;

export type PatternMode = "through" | "past" | "before" | "with";

export interface PatternJoinOptions {
  /** Any line begins a record where it is undefined. */
  readonly start: RegExp | undefined;
  readonly mode: PatternMode;
  readonly pattern: RegExp;
  readonly quietMs: number;
  readonly limits: JoinLimits;
  readonly cuts: Counter;
}

/** What becomes of the next line. */
type Verdict = "joins" | "joins and ends" | "begins";

export class PatternJoin implements JoinTransform<Groups<undefined>> {
  readonly quietMs: number;
  private readonly options: PatternJoinOptions;

  constructor(options: PatternJoinOptions) {
    this.options = options;
    this.quietMs = options.quietMs;
  }

  start(): Groups<undefined> {
    return new Map();
  }

  copy(groups: Groups<undefined>): Groups<undefined> {
    return copyOf(groups);
  }

  take(groups: Groups<undefined>, record: LogRecord, emit: Emit): void {
    const stream = record.stream ?? "";
    const group = groups.get(stream);
    if (group === undefined) {
      this.begin(groups, stream, record, emit);
      return;
    }
    const verdict = this.verdict(record.text);
    if (verdict === "begins") {
      emit(group.first);
      groups.delete(stream);
      this.begin(groups, stream, record, emit);
      return;
    }
    this.append(groups, stream, record, emit);
    if (verdict === "joins and ends") {
      emit(groups.get(stream)!.first);
      groups.delete(stream);
    }
  }

  flush(groups: Groups<undefined>, emit: Emit): void {
    for (const record of waitingOf(groups)) emit(record);
    groups.clear();
  }

  waiting(groups: Groups<undefined>): LogRecord[] {
    return waitingOf(groups);
  }

  private begin(groups: Groups<undefined>, stream: string, record: LogRecord, emit: Emit): void {
    const { start } = this.options;
    if (start === undefined || matches(start, record.text)) groups.set(stream, new Group(record, undefined));
    else emit(record);
  }

  private verdict(text: string): Verdict {
    const { mode, pattern } = this.options;
    const isMatch = matches(pattern, text);
    if (mode === "through") return isMatch ? "joins" : "begins";
    if (mode === "past") return isMatch ? "joins" : "joins and ends";
    if (mode === "before") return isMatch ? "begins" : "joins";
    return isMatch ? "joins and ends" : "joins";
  }

  private append(groups: Groups<undefined>, stream: string, record: LogRecord, emit: Emit): void {
    const group = groups.get(stream)!;
    if (!isFull(group, record, this.options.limits)) {
      group.append(record);
      return;
    }
    this.options.cuts.add(1);
    group.first.isCut = true;
    emit(group.first);
    groups.set(stream, new Group(record, undefined));
  }
}

/** Lines above the cap match nothing: a pattern could take for ever over them. */
function matches(pattern: RegExp, text: string): boolean {
  return text.length <= mostRegexText && pattern.test(text);
}
