/**
 * Stack traces made one record each. Every record is held until the next line shows whether it may be the first of a
 * trace: only then is it read. At the end of a block, what is no beginning goes on at once.
 */
import type { LogRecord } from "../../../contracts.ts";
import { LineRecord } from "../line-record.ts";
import { mostRegexText } from "../parsing/format.ts";
import { Group, type Groups } from "./group.ts";
import { type Emit, endGroup, GroupJoin, type GroupJoinOptions, streamOf } from "./group-join.ts";
import { type Machine, type State, stepOf } from "./machine.ts";

/** Which machine a trace follows, and where it stands; undefined before the first line was looked at. */
interface Place {
  readonly machine: Machine;
  readonly state: State;
}

export interface TraceJoinOptions extends GroupJoinOptions {
  readonly machines: readonly Machine[];
}

export class TraceJoin extends GroupJoin<Place | undefined> {
  private readonly machines: readonly Machine[];
  /** By first byte: true when a second line can begin so. The last place is for an empty line. */
  private readonly seconds: Uint8Array;

  constructor(options: TraceJoinOptions) {
    super(options);
    this.machines = options.machines;
    this.seconds = new Uint8Array(257);
    for (const { seconds } of this.machines) for (const byte of seconds) this.seconds[byte < 0 ? 256 : byte] = 1;
  }

  take(groups: Groups<Place | undefined>, record: LogRecord, emit: Emit): void {
    const stream = streamOf(record);
    const group = groups.get(stream);
    const place = group === undefined ? undefined : this.after(group, record);
    if (place === undefined) {
      if (group !== undefined) emit(group.first);
      groups.set(stream, new Group(record, undefined));
      return;
    }
    this.append(groups, record, place, emit);
    if (place.state === "end") endGroup(groups, stream, emit);
  }

  settle(groups: Groups<Place | undefined>, emit: Emit): void {
    for (const [stream, group] of groups) {
      group.at ??= this.begin(group.first);
      if (group.at !== undefined) continue;
      emit(group.first);
      groups.delete(stream);
    }
  }

  /** Where the trace stands after this record; undefined when it is no part of it. */
  private after(group: Group<Place | undefined>, record: LogRecord): Place | undefined {
    if (group.at === undefined) {
      if (!this.canBeSecond(record)) return undefined;
      group.at = this.begin(group.first);
      if (group.at === undefined) return undefined;
    }
    const { machine, state } = group.at;
    if (record.text.length > mostRegexText) return undefined;
    const next = stepOf(machine.steps[state], record.text);
    return next === undefined ? undefined : { machine, state: next };
  }

  private canBeSecond(record: LogRecord): boolean {
    return this.seconds[LineRecord.of(record).byteAt(0) ?? 256] === 1;
  }

  private begin({ text }: LogRecord): Place | undefined {
    if (text.length > mostRegexText) return undefined;
    for (const machine of this.machines) {
      const state = stepOf(machine.starts, text);
      if (state !== undefined) return { machine, state };
    }
    return undefined;
  }
}
