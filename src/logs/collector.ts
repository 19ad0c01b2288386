/**
 * Main's side of the log worker, and the only way to it.
 *
 *   record -> ring (shared memory) -> doorbell, at most every 50 ms or 64 KiB -> worker -> stdout
 *   records of other threads -> their own rings -> wake ----------------------^
 *   reload, drain, state, stop -> question -> answer
 *
 * A worker that fails is started again: files are the buffer, so it goes on from its last checkpoint.
 */
import type { Config } from "../config/schema.ts";
import type { LogSourceState, RecordStream, Thread } from "../contracts.ts";
import { MetricsMirror, type MetricsSource } from "../metrics.ts";
import { errorOf, lastWords, type Refusal } from "../workers/refusal.ts";
import { Doorbell } from "./doorbell.ts";
import type { Question, ToMain, ToWorker } from "./messages.ts";
import type { Leftover } from "./pipeline.ts";
import { RecordRing } from "./record-ring.ts";
import { type LogTail, Tail } from "./tail.ts";
import type { TapFilter } from "./tap.ts";

export interface CollectorOptions {
  readonly logs: Config["logs"];
  /** The sidecar's state folder; the collector keeps its things in `logs/` within it. */
  readonly stateDir: string;
  /** The worker's events are said through its `emit`. */
  readonly thread: Thread;
  /** The folder relative paths start from: that of the config file. Default: the working directory. */
  readonly folder?: string;
  /** Record rings of other threads: `wake` says that something waits in one. */
  readonly rings?: readonly SharedArrayBuffer[];
}

const ringBytes = 1024 * 1024;
/** Each costs memory, and the log worker's time while lines pass. */
const mostTails = 8;
const firstRestartMs = 1_000;
const lastRestartMs = 30_000;

type Unnumbered<Q> = Q extends Question ? Omit<Q, "id"> : never;

interface Asked {
  readonly resolve: (value: Leftover | LogSourceState[] | undefined) => void;
  readonly reject: (error: Error) => void;
}

export class Collector {
  private readonly options: CollectorOptions;
  private readonly rings: Readonly<Record<RecordStream, RecordRing>>;
  private readonly mirrors: MetricsMirror[] = [];
  private readonly asked = new Map<number, Asked>();
  private readonly tails = new Map<number, Tail>();
  private logs: Config["logs"];
  private worker: Worker | undefined;
  private started = Promise.withResolvers<void>();
  private lastId = 0;
  private readonly doorbell = new Doorbell(() => this.wake());
  private restartMs = firstRestartMs;
  private restart: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  private constructor(options: CollectorOptions) {
    this.options = options;
    this.logs = options.logs;
    const ring = () => new RecordRing(RecordRing.allocate(ringBytes));
    this.rings = { schedule: ring(), access: ring() };
  }

  /** Rejects with a UserError when the state folder cannot be used or an entry cannot be made. */
  static async start(options: CollectorOptions): Promise<Collector> {
    const collector = new Collector(options);
    collector.spawn();
    try {
      await collector.started.promise;
    } catch (error) {
      collector.end();
      throw error;
    }
    return collector;
  }

  /** Appends a line for stdout; false when the ring is full. The caller counts what is dropped. */
  readonly record: Thread["record"] = (stream, line) => {
    const ring = this.rings[stream];
    if (this.stopped || !ring.append(line)) return false;
    this.doorbell.announce(line.length);
    return true;
  };

  /** Something waits in a ring. */
  wake(): void {
    this.tell({ type: "records" });
  }

  /** Swaps to other entries; rejects, the old ones staying, when one cannot be made. */
  async reload(logs: Config["logs"]): Promise<void> {
    await this.ask({ type: "reload", logs });
    this.logs = logs;
  }

  /**
   * Reads every file to its end and delivers, for at most `withinMs` milliseconds. A second call ends the first: the
   * last checkpoint is written at once.
   */
  async drain(withinMs: number): Promise<Leftover> {
    const left = await this.ask({ type: "drain", withinMs });
    if (left === undefined || Array.isArray(left)) throw new Error("the log worker gave no answer to a drain");
    return left;
  }

