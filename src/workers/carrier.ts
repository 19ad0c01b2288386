/**
 * One of several threads that carry traffic: an engine, listeners and a pool of its own, and nothing it must ask main
 * for while requests run.
 *
 *   main --prepare, commit, abort, announce, drain, stop--> Traffic
 *        <--answers-- <--series-- <--doorbell of its rings--
 */
import { systemClock } from "../clock.ts";
import { filtersOf } from "../config/filters-of.ts";
import type { Emit, Thread } from "../contracts.ts";
import type { FilterRegistry } from "../http/compile.ts";
import { listenerKey } from "../listening.ts";
import { Doorbell } from "../logs/doorbell.ts";
import { RecordRing } from "../logs/record-ring.ts";
import { Listener } from "../net/listen.ts";
import { ownCalls } from "../net/own-calls.ts";
import { surviveUnexpected } from "../telemetry/unexpected.ts";
import { type Prepared, Traffic, type TrafficWorkerOptions } from "../traffic.ts";
import { pulse as filterPulse } from "../user-filters/pulse.ts";
import type { Request, StartMessage, ToMain, ToWorker } from "./messages.ts";
import { Pulse } from "./pulse.ts";
import { refusalOf } from "./refusal.ts";
import { WorkerTelemetry } from "./worker-telemetry.ts";

/** How often main is told how much runs. */
const tellEveryMs = 200;

/** What all threads do alike is said by the first. */
const saidOnce = new Set(["listener_bound", "listener_closed", "certificate_expires", "certificate_expired"]);

export class Carrier {
  private readonly tell: (message: ToMain) => void;
  private readonly telemetry: WorkerTelemetry;
  private readonly records: RecordRing;
  private readonly doorbell: Doorbell;
  private readonly pulse: Pulse;
  private readonly traffic: Traffic;
  private readonly telling: ReturnType<typeof setInterval>;
  private ports: ReadonlyMap<string, number> = new Map();
  private prepared: Prepared | undefined;
  /** The change of config that is under way: one step at a time, so that giving up finds what was prepared. */
  private changing: Promise<unknown> = Promise.resolve();

  constructor(
    { number, limits, log, memory }: StartMessage,
    registry: FilterRegistry,
    tell: (message: ToMain) => void,
  ) {
    this.tell = tell;
    this.doorbell = new Doorbell(() => tell({ type: "rings" }));
    this.pulse = new Pulse(memory.pulse);
    filterPulse.attach(memory.filters);
    ownCalls.attach(memory.calls);
    this.records = new RecordRing(memory.records);
    this.telemetry = new WorkerTelemetry({
      clock: systemClock,
      log,
      lines: new RecordRing(memory.lines),
      pulse: this.pulse,
      onSeries: (series) => tell({ type: "series", series }),
      onLine: (bytes) => this.doorbell.announce(bytes),
    });
    tell({ type: "metrics", memory: this.telemetry.metrics.buffer });
    surviveUnexpected(this.telemetry.emit);
    const resident = new Float64Array(memory.resident);
    this.traffic = new Traffic(this.thread(number), {
      ...limits,
      residentBytes: () => resident[0]!,
      registry: this.declaring(registry),
      worker: { number, connections: memory.connections, open: this.open },
    });
    this.telling = setInterval(() => this.pulse.tellExchanges(this.traffic.active.exchanges), tellEveryMs);
  }

  take(message: Exclude<ToWorker, StartMessage>): void {
    if (message.type === "request") void this.answer(message.id, message.request);
    else if (message.type === "announce") this.traffic.announce();
    else this.traffic.recant();
  }

  private thread(number: number): Thread {
    const { emit, metrics } = this.telemetry;
    const others: Emit = (event, fields) => {
      if (!saidOnce.has(event)) emit(event, fields);
    };
    return {
      clock: systemClock,
      random: randomFraction,
      emit: number === 1 ? emit : others,
      metrics,
      record: this.record,
    };
  }

  private readonly record: Thread["record"] = (stream, line) => {
    const taken = this.records.append(line);
    if (taken) this.doorbell.announce(line.length);
    else this.telemetry.metrics.counter("outrigger_records_dropped_total", { stream }).add(1);
    return taken;
  };

  /** The registry, whose drop-ins are declared before they are made. */
  private declaring(registry: FilterRegistry): FilterRegistry {
    const declared = async (load: FilterRegistry[string]) => {
      const module = await load();
      this.telemetry.declare(module.default);
      return module;
    };
    return Object.fromEntries(Object.entries(registry).map(([name, load]) => [name, () => declared(load)]));
  }

  private readonly open: TrafficWorkerOptions["open"] = (config, accept) => {
    const port = this.ports.get(listenerKey(config)) ?? config.listen.port;
    return Listener.open({ ...config.listen, port }, accept, { shared: true });
  };

  private async answer(id: number, request: Request): Promise<void> {
    try {
      this.reply({ type: "answer", id, cut: await this.fulfil(request) });
    } catch (error) {
      this.reply({ type: "answer", id, cut: 0, refusal: refusalOf(error) });
    }
  }

  /** What was said before it is read before it. */
  private reply(answer: ToMain): void {
    this.doorbell.ring();
    this.tell(answer);
  }

  private fulfil(request: Request): Promise<number> | number {
    if (request.type === "drain") return this.traffic.drain(request.withinMs).then(({ cut }) => cut);
    if (request.type === "stop") return this.stop();
    const step = this.changing.then(() => this.change(request));
    this.changing = step.catch(() => undefined);
    return step;
  }

  private async change(request: Extract<Request, { type: "prepare" | "commit" | "abort" }>): Promise<number> {
    const { prepared } = this;
    this.prepared = undefined;
    if (request.type === "prepare") {
      this.ports = request.ports;
      for (const filter of filtersOf(request.config)) this.telemetry.declare(filter);
      this.prepared = await this.traffic.prepare(request.config);
    } else prepared?.[request.type]();
    return 0;
  }

  private stop(): number {
    clearInterval(this.telling);
    this.traffic.stop();
    this.telemetry.close();
    return 0;
  }
}

function randomFraction(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

declare const self: { onmessage: (event: MessageEvent<ToWorker>) => void; postMessage(message: ToMain): void };

/** Makes this thread one that carries traffic, with the filters there are. */
export function carryTraffic(registry: FilterRegistry): void {
  let carrier: Carrier | undefined;
  self.onmessage = ({ data }) => {
    if (data.type === "start") carrier = new Carrier(data, registry, (message) => self.postMessage(message));
    else carrier?.take(data);
  };
}
