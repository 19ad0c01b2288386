/**
 * Traffic carried by several threads, as one part of the sidecar.
 *
 *   prepare   every new address is bound here first, alone: a taken port is an error, and no listener of another process
 *             is joined in silence -> all threads prepare; one failure, and all give back what they took
 *   commit    all threads commit
 *   drain     all threads drain; what was left is added up
 *
 * Schedules' requests go through an engine of main's own, which has no listeners. A thread that ends unexpectedly has
 * taken its connections with it, and nobody knows why: that is told, and whoever started the sidecar ends it.
 */
import type { Change } from "../config/reload.ts";
import type { Config, Listener as ListenerConfig } from "../config/schema.ts";
import type { Direction, Thread } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { ConnectionLimit } from "../http/connection-limit.ts";
import { Engine } from "../http/engine.ts";
import type { HeadLimits } from "../http/head.ts";
import { type OwnAnswer, type OwnFailure, type OwnRequest, request } from "../http/request.ts";
import { type BoundAddress, bindFault, boundText, listenerKey } from "../listening.ts";
import type { MetricsSource } from "../metrics.ts";
import { Listener } from "../net/listen.ts";
import type { Records } from "../records.ts";
import { residentBytes } from "../traffic.ts";
import type { LoopLagOf, TrafficPart } from "../traffic-part.ts";
import type { LogManner, Request, WorkerLimits } from "./messages.ts";
import { PulseReader } from "./pulse.ts";
import { allocateShared, type SpawnWorker, WorkerThread } from "./worker-thread.ts";

export interface TrafficWorkersOptions {
  /** Main's own. */
  readonly thread: Thread;
  /** How many. */
  readonly count: number;
  readonly limits: WorkerLimits;
  readonly log: LogManner;
  /** Takes the threads' access records. */
  readonly records: Pick<Records, "collectFrom" | "wake">;
  /** Takes one line of a thread for the own log, newline included. */
  writeLine(line: string): void;
  /** A thread has ended unexpectedly; its listeners are gone. Called for the first one only. */
  onFailure(): void;
  /** Told of the pulse of each thread that may run users' filters. */
  watchFilters?(memory: SharedArrayBuffer): void;
  /** Default: the thread with the built-in filters. */
  readonly spawn?: SpawnWorker;
  /** Resident bytes now. */
  readonly residentBytes?: () => number;
  /** How long a thread may take to prepare a config. Default 30 s. */
  readonly preparingMs?: number;
}

interface Bound extends BoundAddress {
  readonly name: string;
  readonly direction: Direction;
}

const housekeepingMs = 1000;

/** How long a thread may take to prepare a config: it reads files, and runs what filters do when they are made. */
const preparingMs = 30_000;

/** How long it is waited for where it has to do no more than follow. One that is stuck does so later. */
const followingMs = 1000;

export class TrafficWorkers implements TrafficPart {
  private readonly options: TrafficWorkersOptions;
  private readonly engine: Engine;
  private readonly workers: readonly WorkerThread[];
  private readonly pulses: readonly PulseReader[];
  private readonly connections: ConnectionLimit;
  private readonly resident: Float64Array;
  private readonly housekeeping: ReturnType<typeof setInterval>;
  /** By `listenerKey`. */
  private bound: ReadonlyMap<string, Bound> = new Map();
  private isStopped = false;
  private hasFailed = false;

  constructor(options: TrafficWorkersOptions) {
    const { thread, limits, log, count, spawn = spawnWorker } = options;
    this.options = options;
    this.engine = new Engine(thread);
    const shared = allocateShared();
    this.connections = new ConnectionLimit(limits.maxConnections, shared.connections);
    this.resident = new Float64Array(shared.resident);
    this.workers = Array.from({ length: count }, (_, at) => {
      const number = at + 1;
      const told = {
        onLine: options.writeLine,
        onRecords: () => options.records.wake(),
        onFailure: (name: string, error: string, held: number) => this.failed(name, error, held),
      };
      return new WorkerThread({ number, limits, log, shared, spawn, ...told });
    });
    this.pulses = this.workers.map(({ memory }) => new PulseReader(memory.pulse, thread.clock));
    for (const { records, memory } of this.workers) {
      options.records.collectFrom(records);
      options.watchFilters?.(memory.filters);
    }
    this.housekeeping = setInterval(() => this.keepHouse(), housekeepingMs);
    this.countThreads();
  }

  get listeners(): TrafficPart["listeners"] {
    return [...this.bound.values()].map((bound) => ({
      name: bound.name,
      direction: bound.direction,
      address: boundText(bound),
    }));
  }

  get active(): { connections: number; exchanges: number } {
    const running = this.pulses.filter((_, at) => this.workers[at]!.isRunning);
    return {
      connections: this.connections.open,
      exchanges: running.reduce((sum, { exchanges }) => sum + exchanges, 0),
    };
  }

  request(wanted: OwnRequest): Promise<OwnAnswer | OwnFailure> {
    return request(this.engine, wanted);
  }

