/**
 * Every number the spine counts, and the memory it is counted in.
 *
 *   thread A  MetricsRegion [ float | float | float ... ] --+
 *   thread B  MetricsRegion [ float | float | float ... ] --+--> admin/metrics sums them at scrape
 *
 * A region is one SharedArrayBuffer of float64 cells, written by one thread only, so an add needs no lock:
 * it costs about 2 ns. The directory (which series lives in which cells) only grows; a thread other than main
 * hands each new entry over through `onSeries`.
 */

import type { Counter, Gauge, Histogram, MetricDeclaration, Metrics } from "./contracts.ts";
import { logMetrics } from "./logs/declarations.ts";
import { type Cell, cellAt, widthOf } from "./telemetry/cells.ts";

/** Declarations by metric name. Drop-ins bring tables of their own. */
export type MetricTable = Readonly<Record<string, MetricDeclaration>>;

const labelSetsDropped = "outrigger_metric_label_sets_dropped_total";
const listenerLabels = ["direction", "listener"] as const;

export const spineMetrics = {
  outrigger_build_info: { kind: "gauge", doc: "Always 1; the version is a label.", labels: ["version"] },
  outrigger_requests_total: {
    kind: "counter",
    doc: "Exchanges that ended, by the class of their status.",
    labels: ["direction", "listener", "route", "class"],
  },
  outrigger_request_duration_seconds: {
    kind: "histogram",
    doc: "Time from a complete request head to the end of the exchange; tunnels are not in it.",
    labels: listenerLabels,
  },
  outrigger_connections: { kind: "gauge", doc: "Open client connections.", labels: listenerLabels },
  outrigger_detect_timeouts_total: {
    kind: "counter",
    doc: "Connections of an `auto` listener that were taken for opaque bytes because they sent too little to tell in time.",
    labels: listenerLabels,
  },
  outrigger_certificate_expiry_timestamp_seconds: {
    kind: "gauge",
    doc: "Unix time at which a configured certificate expires.",
    labels: ["file"],
    isFact: true,
  },
  outrigger_tunnels: {
    kind: "gauge",
    doc: "Open tunnels: connections that have changed the protocol (WebSocket), CONNECT, and TCP.",
    labels: listenerLabels,
  },
  outrigger_streams_total: {
    kind: "counter",
    doc: "Connections of listeners for TCP and for TLS passed through that ended, by how: closed in good order, near_broken (by the client), far_broken (by the upstream), idle, cut (by a stop), failed (no upstream), refused (no route).",
    labels: ["direction", "listener", "route", "result"],
  },
  outrigger_stream_duration_seconds: {
    kind: "histogram",
    doc: "Time from accept to the end of a connection that is counted in outrigger_streams_total.",
    labels: listenerLabels,
  },
  outrigger_upstream_connects_total: {
    kind: "counter",
    doc: "Connections opened to upstreams.",
    labels: ["listener"],
  },
  outrigger_failures_total: {
    kind: "counter",
    doc: "Exchanges that failed and connections that were turned away, by reason code.",
    labels: ["code"],
  },
  outrigger_received_bytes_total: { kind: "counter", doc: "Bytes received from clients.", labels: listenerLabels },
  outrigger_sent_bytes_total: { kind: "counter", doc: "Bytes sent to clients.", labels: listenerLabels },
  outrigger_filter_faults_total: {
    kind: "counter",
    doc: "Faults of filters: it threw, was late (overran its budget), or returned what its hook must not (wrong). `-` is a built-in filter.",
    labels: ["filter", "listener", "fault"],
  },
  outrigger_filter_stopped: {
    kind: "gauge",
    doc: "1 while a filter is stopped after faults: its requests get 503, or go on without it, until it changes.",
    labels: ["filter", "listener"],
  },
  outrigger_filter_loads_total: { kind: "counter", doc: "Versions of filters in TypeScript that were loaded." },
  outrigger_filter_restart_needed: {
    kind: "gauge",
    doc: "1 when so many versions of filters were loaded that a restart would free memory.",
  },
  outrigger_upstream_connect_failures_total: {
    kind: "counter",
    doc: "Connections to upstreams that could not be opened, by reason code.",
    labels: ["code"],
  },
  outrigger_exchanges_cut_total: {
    kind: "counter",
    doc: "Exchanges still running when the time for draining was over.",
  },
  outrigger_schedule_runs_total: {
    kind: "counter",
    doc: "Runs of a schedule, by result: success, failure, or skipped because the run before had not ended.",
    labels: ["schedule", "result"],
  },
  outrigger_schedule_duration_seconds: {
    kind: "histogram",
    doc: "Time a scheduled request took, failures included.",
    labels: ["schedule"],
  },
  outrigger_schedule_last_success_timestamp_seconds: {
    kind: "gauge",
    doc: "Unix time of the last run that met its expectation; 0 before the first.",
    labels: ["schedule"],
  },
  outrigger_schedules_cut_total: {
    kind: "counter",
    doc: "Scheduled requests still running when the time for draining was over.",
  },
  outrigger_records_dropped_total: {
    kind: "counter",
    doc: "Records that could not be handed to the log worker, by stream.",
    labels: ["stream"],
  },
  ...logMetrics,
  outrigger_config_reloads_total: {
    kind: "counter",
    doc: "Reloads of the config, by result: applied or rejected.",
    labels: ["result"],
  },
  outrigger_config_last_reload_successful: {
    kind: "gauge",
    doc: "1 when the config file last read is the one that runs, 0 when it was rejected.",
  },
  outrigger_unexpected_errors_total: {
    kind: "counter",
    doc: "Exceptions and rejected promises nobody caught. Each one is a bug: please report it.",
  },
  outrigger_log_lines_dropped_total: {
    kind: "counter",
    doc: "Lines of the sidecar's own log dropped because stderr was not read fast enough.",
  },
  outrigger_events_suppressed_total: {
    kind: "counter",
    doc: "Repetitions of a warning that were counted but not written to the own log.",
    labels: ["event"],
  },
  [labelSetsDropped]: {
    kind: "counter",
    doc: "Requests for a new label set that were given the series `other` because the metric or its memory was full.",
  },
  outrigger_event_loop_lag_seconds: {
    kind: "gauge",
    doc: "How late timers ran at worst since the scrape before, by thread: main, or traffic-1, traffic-2, … with `concurrency`.",
    labels: ["thread"],
  },
  outrigger_traffic_threads: {
    kind: "gauge",
    doc: "Threads that carry traffic.",
  },
  outrigger_traffic_thread_failures_total: {
    kind: "counter",
    doc: "Threads that carried traffic and ended unexpectedly. The process ends in good order after one.",
  },
  outrigger_inbound_bypassable: {
    kind: "gauge",
    doc: "1 while the app's port behind a guarded inbound can be reached at the pod's address too, around what guards it; looked at every minute.",
    labels: ["listener", "port"],
  },
  outrigger_draining: { kind: "gauge", doc: "1 while the sidecar announces that it leaves, else 0." },
} as const satisfies MetricTable;

