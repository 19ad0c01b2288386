/** What every log output must keep, whatever it writes to: runs over the registry, so a new file is tested before it has a test. */
import { describe, expect, test } from "bun:test";
import type { Block, LogOutput, LogOutputContext, LogOutputDefinition } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { plainBlock } from "../../src/logs/plain-block.ts";
import { MetricsRegion } from "../../src/metrics.ts";
import { logOutputs } from "../../src/registry.gen.ts";

/** Where the bytes of an output end up, and options to send them there. An output without a row here fails its suite. */
interface Sink {
  readonly options: unknown;
  /** What has arrived. */
  text(): string;
  /** From now on nothing is taken, until the returned function is called. */
  stall(): () => void;
  /** The next write fails. */
  breakNext(): void;
}

class FakeStdout {
  written = "";
  fails = false;
  gate: Promise<void> = Promise.resolve();

  async write(bytes: Uint8Array): Promise<void> {
    if (this.fails) {
      this.fails = false;
      throw new Error("EPIPE");
    }
    const gate = this.gate;
    await gate;
    this.written += Buffer.from(bytes).toString("latin1");
  }
}

const sinks: Record<string, (stdout: FakeStdout) => Sink> = {
  stdout: (stdout) => ({
    options: {},
    text: () => stdout.written,
    stall: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      stdout.gate = promise;
      return resolve;
    },
    breakNext: () => {
      stdout.fails = true;
    },
  }),
};

function blockOf(text: string, start = 0): Block {
  const source = { id: "s1", input: "app", path: "/logs/app.log", fields: {} };
  return plainBlock(source, Buffer.from(text, "latin1"), start);
}

function batchOf(...texts: string[]) {
  const blocks = texts.map((text, at) => blockOf(text, at * 1000));
  const sum = (of: (block: Block) => number) => blocks.reduce((total, block) => total + of(block), 0);
  return { blocks, bytes: sum((block) => block.size), count: sum((block) => block.count) };
}

async function open(definition: LogOutputDefinition): Promise<{ output: LogOutput; sink: Sink; end: AbortController }> {
  const stdout = new FakeStdout();
  const make = sinks[definition.name];
  if (make === undefined) throw new Error(`log output ${definition.name} has no sink in ${import.meta.path}: add one`);
  const sink = make(stdout);
  const end = new AbortController();
  const context: LogOutputContext = {
    clock: { now: () => performance.now(), wall: () => Date.now() },
    random: () => 0.5,
    emit: () => {},
    metrics: new MetricsRegion({ ...logMetrics, ...definition.metrics }, { strict: true }),
    record: () => true,
    name: definition.name,
    folder: ".",
    signal: end.signal,
    stdout,
  };
  return { output: await definition.create(definition.config.parse(sink.options), context), sink, end };
}

for (const [name, load] of Object.entries(logOutputs)) {
  describe(`log output ${name}`, () => {
    test("is called what its file is called, and says what it does", async () => {
      const { default: definition } = await load();
      expect(definition).toMatchObject({ kind: "log-output", name });
      expect(definition.doc).toMatch(/^[A-Z].*\.$/s);
    });

    test("refuses options it does not know", async () => {
      const { default: definition } = await load();
      expect(definition.config.safeParse({ certainlyNotAnOption: 1 }).success).toBe(false);
    });

    test("delivers every byte in the order of the blocks, and says so only then", async () => {
      const { output, sink } = await open((await load()).default);
      expect(await output.deliver(batchOf("one\n", "two\r\nthree\n", "\u00ff\u0000binary\n"))).toEqual({
        outcome: "delivered",
      });
      expect(sink.text()).toBe("one\ntwo\r\nthree\n\u00ff\u0000binary\n");
      await output.close?.();
    });

    test("keeps the order of batches", async () => {
      const { output, sink } = await open((await load()).default);
      for (let i = 0; i < 20; i++) expect((await output.deliver(batchOf(`line ${i}\n`))).outcome).toBe("delivered");
      expect(sink.text()).toBe(Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join(""));
      await output.close?.();
    });

    test("does not acknowledge what a stalled destination has not taken", async () => {
      const { output, sink } = await open((await load()).default);
      const go = sink.stall();
      let settled = false;
      const delivery = output.deliver(batchOf("waits\n")).then((result) => {
        settled = true;
        return result;
      });
      await Bun.sleep(20);
      expect({ settled, text: sink.text() }).toEqual({ settled: false, text: "" });
      go();
      expect(await delivery).toEqual({ outcome: "delivered" });
      expect(sink.text()).toBe("waits\n");
      await output.close?.();
    });

    test("never calls a failed write delivered", async () => {
      const { output, sink } = await open((await load()).default);
      sink.breakNext();
      const result = await output.deliver(batchOf("lost?\n")).catch(() => ({ outcome: "retry" }));
      expect(result.outcome).not.toBe("delivered");
      expect((await output.deliver(batchOf("again\n"))).outcome).toBe("delivered");
      await output.close?.();
    });
  });
}
