/** How long a promise of a filter may be awaited: one coarse wheel looks at all of them. */
import { Timed, type TimerWheel } from "../net/wheel.ts";
import { pulse } from "./pulse.ts";

/** What is thrown when the time is over. */
export class Late extends Error {}

class Call<T> extends Timed {
  readonly result: Promise<T>;
  private readonly wheel: TimerWheel;
  private readonly budgetMs: number;
  private settle: { resolve(value: T): void; reject(error: unknown): void };

  constructor(wheel: TimerWheel, budgetMs: number, promise: Promise<T>, version: number) {
    super();
    const { promise: result, ...settle } = Promise.withResolvers<T>();
    this.wheel = wheel;
    this.budgetMs = budgetMs;
    this.result = result;
    this.settle = settle;
    wheel.set(this, budgetMs);
    pulse.await(version);
    promise.then(
      (value) => {
        this.end();
        settle.resolve(value);
      },
      (error) => {
        this.end();
        settle.reject(error);
      },
    );
  }

  private end(): void {
    pulse.settled();
    this.wheel.clear(this);
  }

  override onDeadline(): void {
    this.settle.reject(new Late(`no result within ${this.budgetMs} ms`));
  }
}

/** The promise's outcome, or a `Late` when it does not come in time; what comes after that is dropped. */
export function withinBudget<T>(wheel: TimerWheel, budgetMs: number, promise: Promise<T>, version: number): Promise<T> {
  return new Call(wheel, budgetMs, promise, version).result;
}