  /** @throws UserError: exit 3 for an address that cannot be bound, 1 for a filter that cannot be made; nothing has changed then */
  async prepare(config: Config): Promise<Change> {
    const bound = this.bind(config);
    const ports = new Map([...bound].map(([key, { port }]) => [key, port]));
    // Logs and schedules are not theirs.
    const theirs: Config = { ...config, logs: [], schedules: [] };
    await this.prepareAll({ type: "prepare", config: checkedToCross(theirs), ports });
    const { headBytes, headFields } = config.limits;
    return { commit: () => this.commit(bound, { headBytes, headFields }), abort: () => this.follow({ type: "abort" }) };
  }

  /** Where every listener is or will be. The new addresses are free at this moment: all of them at once. */
  private bind(config: Config): ReadonlyMap<string, Bound> {
    const probes: Listener[] = [];
    const place = (listener: ListenerConfig): [string, Bound] => {
      const { name, direction, listen } = listener;
      const key = listenerKey(listener);
      const known = this.bound.get(key);
      if (known !== undefined) return [key, { ...known, name, direction }];
      const probe = this.probe(listener, config.file);
      probes.push(probe);
      return [key, { name, direction, listen, port: probe.port }];
    };
    try {
      return new Map([...config.inbound, ...config.outbound].map(place));
    } finally {
      for (const probe of probes) probe.close();
    }
  }

  private probe(listener: ListenerConfig, file: string): Listener {
    try {
      return Listener.open(listener.listen, (connection) => connection.destroy());
    } catch (error) {
      throw bindFault(file, listener, error, [...this.bound.values()]);
    }
  }

  private async prepareAll(prepare: Request): Promise<void> {
    const { preparingMs: withinMs = preparingMs } = this.options;
    const results = await Promise.allSettled(this.workers.map((worker) => worker.askWithin(withinMs, prepare)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return;
    // Whoever failed has nothing to give back; whoever is late will have, and finds this behind it.
    await this.follow({ type: "abort" });
    throw failed.reason;
  }

  private commit(bound: ReadonlyMap<string, Bound>, limits: HeadLimits): Promise<void> {
    this.bound = bound;
    this.engine.responseLimits = limits;
    return this.follow({ type: "commit" });
  }

  /** Never rejects: a thread that is gone is told of elsewhere. */
  private async follow(request: Request): Promise<void> {
    await Promise.allSettled(this.workers.map((worker) => worker.askWithin(followingMs, request)));
  }

  announce(): void {
    for (const worker of this.workers) worker.announce();
  }

  recant(): void {
    for (const worker of this.workers) worker.recant();
  }

  async drain(deadlineMs: number): Promise<{ cut: number }> {
    const wanted = { type: "drain", withinMs: deadlineMs } as const;
    const results = await Promise.allSettled(this.workers.map((worker) => worker.ask(wanted)));
    return { cut: results.reduce((sum, result) => sum + (result.status === "fulfilled" ? result.value : 0), 0) };
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.housekeeping);
    await this.follow({ type: "stop" });
    for (const worker of this.workers) worker.end();
    this.bound = new Map();
    this.countThreads();
    this.engine.stop();
  }

  metricsSources(): readonly MetricsSource[] {
    return this.workers.flatMap(({ mirror }) => mirror ?? []);
  }

  takeLoopLags(): readonly LoopLagOf[] {
    return this.workers.flatMap(({ name, isRunning }, at) =>
      isRunning ? [{ thread: name, seconds: this.pulses[at]!.takeLag() }] : [],
    );
  }

  private keepHouse(): void {
    for (const pulse of this.pulses) pulse.look();
    this.resident[0] = (this.options.residentBytes ?? residentBytes)();
  }

  private failed(thread: string, error: string, connections: number): void {
    if (this.isStopped) return;
    this.connections.give(connections); // they ended with it: the others have their places
    this.options.thread.emit("traffic_thread_failed", { thread, error });
    this.countThreads();
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.options.onFailure();
  }

  private countThreads(): void {
    const running = this.workers.filter(({ isRunning }) => isRunning);
    this.options.thread.metrics.gauge("outrigger_traffic_threads").set(running.length);
  }
}

function spawnWorker(): Worker {
  return new Worker(new URL("./traffic-worker.ts", import.meta.url), { smol: true });
}

/** @throws UserError (exit 1) that names the policy whose options are more than plain data */
function checkedToCross(config: Config): Config {
  try {
    return structuredClone(config);
  } catch (error) {
    throw new UserError(`${config.file}: ${uncrossable(config) ?? `it cannot be copied to a thread: ${error}`}`, 1);
  }
}

function uncrossable({ inbound, outbound }: Config): string | undefined {
  for (const { direction, name, routes, policies } of [...inbound, ...outbound]) {
    for (const [filter, options] of [policies, ...routes.map((route) => route.policies)].flatMap(Object.entries)) {
      if (!crosses(options))
        return `${direction} "${name}": the options of ${filter} hold more than plain data, and so cannot be used with concurrency above 1; remove concurrency`;
    }
  }
  return undefined;
}

function crosses(options: unknown): boolean {
  try {
    structuredClone(options);
    return true;
  } catch {
    return false;
  }
}
