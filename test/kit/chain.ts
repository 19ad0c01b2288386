/** A chain of transforms as a configuration asks for it, without files: text in blocks goes in, records come out. */
import type { LogRecord, LogSource, LogTransformDefinition, Thread } from "../../src/contracts.ts";
import { plainBlock } from "../../src/logs/plain-block.ts";
import { Chain, type Link, type Waiting } from "../../src/logs/shaping/chain.ts";
import { ChainCounters } from "../../src/logs/shaping/chain-counters.ts";
import { linesOf } from "../../src/logs/shaping/record.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";
import { logTransforms } from "../../src/registry.gen.ts";

/** An item of `transform:`. */
export type Item = Readonly<Record<string, unknown>>;

export const source = { id: "s1", input: "app", path: "/app.log", fields: {} };

/** Has all made that records leave until it is asked for: it must not change what they are written as. */
function readAll(records: readonly LogRecord[]): void {
  const before = Buffer.from(linesOf(records)).toString();
  for (const record of records) void [record.text, record.fields];
  const after = Buffer.from(linesOf(records)).toString();
  if (before !== after) throw new Error(`asked for its fields, ${before} became ${after}`);
}

export class ChainRun {
  readonly metrics = new MetricsRegion(spineMetrics, { strict: true });
  readonly events: { event: string; fields: Record<string, unknown> }[] = [];
  /** Wall time, in milliseconds. */
  wallMs = Date.UTC(2026, 10, 26, 12);
  /** What lines come from. */
  source: LogSource = source;
  private chain!: Chain;

  static async of(...items: readonly Item[]): Promise<ChainRun> {
    const run = new ChainRun();
    const links: Link[] = [];
    for (const [at, item] of items.entries()) {
      const [[name, options]] = Object.entries(item) as [[string, unknown]];
      const load = logTransforms[name];
      if (load === undefined) throw new Error(`there is no transform ${name}`);
      const { default: definition }: { default: LogTransformDefinition } = await load();
      if (definition.metrics !== undefined) run.metrics.declare(definition.metrics);
      const context = { ...run.thread(), input: "app", transform: `${name}-${at}` };
      links.push({
        name: `${name}-${at}`,
        transform: await definition.create(definition.config.parse(options), context),
      });
    }
    run.chain = new Chain(links, new ChainCounters("app", run.thread()));
    return run;
  }

  /** The records of a text that comes in these blocks; what waits at the end is flushed. */
  records(...blocks: (string | Uint8Array)[]): LogRecord[] {
    const out: LogRecord[] = [];
    let waiting: Waiting | undefined;
    let offset = 0;
    for (const text of blocks) {
      // Memory of its own, spoilt afterwards: no record may go on using that of its block.
      const bytes = Buffer.from(text);
      const passed = this.chain.pass(plainBlock(this.source, bytes, offset), waiting);
      out.push(...passed.block.records);
      readAll(passed.block.records);
      offset += bytes.length;
      waiting = passed.waiting;
      bytes.fill(0xff);
    }
    if (waiting !== undefined) out.push(...this.chain.flush(this.source, waiting).block.records);
    return out;
  }

  count(metric: string): number {
    const series = this.metrics.series.filter(({ name }) => name === metric);
    return series.reduce((sum, { slot }) => sum + this.metrics.values[slot]!, 0);
  }

  private thread(): Thread {
    return {
      clock: { now: () => 0, wall: () => this.wallMs },
      random: () => 0.5,
      emit: (event, fields = {}) => void this.events.push({ event, fields }),
      metrics: this.metrics,
      record: () => true,
    };
  }
}
