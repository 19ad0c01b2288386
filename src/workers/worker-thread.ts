/**
 * Main's side of one thread that carries traffic.
 *
 *   ask -> answer                          in the order in which it was asked
 *   its numbers, its lines, its records    read from shared memory
 *   its unexpected end                     told once; what it still owed is refused
 */
import { ConnectionLimit } from "../http/connection-limit.ts";
import { RecordRing } from "../logs/record-ring.ts";
import { MetricsMirror, totalOf } from "../metrics.ts";
import { allocateOwnCalls } from "../net/own-calls.ts";
import { allocateFilterPulse } from "../user-filters/pulse.ts";
import type { LogManner, Request, SharedMemory, ToMain, ToWorker, WorkerLimits } from "./messages.ts";
import { allocatePulse } from "./pulse.ts";
import { errorOf, lastWords } from "./refusal.ts";

/** Memory that was never written to costs nothing. */
const recordBytes = 1024 * 1024;
const lineBytes = 256 * 1024;

/** Makes a thread that runs `carryTraffic`. */
export type SpawnWorker = () => Worker;

export interface WorkerThreadOptions {
  /** Counted from 1. */
  readonly number: number;
  readonly limits: WorkerLimits;
  readonly log: LogManner;
  /** What all threads share. */
  readonly shared: Pick<SharedMemory, "connections" | "resident" | "calls">;
  readonly spawn: SpawnWorker;
  /** One line for the own log, newline included. */
  onLine(line: string): void;
  /** Access records wait in its ring. */
  onRecords(): void;
  /** It ended and should not have, with so many connections. Called once. */
  onFailure(thread: string, error: string, connections: number): void;
}

/** Memory for `WorkerThreadOptions.shared`. */
export function allocateShared(): WorkerThreadOptions["shared"] {
  return {
    connections: ConnectionLimit.allocate(),
    resident: new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT),
    calls: allocateOwnCalls(),
  };
}

interface Asked {
  readonly resolve: (cut: number) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerThread {
  readonly number: number;
  readonly memory: SharedMemory;
  readonly records: RecordRing;
  /** Its numbers, once it has begun. They stay when it is gone. */
  mirror: MetricsMirror | undefined;
  private readonly options: WorkerThreadOptions;
  private readonly lines: RecordRing;
  private readonly worker: Worker;
  private readonly asked = new Map<number, Asked>();
  private lastId = 0;
  private ended: Error | undefined;

  constructor(options: WorkerThreadOptions) {
    const { number, limits, log, shared, spawn } = options;
    this.number = number;
    this.options = options;
    this.records = new RecordRing(RecordRing.allocate(recordBytes));
    this.lines = new RecordRing(RecordRing.allocate(lineBytes));
    const own = { pulse: allocatePulse(), filters: allocateFilterPulse() };
    this.memory = { ...shared, ...own, records: this.records.memory, lines: this.lines.memory };
    this.worker = spawn();
    this.worker.onmessage = ({ data }: MessageEvent<ToMain>) => this.hear(data);
    this.worker.onerror = ({ message }) => this.fail(lastWords(message));
    this.worker.addEventListener("close", () => this.fail("it ended by itself"));
    this.tell({ type: "start", number, limits, log, memory: this.memory });
  }

  get isRunning(): boolean {
    return this.ended === undefined;
  }

  /** `traffic-2` */
  get name(): string {
    return `traffic-${this.number}`;
  }

  /** Resolves to what a drain left running, else 0. Rejects as what was asked failed, or when the thread is gone. */
  ask(request: Request): Promise<number> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) return reject(this.ended);
      this.tell({ type: "request", id, request });
      this.asked.set(id, { resolve, reject });
    });
  }

  /** The same, but rejects when there is no answer within `withinMs`: the thread is stuck. */
  async askWithin(withinMs: number, request: Request): Promise<number> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`${this.name} does not answer`)), withinMs);
    try {
      return await Promise.race([this.ask(request), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  announce(): void {
    this.tell({ type: "announce" });
  }

  recant(): void {
    this.tell({ type: "recant" });
  }

  /** Ends it at once. */
  end(): void {
    this.endWith(new Error("the thread was ended"));
    this.worker.terminate();
  }

  private tell(message: ToWorker): void {
    if (this.isRunning) this.worker.postMessage(message);
  }

  private hear(message: ToMain): void {
    if (message.type === "metrics") this.mirror = new MetricsMirror(message.memory);
    else if (message.type === "series") this.mirror?.add(message.series);
    else if (message.type === "rings") this.readRings();
    else {
      const asked = this.asked.get(message.id);
      this.asked.delete(message.id);
      if (message.refusal === undefined) asked?.resolve(message.cut);
      else asked?.reject(errorOf(message.refusal));
    }
  }

  private readRings(): void {
    const lines = this.lines.take();
    if (lines !== undefined)
      for (const line of Buffer.from(lines).toString().match(/.*\n/g) ?? []) this.options.onLine(line);
    if (this.records.waiting > 0) this.options.onRecords();
  }

  private fail(error: string): void {
    if (!this.isRunning) return;
    const connections = totalOf("outrigger_connections", this.mirror === undefined ? [] : [this.mirror]);
    this.endWith(new Error(error));
    this.worker.terminate();
    this.options.onFailure(this.name, error, connections);
  }

  private endWith(error: Error): void {
    if (!this.isRunning) return;
    this.ended = error;
    this.readRings();
    this.mirror?.clearGauges();
    for (const { reject } of this.asked.values()) reject(error);
    this.asked.clear();
  }
}
