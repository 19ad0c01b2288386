/**
 * `requestBody` and `responseBody` of a user's filter. A filter with `onError: skip` that fails in the middle of a body
 * is passed over only while it has changed nothing of it: half a body in one form and half in another is no body, so
 * then the exchange breaks.
 */
import type { Filter } from "../contracts.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { withinBudget } from "./budget.ts";
import { type Guard, WrongResult } from "./guard.ts";
import { cell, pulse } from "./pulse.ts";
import { Row } from "./standing.ts";

type Outcome = Uint8Array | null;

export class BodyGuard {
  private readonly guard: Guard;
  private readonly hook: "requestBody" | "responseBody";
  private readonly row = new Row();
  /** Exchanges of which something else went on than came; kept for filters that may be passed over. */
  private readonly changed = new WeakSet<HttpExchange>();
  /** Exchanges that go on without the filter. */
  private readonly without = new WeakSet<HttpExchange>();
  private anyWithout = false;

  constructor(guard: Guard, hook: "requestBody" | "responseBody") {
    this.guard = guard;
    this.hook = hook;
  }

  run(chunk: Uint8Array, last: boolean, x: HttpExchange): Outcome | Promise<Outcome> {
    const { guard } = this;
    const { config, version } = guard.subject;
    if (x.startedAt >= guard.standing.stoppedSinceMs || (this.anyWithout && this.without.has(x))) return chunk;
    const hooks = guard.subject.hooks as Required<Pick<Filter, "requestBody" | "responseBody">> & BodyHooks;
    const { cells } = pulse;
    let outcome: ReturnType<typeof hooks.requestBody>;
    cells[cell.current] = version;
    try {
      outcome =
        this.hook === "requestBody"
          ? hooks.requestBody(chunk, last, x, config)
          : hooks.responseBody(chunk, last, x, config);
    } catch (error) {
      cells[cell.current] = 0;
      return this.fault(x, chunk, error);
    }
    cells[cell.current] = 0;
    return outcome instanceof Promise ? this.later(x, chunk, outcome) : this.checked(x, chunk, outcome);
  }

  private async later(x: HttpExchange, chunk: Uint8Array, promise: Promise<Outcome>): Promise<Outcome> {
    const { wheel, subject } = this.guard;
    let outcome: Outcome;
    try {
      outcome = await withinBudget(wheel, subject.budgetMs, promise, subject.version);
    } catch (error) {
      return this.fault(x, chunk, error);
    }
    return this.checked(x, chunk, outcome);
  }

  private checked(x: HttpExchange, chunk: Uint8Array, outcome: Outcome): Outcome {
    if (outcome !== null && !(outcome instanceof Uint8Array)) {
      const wrong = `it returned ${outcome === undefined ? "nothing" : `a ${typeof outcome}`}, not a Uint8Array or null`;
      return this.fault(x, chunk, new WrongResult(wrong));
    }
    this.row.end();
    const isSame = outcome === chunk || (chunk.length === 0 && (outcome === null || outcome.length === 0));
    if (!isSame && this.guard.subject.skips) this.changed.add(x);
    return outcome;
  }

  /** From here on the body passes as it comes, or the exchange breaks. */
  private fault(x: HttpExchange, chunk: Uint8Array, error: unknown): Outcome {
    this.guard.fault(x, this.hook, this.row, error, !this.changed.has(x));
    this.without.add(x);
    this.anyWithout = true;
    return chunk;
  }
}

interface BodyHooks {
  requestBody(chunk: Uint8Array, last: boolean, x: HttpExchange, config: unknown): Outcome | Promise<Outcome>;
  responseBody(chunk: Uint8Array, last: boolean, x: HttpExchange, config: unknown): Outcome | Promise<Outcome>;
}
