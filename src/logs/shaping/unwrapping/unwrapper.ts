/** What `log-transforms/unwrap` does with a record: opens it, and joins the pieces of a line, stream by stream. */
import type { Counter, JoinTransform, LogRecord } from "../../../contracts.ts";
import { copyOf, Group, type Groups, type JoinLimits, waitingOf } from "../joining/group.ts";
import { LineRecord } from "../line-record.ts";
import type { Wrapper } from "./wrapper.ts";

type Emit = (record: LogRecord) => void;

export interface UnwrapperOptions {
  readonly wrapper: Wrapper;
  readonly quietMs: number;
  readonly limits: JoinLimits;
  readonly cuts: Counter;
  readonly unparsed: Counter;
}

export class Unwrapper implements JoinTransform<Groups<undefined>> {
  readonly quietMs: number;
  private readonly options: UnwrapperOptions;

  constructor(options: UnwrapperOptions) {
    this.options = options;
    this.quietMs = options.quietMs;
  }

  start(): Groups<undefined> {
    return new Map();
  }

  copy(groups: Groups<undefined>): Groups<undefined> {
    return copyOf(groups);
  }

  take(groups: Groups<undefined>, given: LogRecord, emit: Emit): void {
    const record = LineRecord.of(given);
    const isWhole = this.options.wrapper.open(record);
    if (isWhole === undefined) {
      this.options.unparsed.add(1);
      emit(record);
      return;
    }
    const stream = record.stream ?? "";
    const group = groups.size === 0 ? undefined : groups.get(stream);
    if (group === undefined && isWhole) emit(record);
    else if (group === undefined) groups.set(stream, new Group(record, undefined));
    else this.append(groups, stream, record, isWhole, emit);
  }

  flush(groups: Groups<undefined>, emit: Emit): void {
    for (const record of waitingOf(groups)) emit(record);
    groups.clear();
  }

  waiting(groups: Groups<undefined>): LogRecord[] {
    return waitingOf(groups);
  }

  private append(groups: Groups<undefined>, stream: string, record: LineRecord, isWhole: boolean, emit: Emit): void {
    const group = groups.get(stream)!;
    if (group.first.span + record.span > this.options.limits.bytes) {
      this.options.cuts.add(1);
      group.first.isCut = true;
      emit(group.first);
      groups.set(stream, new Group(record, undefined));
    } else group.append(record, "");
    if (!isWhole) return;
    emit(groups.get(stream)!.first);
    groups.delete(stream);
  }
}
