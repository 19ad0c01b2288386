/**
 * Stands between the engine and a filter that a user wrote: whatever it does wrong is answered by its `onError`.
 *
 *   call --> stopped? --> its hook --> right --> goes on
 *                                  --> wrong: said, counted --> fail: the exchange fails; skip: as if it were not there
 *
 * The way of a hook that returns no promise costs two stores, a comparison and a call.
 */
import type { Exchange, Reply, Send } from "../contracts.ts";
import type { Engine } from "../http/engine.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { FilterFault } from "../http/filter-fault.ts";
import { checkReply } from "../http/respond.ts";
import type { TimerWheel } from "../net/wheel.ts";
import type { Answered, Hooks } from "./author.ts";
import { Late, withinBudget } from "./budget.ts";
import { cell, pulse } from "./pulse.ts";
import { mostFaults, Row, type Standing } from "./standing.ts";

type Outcome = Reply | undefined | void;

/** A filter, its configuration, and the rules it runs by. */
export interface Subject {
  readonly hooks: Hooks<unknown>;
  readonly config: unknown;
  readonly name: string;
  readonly listener: string;
  readonly skips: boolean;
  readonly budgetMs: number;
  /** Its version's number in this thread. */
  readonly version: number;
}

/** What the hooks of one filter share. */
export class Guard {
  readonly subject: Subject;
  readonly standing: Standing;
  readonly wheel: TimerWheel;
  private readonly engine: Engine;

  constructor(subject: Subject, standing: Standing, engine: Engine, wheel: TimerWheel) {
    this.subject = subject;
    this.standing = standing;
    this.engine = engine;
    this.wheel = wheel;
  }

  /** @throws FilterFault for exchanges that began after the filter was stopped, where it must not be passed over */
  refuseIfStopped(x: Exchange): void {
    if (x.startedAt >= this.standing.stoppedSinceMs)
      throw new FilterFault(`filter ${this.subject.name} is stopped until it changes`);
  }

  /**
   * A fault of the filter: said, counted, and the reason to stop it when it is one too many.
   * Returns where the exchange goes on without the filter.
   * @throws FilterFault where it fails
   */
  fault(x: HttpExchange, hook: string, row: Row, error: unknown, mendable = true): void {
    // Who has left took its exchange along: a hook that notices that only now does nothing wrong.
    if (x.stage === "done" && hook !== "done") return;
    const { name, listener, skips } = this.subject;
    const message = error instanceof Error ? error.message : String(error);
    const fault = error instanceof Late ? "late" : error instanceof WrongResult ? "wrong" : "threw";
    this.engine.thread.emit("filter_failed", {
      filter: name,
      listener,
      route: x.route,
      id: x.id,
      hook,
      fault,
      error: message,
    });
    const now = this.engine.thread.clock.now();
    if (row.add(now)) this.standing.stop(now, `after ${mostFaults} faults in a row of its hook ${hook}`);
    if (!skips || !mendable) throw new FilterFault(`filter ${name}: ${message}`);
  }
}

/** What a hook returned although it must not. */
export class WrongResult extends Error {}

/** `request` or `response`. */
export class HeadGuard {
  private readonly guard: Guard;
  private readonly hook: "request" | "response";
  private readonly row = new Row();

  constructor(guard: Guard, hook: "request" | "response") {
    this.guard = guard;
    this.hook = hook;
  }

  run(x: HttpExchange): Outcome | Promise<Outcome> {
    const { guard, hook } = this;
    const { hooks, config, skips, version } = guard.subject;
    if (x.startedAt >= guard.standing.stoppedSinceMs) {
      // Its request was refused already, and this is the answer that says so.
      return skips || hook === "response" ? undefined : guard.refuseIfStopped(x);
    }
    const fields = hook === "request" ? x : x.answer!;
    const edits = fields.edits;
    const count = edits === undefined ? 0 : edits.length;
    const { cells } = pulse;
    let outcome: Outcome | Promise<Outcome>;
    cells[cell.current] = version;
    try {
      outcome = hook === "request" ? hooks.request!(x, config) : hooks.response!(x as HttpExchange & Answered, config);
    } catch (error) {
      cells[cell.current] = 0;
      fields.revert(edits, count);
      return guard.fault(x, hook, this.row, error);
    }
    cells[cell.current] = 0;
    if (outcome === undefined) this.row.end();
    else if (outcome instanceof Promise) return this.later(x, outcome, edits, count);
    else return this.checked(x, outcome);
    return undefined;
  }

  private async later(
    x: HttpExchange,
    promise: Promise<Outcome>,
    edits: ReturnType<typeof editsOf>,
    count: number,
  ): Promise<Outcome> {
    const { wheel, subject } = this.guard;
    let outcome: Outcome;
    try {
      outcome = await withinBudget(wheel, subject.budgetMs, promise, subject.version);
    } catch (error) {
      (this.hook === "request" ? x : x.answer!).revert(edits, count);
      return this.guard.fault(x, this.hook, this.row, error);
    }
    if (outcome !== undefined) return this.checked(x, outcome);
    this.row.end();
    return undefined;
  }

  /** A reply that would break the framing is a fault like others. */
  private checked(x: HttpExchange, reply: Reply): Outcome {
    try {
      if (typeof reply !== "object" || reply === null)
        throw new WrongResult(`it returned ${reply === null ? "null" : `a ${typeof reply}`}, not a reply or nothing`);
      checkReply(reply);
    } catch (error) {
      return this.guard.fault(
        x,
        this.hook,
        this.row,
        new WrongResult(error instanceof Error ? error.message : "not a reply"),
      );
    }
    this.row.end();
    return reply;
  }
}

function editsOf(x: HttpExchange) {
  return x.edits;
}

/** `done`: nothing depends on it any more, so that a fault is only said. */
export class DoneGuard {
  private readonly guard: Guard;
  private readonly row = new Row();

  constructor(guard: Guard) {
    this.guard = guard;
  }

  run(x: HttpExchange): void {
    const { hooks, config, version } = this.guard.subject;
    if (x.startedAt >= this.guard.standing.stoppedSinceMs) return;
    const { cells } = pulse;
    cells[cell.current] = version;
    try {
      hooks.done!(x, config);
      this.row.end();
    } catch (error) {
      this.report(x, error);
    }
    cells[cell.current] = 0;
  }

  private report(x: HttpExchange, error: unknown): void {
    try {
      this.guard.fault(x, "done", this.row, error);
    } catch {
      // The exchange has ended: nothing of it can fail any more.
    }
  }
}

/** `attempt`: waits for upstreams, so that it has no budget. */
export class AttemptGuard {
  private readonly guard: Guard;
  private readonly row = new Row();

  constructor(guard: Guard) {
    this.guard = guard;
  }

  async run(x: HttpExchange, send: Send): Promise<void> {
    const { hooks, config, version } = this.guard.subject;
    if (x.startedAt >= this.guard.standing.stoppedSinceMs) return void (await send());
    let sent: ReturnType<Send> | undefined;
    const noted: Send = () => {
      sent = send();
      return sent;
    };
    try {
      pulse.cells[cell.current] = version;
      const attempt = hooks.attempt!(x, noted, config);
      pulse.cells[cell.current] = 0;
      await attempt;
      if (sent === undefined) throw new WrongResult("it ended without sending the request");
      this.row.end();
    } catch (error) {
      pulse.cells[cell.current] = 0;
      this.guard.fault(x, "attempt", this.row, error);
      await (sent ?? send());
    }
  }
}
