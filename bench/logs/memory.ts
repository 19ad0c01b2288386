/**
 * The sidecar's memory while lines flow steadily into a sink that fails half of the time: what cannot be sent stays in
 * its file, so memory must not follow the backlog.
 */
import { join } from "node:path";
import { conditions } from "../machine.ts";
import { table } from "../page.ts";
import { quantile } from "../statistics.ts";
import { Collector } from "./collector.ts";
import type { LogContender } from "./contenders.ts";
import { removeFlow, write } from "./flow.ts";
import { LINE_BYTES, plain, writeLines } from "./lines.ts";
import { OutputSink } from "./output.ts";
import { logConfigs } from "./report.ts";

export interface MemoryPlan {
  seconds: number;
  bytesPerSecond: number;
  workspace: string;
  kind: string;
  say(line: string): void;
}

/** One file is written for so long; then the next. */
export const FLOW_SECONDS = 30;
const SINK_PERIOD_MS = 20_000;
const SOURCE_LINES = 100_000;
const READING_MS = 1000;
const TOLD_EVERY = 30;
/** For what is left once nothing is written any more. */
const CATCH_UP_MS = 120_000;
/** Done when 3. */
const BAR_MB = 120;

interface Reading {
  rssMb: number;
  /** Written, and not taken by the sink yet. */
  backlogMb: number;
}

/** Files that were written, in order, and up to which byte of all. */
interface Written {
  name: string;
  upTo: number;
}

export async function measureMemory(outrigger: LogContender, plan: MemoryPlan): Promise<string> {
  const sink = await OutputSink.start(SINK_PERIOD_MS);
  const collector = await Collector.start(outrigger, "outrigger", {
    workspace: plan.workspace,
    places: { sink: sink.port },
    switches: { raw: 1, http: 1 },
  });
  try {
    const run = new MemoryRun(collector, sink, plan);
    await run.flow();
    return await run.section(outrigger);
  } finally {
    await collector.stop();
    collector.remove();
    sink.stop();
  }
}

class MemoryRun {
  private readonly collector: Collector;
  private readonly sink: OutputSink;
  private readonly plan: MemoryPlan;
  private readonly readings: Reading[] = [];
  private readonly files: Written[] = [];
  private cpuMs = 0;
  private total = 0;
  private catchUpMs = 0;

  constructor(collector: Collector, sink: OutputSink, plan: MemoryPlan) {
    this.collector = collector;
    this.sink = sink;
    this.plan = plan;
  }

  /** Lets lines flow, then waits until all are there. */
  async flow(): Promise<void> {
    const { workspace, seconds, bytesPerSecond } = this.plan;
    const source = writeLines(plain, join(workspace, "flow"), 0, SOURCE_LINES);
    let isOver = false;
    const readings = this.read(() => isOver);
    const before = this.collector.cpuMs();
    for (let left = seconds; left > 0; left -= FLOW_SECONDS) {
      const name = `flow-${this.files.length}`;
      const flow = { source, bytesPerSecond, seconds: Math.min(left, FLOW_SECONDS) };
      this.total += await write(this.collector, name, flow);
      this.files.push({ name, upTo: this.total });
    }
    const endedAt = performance.now();
    while ((await this.sink.state()).bytes < this.total) {
      if (performance.now() - endedAt > CATCH_UP_MS)
        throw new Error(`not all was sent: ${this.collector.said(/_lost|_rejected|_failed/)}`);
      await Bun.sleep(100);
    }
    this.catchUpMs = performance.now() - endedAt;
    this.cpuMs = this.collector.cpuMs() - before;
    isOver = true;
    await readings;
  }

  /**
   * Takes a reading each second, and removes old files. Files are read side by side, so one of them may be unread yet in
   * part: `hold` in the config keeps what is.
   */
  private async read(isOver: () => boolean): Promise<void> {
    const startedAt = performance.now();
    while (!isOver()) {
      await Bun.sleep(READING_MS);
      const { bytes } = await this.sink.state();
      for (const { name, upTo } of this.files) if (upTo <= bytes) removeFlow(this.collector, name);
      const due = ((performance.now() - startedAt) / 1000) * this.plan.bytesPerSecond;
      const written = Math.max(this.total, Math.min(due, this.plan.seconds * this.plan.bytesPerSecond));
      this.readings.push({ rssMb: this.collector.rssMiB() * 1.048576, backlogMb: Math.max(0, written - bytes) / 1e6 });
      if (this.readings.length % TOLD_EVERY === 0) this.tell();
    }
  }

  private tell(): void {
    const { rssMb, backlogMb } = this.readings.at(-1)!;
    this.plan.say(`  ${this.readings.length} s: RSS ${rssMb.toFixed(1)} MB, about ${backlogMb.toFixed(0)} MB behind`);
  }

  async section(outrigger: LogContender): Promise<string> {
    const { bytes, requests, refused } = await this.sink.state();
    if (bytes < this.total) throw new Error(`${bytes} of ${this.total} bytes were taken`);
    const rss = this.readings.map(({ rssMb }) => rssMb);
    const peakMb = this.collector.peakRssMiB() * 1.048576;
    const backlog = Math.max(...this.readings.map(({ backlogMb }) => backlogMb));
    const rows = [
      ["RSS MB, median", quantile(rss, 0.5).toFixed(1), ""],
      ["RSS MB, ever", peakMb.toFixed(1), `< ${BAR_MB}: ${peakMb < BAR_MB ? "within the bar" : "over the bar"}`],
      ["RSS MB, means of the first and of the last quarter", quarters(rss), ""],
      ["furthest behind, MB (about)", backlog.toFixed(0), ""],
      ["requests · answered by 503", `${requests} · ${refused}`, ""],
      ["bytes written", String(this.total), ""],
      ["bytes the sink took more than once", String(bytes - this.total), "0"],
      ["the rest was sent after, s", (this.catchUpMs / 1000).toFixed(1), ""],
      ["MB per CPU second, all told", (this.total / 1e3 / this.cpuMs).toFixed(0), ""],
    ];
    const { seconds, bytesPerSecond, kind } = this.plan;
    return [
      ...conditions().map((fact) => `- ${fact}`),
      `- ${logConfigs([outrigger])}`,
      `- ${bytesPerSecond / 1e6} MB of lines of ${LINE_BYTES} bytes are written each second for ${seconds} s, ${FLOW_SECONDS} s to a file; files are removed, read or not, once the sink has as many bytes as they and those before them have. The HTTP sink answers 503 for the second half of each ${SINK_PERIOD_MS / 1000} s. The sidecar's batches and retries are as they are when nothing is set. Sidecar on core 0, all else on core 1; files ${kind}.`,
      "",
      table(["", "seen", "wanted"], rows),
    ].join("\n");
  }
}

function quarters(values: readonly number[]): string {
  const quarter = Math.max(1, Math.floor(values.length / 4));
  const mean = (some: readonly number[]) => some.reduce((sum, one) => sum + one, 0) / some.length;
  return `${mean(values.slice(0, quarter)).toFixed(1)} · ${mean(values.slice(-quarter)).toFixed(1)}`;
}