/** Where one series lives. Crosses threads as it is, so it holds only plain data. */
export interface Series {
  readonly name: string;
  readonly kind: MetricDeclaration["kind"];
  /** In the order of the declaration. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** Index of its first cell. */
  readonly slot: number;
}

/** What a scrape reads: cells, and the directory that names them. */
export interface MetricsSource {
  readonly values: Float64Array;
  readonly series: readonly Series[];
}

export interface RegionOptions {
  /** True throws for a metric that is not declared or is asked with other labels; false counts it nowhere. */
  strict: boolean;
  /** Size of the region in float64 cells; untouched cells cost no memory. Default 16,384. */
  cells?: number;
  /** Cells one metric may take before further label sets share its series `other`. Default 2,048. */
  cellsPerMetric?: number;
  /** Called once for each new series. */
  onSeries?: (series: Series) => void;
  /** Called once for each metric that had to refuse a label set. */
  onFull?: (metric: string) => void;
}

/** What one metric has taken of a region. */
interface Usage {
  readonly declaration: MetricDeclaration;
  readonly width: number;
  cells: number;
  full: boolean;
}

/** The numbers of one thread. Only that thread may write; every thread may read. */
export class MetricsRegion implements Metrics, MetricsSource {
  readonly buffer: SharedArrayBuffer;
  readonly values: Float64Array;
  readonly series: Series[] = [];
  private readonly options: RegionOptions & { cells: number; cellsPerMetric: number };
  private readonly usage = new Map<string, Usage>();
  private readonly found = new Map<string, Cell>();
  /** Cell 0 takes what belongs nowhere. */
  private next = 1;
  /** Cells kept free so that every metric can still have its one series, or its series `other`. */
  private reserved = 0;

  constructor(table: MetricTable, options: RegionOptions) {
    this.options = { cells: 16_384, cellsPerMetric: 2_048, ...options };
    this.buffer = new SharedArrayBuffer(this.options.cells * Float64Array.BYTES_PER_ELEMENT);
    this.values = new Float64Array(this.buffer);
    this.declare(table);
  }

