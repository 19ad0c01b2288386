/** What all exchanges of one thread share. */
import type { Counter, Thread } from "../contracts.ts";
import { type FailureCode, failures } from "../errors.ts";
import type { Target } from "../net/target.ts";
import { TimerWheel } from "../net/wheel.ts";
import type { HeadLimits } from "./head.ts";
import { Pool } from "./pool.ts";

/** Two digits each. */
const hexadecimal = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

export class Engine {
  readonly thread: Thread;
  readonly wheel: TimerWheel;
  /** From now on answers say `Connection: close`. */
  announcing = false;
  /** New requests are refused: memory is short. */
  overloaded = false;
  /** Ports this sidecar listens on. */
  ownPorts: ReadonlySet<number> = new Set();
  /** Those of them to which connections are redirected. */
  capturePorts: ReadonlySet<number> = new Set();
  activeExchanges = 0;
  responseLimits: HeadLimits = { headBytes: 64 * 1024, headFields: 200 };
  private readonly failureCounters = new Map<FailureCode, Counter>();
  private readonly pools = new Map<string, Pool>();
  private readonly idPrefix: string;
  private sequence = 0;
  /** The id without its last two digits. */
  private idBlock: string;
  private dateText = "";
  private dateSecond = -1;

  constructor(thread: Thread, worker = 0) {
    this.thread = thread;
    this.wheel = new TimerWheel(thread.clock);
    for (const code of Object.keys(failures) as FailureCode[]) {
      this.failureCounters.set(code, thread.metrics.counter("outrigger_failures_total", { code }));
    }
    // The worker's number comes first, so that a question about an id goes to one thread only.
    const seed = Math.floor(thread.random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0");
    this.idPrefix = `${worker.toString(16)}-${Math.floor(thread.clock.wall() / 1000).toString(16)}${seed}-`;
    this.idBlock = this.idPrefix;
  }

  /** A request id that no other process or thread makes. */
  nextId(): string {
    const low = ++this.sequence & 0xff;
    if (low === 0) this.idBlock = this.idPrefix + (this.sequence / 256).toString(16);
    return this.idBlock + hexadecimal[low]!;
  }

  /** The pool of a target; kept over reloads, so that connections are, too. */
  pool(target: Target): Pool {
    let pool = this.pools.get(target.key);
    if (pool === undefined) {
      pool = new Pool(target, this);
      this.pools.set(target.key, pool);
    }
    return pool;
  }

  /** Lets go of every other pool: each new certificate of ours makes pools that no route uses afterwards. */
  keepPools(used: ReadonlySet<Pool>): void {
    for (const [key, pool] of this.pools) {
      if (used.has(pool)) continue;
      this.pools.delete(key);
      pool.close();
    }
  }

  countFailure(code: FailureCode): void {
    this.failureCounters.get(code)!.add(1);
  }

  /** A connection of HTTP/2 had to be ended: whose it was, the error's name, and why. */
  readonly reportHttp2 = (peer: string, code: string, detail: string): void => {
    this.countFailure("http2_fault");
    this.thread.emit("http2_fault", { peer, code, detail });
  };

  /** The value of a Date field (RFC 9110 section 6.6.1), made once a second. */
  date(): string {
    const second = Math.floor(this.thread.clock.wall() / 1000);
    if (second !== this.dateSecond) {
      this.dateSecond = second;
      this.dateText = new Date(second * 1000).toUTCString();
    }
    return this.dateText;
  }

  stop(): void {
    for (const pool of this.pools.values()) pool.close();
    this.wheel.stop();
  }
}
