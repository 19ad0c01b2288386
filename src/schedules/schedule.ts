/**
 * One request we send by the clock.
 *
 *   tick --> still running? --> skipped, counted
 *        --> request --> answer --> its lines become records --> right? --> success
 *                                                                     \--> failure: event, metric, never an exit
 */
import type { Schedule as Config } from "../config/schema.ts";
import type { Field, Thread } from "../contracts.ts";
import { version } from "../version.ts";
import { type Due, Ticker, type Timing } from "./clock.ts";
import { complaint } from "./expectation.ts";

/** How a request is sent: `request()` of http/request.ts with its thread bound. */
export type SendRequest = (request: {
  url: string;
  method: string;
  headers: Field[];
  body?: Uint8Array;
  timeoutMs: number;
  maxBodyBytes: number;
}) => Promise<
  | { readonly status: number; readonly body: Uint8Array; readonly truncated: boolean }
  | { readonly failure: string; readonly detail: string }
>;

/** What schedules need of the outside. */
export interface ScheduleContext {
  readonly thread: Pick<Thread, "emit" | "metrics" | "record">;
  readonly timing: Timing;
  readonly send: SendRequest;
}

/** How the last run ended. Kept over a reload, so that readiness does not flap. */
export interface Outcome {
  /** Undefined before the first run and after a success. */
  readonly problem: string | undefined;
  readonly everRan: boolean;
  /** Failures without a success between them. */
  readonly failures: number;
}

/** Most of an answer that is printed. */
const printedBytes = 64 * 1024;

/** Most of an answer that is looked at when the body must be something. */
const judgedBytes = 1024 * 1024;

export class Schedule {
  readonly config: Config;
  outcome: Outcome = { problem: undefined, everRan: false, failures: 0 };
  private readonly context: ScheduleContext;
  private readonly ticker: Ticker;
  private current: Promise<void> | undefined;

  constructor(config: Config, due: Due, context: ScheduleContext) {
    this.config = config;
    this.context = context;
    this.ticker = new Ticker(due, config.jitterMs, context.timing, () => this.tick());
    this.context.thread.metrics.gauge("outrigger_schedule_last_success_timestamp_seconds", this.label).add(0);
  }

  /** Begins to tick; the first request is sent at the first tick. */
  start(): void {
    this.ticker.start();
  }

  /** No further ticks; a run in flight goes on and is counted. */
  stop(): void {
    this.ticker.stop();
  }

  /** Resolves when the run in flight has ended; undefined when there is none. */
  get running(): Promise<void> | undefined {
    return this.current;
  }

  /** Why `/ready` must say no on account of this schedule. */
  get readyReason(): string | undefined {
    if (!this.config.ready) return undefined;
    const { everRan, problem } = this.outcome;
    const reason = everRan ? problem : "has not run yet";
    return reason === undefined ? undefined : `schedule ${this.config.name}: ${reason}`;
  }

  private get label(): { schedule: string } {
    return { schedule: this.config.name };
  }

  private tick(): void {
    if (this.current === undefined) this.current = this.run().finally(() => (this.current = undefined));
    else this.skip();
  }

  private skip(): void {
    this.countRun("skipped");
    this.context.thread.emit("schedule_skipped", this.label);
  }

  /** Never rejects. */
  private async run(): Promise<void> {
    const startedAt = this.context.timing.clock.now();
    const problem = await this.attempt().catch((error: unknown) => `could not be sent: ${error}`);
    const durationMs = this.context.timing.clock.now() - startedAt;
    const { metrics } = this.context.thread;
    metrics.histogram("outrigger_schedule_duration_seconds", this.label).observe(durationMs / 1000);
    if (problem === undefined) this.succeeded();
    else this.failed(problem, durationMs);
  }

  /** Sends, prints and judges; returns what is wrong, if anything. */
  private async attempt(): Promise<string | undefined> {
    const { expect, print } = this.config;
    const answer = await this.context.send(this.request());
    if ("failure" in answer) return `${answer.failure}: ${answer.detail}`;
    if (print === "body") this.printBody(answer.body);
    const text = expect.body === undefined ? "" : decode(answer.body);
    return complaint(expect, { status: answer.status, text, truncated: answer.truncated });
  }

  private request(): Parameters<SendRequest>[0] {
    const { request, timeoutMs, expect } = this.config;
    return {
      url: request.url,
      method: request.method,
      headers: withUserAgent(request.headers),
      ...(request.body === undefined ? {} : { body: new TextEncoder().encode(request.body) }),
      timeoutMs,
      // One byte more than is printed tells that there is more.
      maxBodyBytes: expect.body === undefined ? printedBytes + 1 : judgedBytes,
    };
  }

  /** Each line of the body is a record, as the tutorial's `println!` made it one. */
  private printBody(body: Uint8Array): void {
    const { emit, record } = this.context.thread;
    for (const line of linesOf(decode(body.subarray(0, printedBytes)))) record("schedule", line);
    if (body.length > printedBytes) emit("schedule_body_cut", { ...this.label, bytes: printedBytes });
  }

  private succeeded(): void {
    const { emit, metrics } = this.context.thread;
    this.countRun("success");
    const seconds = this.context.timing.clock.wall() / 1000;
    metrics.gauge("outrigger_schedule_last_success_timestamp_seconds", this.label).set(seconds);
    const { failures } = this.outcome;
    this.outcome = { problem: undefined, everRan: true, failures: 0 };
    if (failures > 0) emit("schedule_recovered", { ...this.label, failures });
  }

  private failed(problem: string, durationMs: number): void {
    this.countRun("failure");
    this.outcome = { problem, everRan: true, failures: this.outcome.failures + 1 };
    this.context.thread.emit("schedule_failed", {
      ...this.label,
      url: withoutQuery(this.config.request.url),
      detail: problem,
      durationMs: Math.round(durationMs),
      failures: this.outcome.failures,
    });
  }

  private countRun(result: "success" | "failure" | "skipped"): void {
    this.context.thread.metrics.counter("outrigger_schedule_runs_total", { ...this.label, result }).add(1);
  }
}

function withUserAgent(headers: readonly Field[]): Field[] {
  const isGiven = headers.some(([name]) => name.toLowerCase() === "user-agent");
  return isGiven ? [...headers] : [["user-agent", `outrigger/${version}`], ...headers];
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The lines of a text; the end of the last one, if any, begins no further line. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** A query may carry a key. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, "");
}