  /** One row per file. */
  async state(): Promise<LogSourceState[]> {
    const rows = await this.ask({ type: "state" });
    return Array.isArray(rows) ? rows : [];
  }

  /** Lines as they pass from now on; undefined where too many watch already. */
  tail(filter: TapFilter): LogTail | undefined {
    if (this.tails.size >= mostTails) return undefined;
    const id = ++this.lastId;
    const tail = new Tail(filter, () => {
      this.tails.delete(id);
      this.tell({ type: "untap", id });
    });
    this.tails.set(id, tail);
    this.tap(id, tail);
    return tail;
  }

  /** Writes the last checkpoint and ends the worker. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    try {
      await this.ask({ type: "stop" });
    } finally {
      this.end();
    }
  }

  /** The worker's numbers, for the scrape. */
  metricsSources(): readonly MetricsSource[] {
    return this.mirrors;
  }

  private spawn(): void {
    // A small heap: 0.2 MB less at rest, and no loss of speed that could be measured.
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { smol: true });
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<ToMain>) => this.hear(data);
    worker.onerror = (event) => this.failed(worker, lastWords(event.message));
    const { stateDir, folder = process.cwd(), rings: otherRings = [] } = this.options;
    const rings = { schedule: this.rings.schedule.memory, access: this.rings.access.memory };
    this.tell({ type: "start", logs: this.logs, stateDir, folder, rings, otherRings });
    for (const [id, tail] of this.tails) this.tap(id, tail);
  }

  private tap(id: number, { filter, memory }: Tail): void {
    this.tell({ type: "tap", id, filter, memory });
  }

  private tell(message: ToWorker): void {
    this.worker?.postMessage(message);
  }

  private ask(question: Unnumbered<Question>): Promise<Leftover | LogSourceState[] | undefined> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (this.worker === undefined) return reject(new Error("the log worker does not run"));
      this.asked.set(id, { resolve, reject });
      this.tell({ ...question, id });
    });
  }

  private hear(message: ToMain): void {
    switch (message.type) {
      case "metrics":
        this.mirrors.push(new MetricsMirror(message.memory));
        break;
      case "series":
        this.mirrors.at(-1)?.add(message.series);
        break;
      case "event":
        this.options.thread.emit(message.event, message.fields);
        break;
      case "tapped":
        for (const tail of this.tails.values()) tail.wake();
        break;
      case "started":
        this.heardStarted(message.refusal);
        break;
      case "answer": {
        const asked = this.asked.get(message.id);
        this.asked.delete(message.id);
        if (message.refusal === undefined) asked?.resolve(message.value);
        else asked?.reject(errorOf(message.refusal));
      }
    }
  }

  private heardStarted(refusal: Refusal | undefined): void {
    if (refusal !== undefined) this.started.reject(errorOf(refusal));
    else {
      this.restartMs = firstRestartMs;
      this.started.resolve();
    }
  }

  /** An error nobody caught ended the worker. */
  private failed(worker: Worker, error: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    worker.terminate();
    this.mirrors.at(-1)?.clearGauges();
    this.started.reject(new Error(error));
    for (const { reject } of this.asked.values()) reject(new Error(error));
    this.asked.clear();
    if (this.stopped) return;
    this.options.thread.emit("log_worker_failed", { error });
    this.restart = setTimeout(() => this.again(), this.restartMs);
    this.restartMs = Math.min(this.restartMs * 2, lastRestartMs);
  }

  private again(): void {
    this.started = Promise.withResolvers();
    this.started.promise.catch((error: Error) => {
      const worker = this.worker;
      if (worker !== undefined) this.failed(worker, error.message);
    });
    this.spawn();
  }

  private end(): void {
    this.stopped = true;
    for (const tail of [...this.tails.values()]) tail.close();
    this.doorbell.stop();
    clearTimeout(this.restart);
    this.worker?.terminate();
    this.worker = undefined;
  }
}
