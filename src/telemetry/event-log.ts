/**
 * From an event to a line and a number.
 *
 *   emit("listener_bound", {...}) --> counter of the event
 *                                 --> level high enough? not repeated too often? --> one line --> sink
 *
 * `{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"listener_bound","message":"…","listener":"web",…}`
 */
import type { Clock, Emit } from "../contracts.ts";
import type { EventTable, Level, SpineEvent } from "../events.ts";
import type { MetricsRegion } from "../metrics.ts";
import { jsonLine, safeFields, sentence, textLine } from "./event-line.ts";

const rank: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Lines of one warning that are written per window; the rest is counted. */
const linesPerWindow = 10;
const windowMs = 1000;

export interface EventLogOptions {
  /** Takes one line, newline included. Must not block and must not throw. */
  sink(line: string): void;
  metrics: MetricsRegion;
  clock: Clock;
  /** `json`: one object a line. `text`: for a person in front of a terminal. */
  format: "json" | "text";
  /** Events below it are counted, not written. */
  level: Level;
  /** True throws for an event that is not declared; false writes it as it is, at level error. */
  strict: boolean;
}

/** How often an event was written and held back in the current window. */
interface Repetition {
  windowStart: number;
  written: number;
  suppressed: number;
}

export class EventLog {
  /** Hand this on: it needs no `this`. */
  readonly emit: Emit = (event, fields = {}) => {
    const declaration = this.declarations.get(event);
    if (declaration === undefined) this.takeUndeclared(event, fields);
    else this.take(event, declaration, fields);
  };
  private readonly options: EventLogOptions;
  private readonly declarations = new Map<string, SpineEvent>();
  private readonly repetitions = new Map<string, Repetition>();

  constructor(options: EventLogOptions, ...tables: readonly EventTable[]) {
    this.options = options;
    for (const table of tables) this.declare(table);
  }

  /** Adds the events of a drop-in. An event that is declared already keeps its first declaration. */
  declare(table: EventTable): void {
    for (const [name, declaration] of Object.entries(table)) {
      if (!this.declarations.has(name)) this.declarations.set(name, declaration);
    }
  }

  /** Writes how many repetitions were held back since they were last reported: once a second or so, and at the end. */
  reportSuppressed(): void {
    for (const [event, repetition] of this.repetitions) {
      if (!this.isOver(repetition)) continue;
      this.repetitions.delete(event);
      if (repetition.suppressed > 0) this.writeSuppressed(event, repetition.suppressed);
    }
  }

  private take(event: string, declaration: SpineEvent, fields: Record<string, unknown>): void {
    this.count(declaration, fields);
    const level = declaration.levelOf?.(fields) ?? declaration.level;
    if (rank[level] < rank[this.options.level]) return;
    if (level !== "info" && this.isRepeatedTooOften(event)) return;
    const safe = safeFields(fields);
    const separator = this.options.format === "json" ? "; " : "\n  ";
    this.write(level, event, sentence(declaration.text, safe, separator), safe);
  }

  private takeUndeclared(event: string, fields: Record<string, unknown>): void {
    if (this.options.strict) {
      throw new TypeError(`no event ${event} is declared: declare it in events.ts or in the drop-in`);
    }
    if (!this.isRepeatedTooOften(event)) this.write("error", event, event, safeFields(fields));
  }

  /** Adds `fields.count`, or one, to the event's counter. */
  private count({ metric }: SpineEvent, fields: Record<string, unknown>): void {
    if (metric === undefined) return;
    const names = this.options.metrics.declaration(metric)?.labels ?? [];
    const labels = Object.fromEntries(names.map((name) => [name, String(fields[name] ?? "-")]));
    this.options.metrics.counter(metric, labels).add(typeof fields.count === "number" ? fields.count : 1);
  }

  private isRepeatedTooOften(event: string): boolean {
    let repetition = this.repetitions.get(event);
    if (repetition === undefined || this.isOver(repetition)) {
      if (repetition !== undefined && repetition.suppressed > 0) this.writeSuppressed(event, repetition.suppressed);
      repetition = { windowStart: this.options.clock.now(), written: 0, suppressed: 0 };
      this.repetitions.set(event, repetition);
    }
    if (repetition.written < linesPerWindow) {
      repetition.written++;
      return false;
    }
    repetition.suppressed++;
    this.options.metrics.counter("outrigger_events_suppressed_total", { event }).add(1);
    return true;
  }

  private isOver(repetition: Repetition): boolean {
    return this.options.clock.now() - repetition.windowStart >= windowMs;
  }

  private writeSuppressed(event: string, count: number): void {
    this.write("warn", event, `${count} more of these were not written`, { suppressed: count });
  }

  private write(level: Level, event: string, message: string, fields: Record<string, unknown>): void {
    const { format, clock, sink } = this.options;
    const line = format === "json" ? jsonLine : textLine;
    sink(line({ time: new Date(clock.wall()), level, event, message, fields }));
  }
}
