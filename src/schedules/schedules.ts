/** All schedules of the config, and how a reload replaces them: what did not change goes on undisturbed. */
import type { Change, ConfiguredPart } from "../config/reload.ts";
import type { Schedule as Config, Config as WholeConfig } from "../config/schema.ts";
import { UserError } from "../errors.ts";
import { dueOf } from "./clock.ts";
import { Schedule, type ScheduleContext } from "./schedule.ts";

export class Schedules implements ConfiguredPart {
  private readonly context: ScheduleContext;
  private active = new Map<string, Schedule>();
  /** Replaced or removed, with their last run still in flight. */
  private leaving = new Set<Schedule>();

  constructor(context: ScheduleContext) {
    this.context = context;
  }

  /** At commit stops what is gone and starts what is new. @throws UserError (exit 1) */
  async prepare({ schedules }: Pick<WholeConfig, "schedules">): Promise<Change> {
    const next = new Map<string, Schedule>();
    for (const config of schedules) next.set(config.name, this.unchanged(config) ?? (await this.create(config)));
    return { commit: () => this.replaceBy(next), abort() {} };
  }

  /** Why `/ready` must say no. */
  readyReasons(): string[] {
    const reasons = [...this.active.values()].map((schedule) => schedule.readyReason);
    return reasons.filter((reason) => reason !== undefined);
  }

  /** No further ticks. */
  stop(): void {
    for (const schedule of this.active.values()) schedule.stop();
  }

  /** Waits until no run is in flight, `deadlineMs` at most; says how many still are. */
  async drain(deadlineMs: number): Promise<{ cut: number }> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.context.timing.after(deadlineMs, resolve);
    await Promise.race([Promise.all(this.runs()), late]);
    cancel();
    return { cut: this.runs().length };
  }

  private async create(config: Config): Promise<Schedule> {
    try {
      return new Schedule(config, await dueOf(config.when, this.context.timing.clock), this.context);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      throw new UserError(`schedules, ${config.name}: the cron expression cannot be read: ${words}`, 1);
    }
  }

  private unchanged(config: Config): Schedule | undefined {
    const schedule = this.active.get(config.name);
    return schedule !== undefined && fingerprint(schedule.config) === fingerprint(config) ? schedule : undefined;
  }

  private replaceBy(next: Map<string, Schedule>): void {
    for (const [name, old] of this.active) {
      if (next.get(name) !== old) this.retire(old, next.get(name));
    }
    for (const [name, schedule] of next) {
      if (this.active.get(name) !== schedule) schedule.start();
    }
    this.active = next;
  }

  /** `successor` is the schedule of the same name: it takes over how the last run ended. */
  private retire(old: Schedule, successor: Schedule | undefined): void {
    old.stop();
    if (successor !== undefined) successor.outcome = old.outcome;
    if (old.running === undefined) return;
    this.leaving.add(old);
    void old.running.then(() => this.leaving.delete(old));
  }

  private runs(): Promise<void>[] {
    const runs = [...this.active.values(), ...this.leaving].map((schedule) => schedule.running);
    return runs.filter((run) => run !== undefined);
  }
}

/** Equal for schedules that mean the same. */
function fingerprint(config: Config): string {
  return JSON.stringify(config, (_, value) => (value instanceof RegExp ? String(value) : value));
}
