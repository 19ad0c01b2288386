/** What the person at the terminal asks of `dev`: by signals, and by a line typed. */

export type Request = "stop" | "restart";

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const restartSignal = "SIGUSR2";

/** Requests in order of arrival. Taking them from the process starts with construction and ends with `close`. */
export class Requests {
  readonly #waiting: Request[] = [];
  #taker: ((request: Request) => void) | undefined;
  readonly #stop = () => this.#add("stop");
  readonly #restart = () => this.#add("restart");
  readonly #typed = (text: Buffer) => {
    if (/^\s*r\s*$/im.test(text.toString())) this.#add("restart");
  };

  constructor() {
    for (const signal of stopSignals) process.on(signal, this.#stop);
    process.on(restartSignal, this.#restart);
    if (process.stdin.isTTY) process.stdin.on("data", this.#typed);
  }

  #add(request: Request): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker) taker(request);
    else this.#waiting.push(request);
  }

  /** The next request; ask again only after it came. */
  next(): Promise<Request> {
    const request = this.#waiting.shift();
    if (request !== undefined) return Promise.resolve(request);
    return new Promise((resolve) => {
      this.#taker = resolve;
    });
  }

  close(): void {
    for (const signal of stopSignals) process.off(signal, this.#stop);
    process.off(restartSignal, this.#restart);
    if (!process.stdin.isTTY) return;
    process.stdin.off("data", this.#typed);
    process.stdin.pause();
  }
}
