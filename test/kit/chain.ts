/** A chain of transforms as a configuration asks for it, without files: text in blocks goes in, records come out. */
import type { Block, LogRecord, LogSource, LogTransformDefinition, Thread } from "../../src/contracts.ts";
import { plainBlock } from "../../src/logs/plain-block.ts";
import { Chain, type Link, type Waiting } from "../../src/logs/shaping/chain.ts";
import { ChainCounters } from "../../src/logs/shaping/chain-counters.ts";
import { LineRecord, linesOf, RecordBlock, recordsOf } from "../../src/logs/shaping/record.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";
import { logTransforms } from "../../src/registry.gen.ts";

/** An item of `transform:`. */
export type Item = Readonly<Record<string, unknown>>;

export const source = { id: "s1", input: "app", path: "/app.log", fields: {} };

/** Has all made that records leave until it is asked for: it must not change what they are written as. */
function readAll(records: readonly LogRecord[]): string {
  const before = Buffer.from(linesOf(records)).toString();
  for (const record of records) void [record.text, record.fields];
  const after = Buffer.from(linesOf(records)).toString();
  if (before !== after) throw new Error(`asked for its fields, ${before} became ${after}`);
  return after;
}

/** The same block, but that no record can stand for its bytes. */
function detached(block: Block): Block {
  const records = recordsOf(block);
  for (const record of records) if (record instanceof LineRecord) record.detach();
  return new RecordBlock(records, block);
}

export class ChainRun {
  readonly metrics = new MetricsRegion(spineMetrics, { strict: true });
  readonly events: { event: string; fields: Record<string, unknown> }[] = [];
  /** Wall time, in milliseconds. */
  wallMs = Date.UTC(2026, 10, 26, 12);
  /** What lines come from. */
  source: LogSource = source;
  /** Has records made of text instead of the bytes of their lines: nothing of them can be left for later. */
  isAtOnce = false;
  /** Records that came out as lines that stand for their fields. */
  late = 0;
  /** What an output of lines has written of the blocks. */
  written = "";
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
      const block = plainBlock(this.source, bytes, offset);
      const passed = this.chain.pass(this.isAtOnce ? detached(block) : block, waiting);
      out.push(...passed.block.records);
      this.late += passed.block.records.filter((record) => record instanceof LineRecord && record.isLate).length;
      this.written += readAll(passed.block.records);
      offset += bytes.length;
      waiting = passed.waiting;
      bytes.fill(0xff);
    }
    if (waiting !== undefined) out.push(...this.chain.flush(this.source, waiting).block.records);
    return out;
  }

  count(metric: string): number {
    return Object.values(this.counts(metric)).reduce((sum, count) => sum + count, 0);
  }

  /** By labels, as one text. */
  counts(metric: string): Record<string, number> {
    const series = this.metrics.series.filter(({ name }) => name === metric);
    return Object.fromEntries(series.map(({ labels, slot }) => [JSON.stringify(labels), this.metrics.values[slot]!]));
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
