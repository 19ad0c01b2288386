/** What `log-transforms/unwrap` does with a record: opens it, and joins the pieces of a line, stream by stream. */
import type { Counter, LogRecord } from "../../../contracts.ts";
import { Group, type Groups } from "../joining/group.ts";
import { type Emit, endGroup, GroupJoin, type GroupJoinOptions, streamOf } from "../joining/group-join.ts";
import { LineRecord } from "../line-record.ts";
import type { Wrapper } from "./wrapper.ts";

export interface UnwrapperOptions extends GroupJoinOptions {
  readonly wrapper: Wrapper;
  readonly unparsed: Counter;
}

export class Unwrapper extends GroupJoin<undefined> {
  private readonly wrapper: Wrapper;
  private readonly unparsed: Counter;

  constructor(options: UnwrapperOptions) {
    super(options);
    this.wrapper = options.wrapper;
    this.unparsed = options.unparsed;
  }

  take(groups: Groups<undefined>, given: LogRecord, emit: Emit): void {
    const record = LineRecord.of(given);
    const isWhole = this.wrapper.open(record);
    if (isWhole === undefined) {
      this.unparsed.add(1);
      emit(record);
      return;
    }
    const stream = streamOf(record);
    if (groups.size > 0 && groups.has(stream)) {
      this.append(groups, record, undefined, emit, "");
      if (isWhole) endGroup(groups, stream, emit);
    } else if (isWhole) emit(record);
    else groups.set(stream, new Group(record, undefined));
  }
}
