/** What a chain of transforms counts and says, with its series looked up once. */
import { isUtf8 } from "node:buffer";
import type { Counter, LogRecord, Thread } from "../../contracts.ts";
import { eachLine, LineRecord } from "./record.ts";

/** A transform that fails at every line must not be an event at every line. */
const sayAgainMs = 60_000;

interface OfTransform {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly failures: Counter;
  saidAt: number;
}

export class ChainCounters {
  private readonly thread: Pick<Thread, "clock" | "emit" | "metrics">;
  private readonly input: string;
  private readonly invalid: Counter;
  private readonly transforms = new Map<string, OfTransform>();

  constructor(input: string, thread: Pick<Thread, "clock" | "emit" | "metrics">) {
    this.input = input;
    this.thread = thread;
    this.invalid = thread.metrics.counter("outrigger_log_invalid_utf8_lines_total", { input });
  }

  /** A transform left the record out. Returns how many bytes of the source it was. */
  dropped(transform: string, record: LogRecord): number {
    const { records, bytes } = this.of(transform);
    records.add(1);
    const span = record instanceof LineRecord ? record.span : record.text.length + 1;
    bytes.add(span);
    return span;
  }

  /** A transform threw, which none should. */
  failed(transform: string, error: unknown): void {
    const of = this.of(transform);
    of.failures.add(1);
    const now = this.thread.clock.now();
    if (now - of.saidAt < sayAgainMs) return;
    of.saidAt = now;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.thread.emit("log_transform_failed", { input: this.input, transform, error: text });
  }

  /** Counts the lines that are no UTF-8. */
  invalidUtf8(bytes: Uint8Array): void {
    eachLine(bytes, (start, end) => {
      if (!isUtf8(bytes.subarray(start, end))) this.invalid.add(1);
    });
  }

  private of(transform: string): OfTransform {
    const known = this.transforms.get(transform);
    if (known !== undefined) return known;
    const labels = { input: this.input, transform };
    const made: OfTransform = {
      records: this.thread.metrics.counter("outrigger_log_dropped_records_total", labels),
      bytes: this.thread.metrics.counter("outrigger_log_dropped_record_bytes_total", labels),
      failures: this.thread.metrics.counter("outrigger_log_transform_failures_total", labels),
      saidAt: Number.NEGATIVE_INFINITY,
    };
    this.transforms.set(transform, made);
    return made;
  }
}
