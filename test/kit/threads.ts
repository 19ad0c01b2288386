/** Traffic in several threads of the test's own process, with the filters of `odd-worker.ts`. */
import type { Config } from "../../src/config/schema.ts";
import type { RecordRing } from "../../src/logs/record-ring.ts";
import { MetricsRegion, spineMetrics, totalOf } from "../../src/metrics.ts";
import { TrafficWorkers, type TrafficWorkersOptions } from "../../src/workers/traffic-workers.ts";
import { configOf, type ListenerOptions, listenerOf, type Reported } from "./engine.ts";
import { Wire } from "./wire.ts";

export interface ThreadsOptions extends Partial<TrafficWorkersOptions["limits"]> {
  count?: number;
  residentBytes?: () => number;
}

export function spawnOddWorker(): Worker {
  return new Worker(new URL("./odd-worker.ts", import.meta.url), { smol: true });
}

export class Threads {
  readonly traffic: TrafficWorkers;
  /** What main says. */
  readonly events: Reported[] = [];
  /** What the threads say: lines of the own log. */
  readonly lines: Record<string, unknown>[] = [];
  readonly metrics = new MetricsRegion(spineMetrics, { strict: true });
  failures = 0;
  /** How long a thread may take to prepare a config; may be changed at any time. */
  preparingMs = 60_000;
  private readonly rings: RecordRing[] = [];

  constructor({ count = 2, maxConnections = 10_000, memoryLimitBytes, ...options }: ThreadsOptions = {}) {
    const patience = () => this.preparingMs;
    this.traffic = new TrafficWorkers({
      get preparingMs() {
        return patience();
      },
      thread: {
        clock: { now: () => performance.now(), wall: () => Date.now() },
        random: Math.random,
        emit: (event, fields = {}) => void this.events.push({ event, fields }),
        metrics: this.metrics,
        record: () => false,
      },
      count,
      limits: { maxConnections, memoryLimitBytes: memoryLimitBytes ?? Number.POSITIVE_INFINITY },
      log: { format: "json", level: "info", strict: true },
      records: { collectFrom: (ring) => void this.rings.push(ring), wake: () => {} },
      writeLine: (line) => void this.lines.push(JSON.parse(line)),
      onFailure: () => {
        this.failures++;
      },
      spawn: spawnOddWorker,
      ...options,
    });
  }

  static async start(listeners: ListenerOptions | readonly ListenerOptions[], options: ThreadsOptions = {}) {
    const threads = new Threads(options);
    await threads.apply(listeners);
    return threads;
  }

  config(listeners: ListenerOptions | readonly ListenerOptions[]): Config {
    return configOf(("routes" in listeners ? [listeners] : listeners).map(listenerOf));
  }

  async apply(listeners: ListenerOptions | readonly ListenerOptions[]): Promise<void> {
    await (await this.traffic.prepare(this.config(listeners))).commit();
  }

  port(name?: string): number {
    const found = this.traffic.listeners.find((listener) => name === undefined || listener.name === name);
    return Number(found?.address.split(":").at(-1));
  }

  /** Connections, opened one after the other. */
  async connect(count: number, name?: string): Promise<Wire[]> {
    const wires: Wire[] = [];
    while (wires.length < count) wires.push(await Wire.connect(this.port(name)));
    return wires;
  }

  /** Adds up a counter or gauge over all threads. */
  total(metric: string): number {
    return totalOf(metric, this.traffic.metricsSources());
  }

  /** Lines of the own log about this. */
  said(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Access records that nobody took yet, thread by thread. */
  takeRecords(): string[][] {
    return this.rings.map((ring) =>
      Buffer.from(ring.take() ?? [])
        .toString()
        .split("\n")
        .slice(0, -1),
    );
  }

  stop(): Promise<void> {
    return this.traffic.stop();
  }
}