  /** Adds the declarations of a drop-in. A name that is declared already keeps its first declaration. */
  declare(table: MetricTable): void {
    for (const [name, declaration] of Object.entries(table)) {
      if (this.usage.has(name)) continue;
      const width = widthOf(declaration.kind);
      this.usage.set(name, { declaration, width, cells: 0, full: false });
      this.reserved += width;
    }
  }

  /** The declaration of a metric, for those who take its labels from the fields of an event. */
  declaration(name: string): MetricDeclaration | undefined {
    return this.usage.get(name)?.declaration;
  }

  /** All declarations, in the order they were made. */
  declarations(): MetricTable {
    return Object.fromEntries([...this.usage].map(([name, usage]) => [name, usage.declaration]));
  }

  counter(name: string, labels?: Record<string, string>): Counter {
    return this.find("counter", name, labels);
  }

  gauge(name: string, labels?: Record<string, string>): Gauge {
    return this.find("gauge", name, labels);
  }

  histogram(name: string, labels?: Record<string, string>): Histogram {
    return this.find("histogram", name, labels);
  }

  private find(kind: MetricDeclaration["kind"], name: string, labels: Record<string, string> = {}): Cell {
    const usage = this.usage.get(name);
    if (usage === undefined || usage.declaration.kind !== kind)
      return this.undeclared(`no ${kind} ${name} is declared`);
    const wanted = usage.declaration.labels ?? [];
    if (wanted.length !== Object.keys(labels).length || wanted.some((label) => labels[label] === undefined)) {
      return this.undeclared(`${name} has the labels [${wanted}], not [${Object.keys(labels)}]`);
    }
    const values = wanted.map((label) => labels[label]!);
    const key = JSON.stringify([name, ...values]);
    return this.found.get(key) ?? this.make(key, name, usage, values);
  }

  private make(key: string, name: string, usage: Usage, values: readonly string[]): Cell {
    if (values.length === 0) return this.appendReserved(key, name, usage, values);
    const { cells, cellsPerMetric } = this.options;
    const fits = usage.cells + usage.width <= cellsPerMetric && this.next + usage.width <= cells - this.reserved;
    return fits ? this.append(key, name, usage, values) : this.other(name, usage);
  }

  /** The series all further label sets share. They are not remembered by key: a refused one must not cost memory. */
  private other(name: string, usage: Usage): Cell {
    this.counter(labelSetsDropped).add(1);
    if (!usage.full) {
      usage.full = true;
      this.options.onFull?.(name);
    }
    const key = JSON.stringify([name]);
    const values = (usage.declaration.labels ?? []).map(() => "other");
    return this.found.get(key) ?? this.appendReserved(key, name, usage, values);
  }

  private appendReserved(key: string, name: string, usage: Usage, values: readonly string[]): Cell {
    this.reserved -= usage.width;
    return this.append(key, name, usage, values);
  }

  private append(key: string, name: string, usage: Usage, values: readonly string[]): Cell {
    const { declaration, width } = usage;
    const slot = this.next;
    if (slot + width > this.options.cells) return nowhere(this.values); // declared when the region was full already
    this.next += width;
    usage.cells += width;
    const labels = (declaration.labels ?? []).map((label, i) => [label, values[i]!] as const);
    const series: Series = { name, kind: declaration.kind, labels, slot };
    const cell = cellAt(this.values, declaration.kind, slot);
    this.series.push(series);
    this.found.set(key, cell);
    this.options.onSeries?.(series);
    return cell;
  }

  private undeclared(problem: string): Cell {
    if (this.options.strict) throw new TypeError(`${problem}: declare it in metrics.ts or in the drop-in`);
    return nowhere(this.values);
  }
}

/** A region of another thread as main sees it: the same memory, and the directory as it was handed over. */
export class MetricsMirror implements MetricsSource {
  readonly values: Float64Array;
  readonly series: Series[] = [];

  constructor(buffer: SharedArrayBuffer) {
    this.values = new Float64Array(buffer);
  }

  /** Takes what the other thread's `onSeries` was called with. */
  add(series: Series): void {
    this.series.push(series);
  }

  /** The thread is gone: what it counted stays counted, what it held it holds no more. */
  clearGauges(): void {
    for (const { kind, slot } of this.series) if (kind === "gauge") this.values[slot] = 0;
  }
}

/** A counter's or gauge's value, added up over its series in all these regions. */
export function totalOf(name: string, sources: readonly MetricsSource[]): number {
  let total = 0;
  for (const { values, series } of sources) for (const one of series) if (one.name === name) total += values[one.slot]!;
  return total;
}

function nowhere(values: Float64Array): Cell {
  return cellAt(values, "counter", 0);
}
