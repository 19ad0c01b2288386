/**
 * Stack traces made one record each. Every record is held until the next line shows whether it may be the first of a
 * trace: only then is it read. At the end of a block, what is no beginning goes on at once.
 */
import type { Counter, JoinTransform, LogRecord } from "../../../contracts.ts";
import { LineRecord } from "../line-record.ts";
import { mostRegexText } from "../parsing/format.ts";
import { copyOf, Group, type Groups, isFull, type JoinLimits, waitingOf } from "./group.ts";
import { type Machine, type State, stepOf } from "./machine.ts";

type Emit = (record: LogRecord) => void;

/** Which machine a trace follows, and where it stands; undefined before the first line was looked at. */
interface Place {
  readonly machine: Machine;
  readonly state: State;
}

export interface TraceJoinOptions {
  readonly machines: readonly Machine[];
  readonly quietMs: number;
  readonly limits: JoinLimits;
  readonly cuts: Counter;
}

export class TraceJoin implements JoinTransform<Groups<Place | undefined>> {
  readonly quietMs: number;
  private readonly machines: readonly Machine[];
  private readonly limits: JoinLimits;
  private readonly cuts: Counter;
  /** By first byte: true when a second line can begin so. The last place is for an empty line. */
  private readonly seconds: Uint8Array;

  constructor({ machines, quietMs, limits, cuts }: TraceJoinOptions) {
    this.machines = machines;
    this.quietMs = quietMs;
    this.limits = limits;
    this.cuts = cuts;
    this.seconds = new Uint8Array(257);
    for (const { seconds } of machines) for (const byte of seconds) this.seconds[byte < 0 ? 256 : byte] = 1;
  }

  start(): Groups<Place | undefined> {
    return new Map();
  }

  copy(groups: Groups<Place | undefined>): Groups<Place | undefined> {
    return copyOf(groups);
  }

  take(groups: Groups<Place | undefined>, record: LogRecord, emit: Emit): void {
    const stream = record.stream ?? "";
    const group = groups.get(stream);
    if (group === undefined) {
      groups.set(stream, new Group(record, undefined));
      return;
    }
    const place = this.after(group, record);
    if (place === undefined) {
      emit(group.first);
      groups.set(stream, new Group(record, undefined));
      return;
    }
    this.append(groups, stream, record, place, emit);
  }

  settle(groups: Groups<Place | undefined>, emit: Emit): void {
    for (const [stream, group] of groups) {
      group.at ??= this.begin(group.first);
      if (group.at !== undefined) continue;
      emit(group.first);
      groups.delete(stream);
    }
  }

  flush(groups: Groups<Place | undefined>, emit: Emit): void {
    for (const record of waitingOf(groups)) emit(record);
    groups.clear();
  }

  waiting(groups: Groups<Place | undefined>): LogRecord[] {
    return waitingOf(groups);
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

  private append(groups: Groups<Place | undefined>, stream: string, record: LogRecord, place: Place, emit: Emit): void {
    const group = groups.get(stream)!;
    if (isFull(group, record, this.limits)) {
      this.cuts.add(1);
      group.first.isCut = true;
      emit(group.first);
      groups.set(stream, new Group(record, place));
    } else {
      group.append(record);
      group.at = place;
    }
    if (place.state !== "end") return;
    emit(groups.get(stream)!.first);
    groups.delete(stream);
  }
}
