/**
 * Lines joined by patterns of the user: one says which line begins a record, another how long it goes on.
 *
 *   through   lines that match belong to it                past     lines that match belong to it, and one more
 *   before    it ends before a line that matches           with     it ends with a line that matches
 */
import type { LogRecord } from "../../../contracts.ts";
import { mostRegexText } from "../parsing/format.ts";
import { Group, type Groups } from "./group.ts";
import { type Emit, endGroup, GroupJoin, type GroupJoinOptions, streamOf } from "./group-join.ts";

export type PatternMode = "through" | "past" | "before" | "with";

export interface PatternJoinOptions extends GroupJoinOptions {
  /** Any line begins a record where it is undefined. */
  readonly start: RegExp | undefined;
  readonly mode: PatternMode;
  readonly pattern: RegExp;
}

/** What becomes of the next line. */
type Verdict = "joins" | "joins and ends" | "begins";

export class PatternJoin extends GroupJoin<undefined> {
  private readonly options: PatternJoinOptions;

  constructor(options: PatternJoinOptions) {
    super(options);
    this.options = options;
  }

  take(groups: Groups<undefined>, record: LogRecord, emit: Emit): void {
    const stream = streamOf(record);
    const verdict = groups.has(stream) ? this.verdict(record.text) : "begins";
    if (verdict === "begins") {
      if (groups.has(stream)) endGroup(groups, stream, emit);
      this.begin(groups, stream, record, emit);
      return;
    }
    this.append(groups, record, undefined, emit);
    if (verdict === "joins and ends") endGroup(groups, stream, emit);
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
}

/** Lines above the cap match nothing: a pattern could take for ever over them. */
function matches(pattern: RegExp, text: string): boolean {
  return text.length <= mostRegexText && pattern.test(text);
}
