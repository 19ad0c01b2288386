/** What joins lines by groups, one for each stream: what is the same whichever way they are told to belong together. */
import type { Counter, JoinTransform, LogRecord } from "../../../contracts.ts";
import { copyOf, Group, type Groups, isFull, type JoinLimits, waitingOf } from "./group.ts";

export type Emit = (record: LogRecord) => void;

export interface GroupJoinOptions {
  readonly quietMs: number;
  readonly limits: JoinLimits;
  /** Counts the records that were ended because they had grown too large. */
  readonly cuts: Counter;
}

/** `S` is where what joins stands after the last line of a group. */
export abstract class GroupJoin<S> implements JoinTransform<Groups<S>> {
  readonly quietMs: number;
  private readonly limits: JoinLimits;
  private readonly cuts: Counter;

  constructor({ quietMs, limits, cuts }: GroupJoinOptions) {
    this.quietMs = quietMs;
    this.limits = limits;
    this.cuts = cuts;
  }

  abstract take(groups: Groups<S>, record: LogRecord, emit: Emit): void;

  start(): Groups<S> {
    return new Map();
  }

  copy(groups: Groups<S>): Groups<S> {
    return copyOf(groups);
  }

  flush(groups: Groups<S>, emit: Emit): void {
    for (const record of waitingOf(groups)) emit(record);
    groups.clear();
  }

  waiting(groups: Groups<S>): LogRecord[] {
    return waitingOf(groups);
  }

  /** Makes the record a part of its stream's group, or begins another one with it where that would be too large. */
  protected append(groups: Groups<S>, record: LogRecord, at: S, emit: Emit, separator?: string): void {
    const stream = streamOf(record);
    const group = groups.get(stream)!;
    if (!isFull(group, record, this.limits)) {
      group.append(record, separator);
      group.at = at;
      return;
    }
    this.cuts.add(1);
    group.first.isCut = true;
    emit(group.first);
    groups.set(stream, new Group(record, at));
  }
}

export function streamOf({ stream = "" }: LogRecord): string {
  return stream;
}

/** The group of a stream is complete. */
export function endGroup(groups: Groups<unknown>, stream: string, emit: Emit): void {
  emit(groups.get(stream)!.first);
  groups.delete(stream);
}
