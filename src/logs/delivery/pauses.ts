/** Waiting that ends early: when everything gets urgent, and when nothing should be tried any more. */

/** Longest pause while everything is to be delivered now: what is not may be gone with the pod. */
const hurriedPauseMs = 1_000;

export class Pauses {
  readonly signal: AbortSignal;
  isHurried = false;
  private end = () => {};

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  /** Ends the pause under way; no later one is long. */
  hurry(): void {
    this.isHurried = true;
    this.end();
  }

  /** Resolves with false when the signal is aborted. */
  sleep(ms: number): Promise<boolean> {
    const { signal } = this;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.end = () => {};
        resolve(!signal.aborted);
      };
      const timer = setTimeout(done, this.isHurried ? Math.min(ms, hurriedPauseMs) : ms);
      signal.addEventListener("abort", done, { once: true });
      this.end = done;
      if (signal.aborted) done();
    });
  }

  /** What `work` comes to, or undefined when the signal is aborted first. */
  unlessAborted<T>(work: Promise<T>): Promise<T | undefined> {
    const { signal } = this;
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const abort = () => resolve(undefined);
      signal.addEventListener("abort", abort, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }
}
