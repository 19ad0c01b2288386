/** What every log output must keep, whatever it writes to: runs over the registry, so a new file is tested before it has a test. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogOutput, LogOutputDefinition } from "../../src/contracts.ts";
import { logOutputs } from "../../src/registry.gen.ts";
import { itemsIn } from "../kit/bulk-sink.ts";
import { ByteServer } from "../kit/byte-server.ts";
import { ackOf, ForwardReceiver } from "../kit/forward-receiver.ts";
import { HttpSink, type SinkRequest } from "../kit/http-sink.ts";
import { pushedIn } from "../kit/loki-sink.ts";
import { sentIn } from "../kit/otlp-sink.ts";
import { batchOf, OutputRun } from "../kit/output-run.ts";
import { countedMessages, parse5424 } from "../kit/syslog-receiver.ts";
import { until } from "../kit/until.ts";

/** Where the bytes of an output end up, and options to send them there. An output without a row here fails its suite. */
interface Sink {
  readonly options: unknown;
  /** The lines that have arrived, each ended by a newline, as Latin-1. */
  text(): string;
  /** From now on nothing is taken, until the returned function is called. Left out where a destination answers at once or never. */
  stall?(): () => void;
  /** The next batch fails. */
  breakNext(): void;
  /** True when lines arrive one by one, so that a CR before the newline is not part of them. */
  readonly isOfRecords?: true;
  /** What such a text, Latin-1, arrives as, where that is not the same bytes. */
  seen?(text: string): string;
  close?(): Promise<void> | void;
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

function stdoutSink(stdout: FakeStdout): Sink {
  return {
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
  };
}

function fileSink(): Sink {
  const folder = mkdtempSync(join(tmpdir(), "file-sink-"));
  const path = join(folder, "sub/out.log");
  return {
    options: { path },
    text: () => (existsSync(path) ? readFileSync(path, "latin1") : ""),
    breakNext: () => {
      writeFileSync(join(folder, "sub"), "a file where the folder should be");
      setTimeout(() => rmSync(join(folder, "sub")), 0);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function syslogSink(): Sink {
  let breaks = false;
  let stalled = false;
  const server = new ByteServer({
    onOpen: (visit) => stalled && visit.pause(),
    onData(visit) {
      if (!breaks) return;
      breaks = false;
      visit.take(visit.received.length);
      visit.reset();
    },
  });
  return {
    // Without an acknowledgement of its own the protocol cannot tell a stalled receiver from one that has read all.
    options: { address: `127.0.0.1:${server.port}`, confirm: "read" },
    text: () => {
      const messages = server.visits.flatMap(({ received }) => countedMessages(received));
      return messages.map((message) => `${parse5424(message).message}\n`).join("");
    },
    stall: () => {
      stalled = true;
      return () => {
        stalled = false;
        for (const visit of server.visits) visit.resume();
      };
    },
    breakNext: () => {
      breaks = true;
    },
    isOfRecords: true,
    close: () => server.stop(),
  };
}

/** An output over HTTP: `textOf` reads the lines out of the bodies that were answered well. */
function httpSink(
  options: (url: string) => object,
  ok: object,
  textOf: (body: Buffer, request: SinkRequest) => string,
  seen?: (text: string) => string,
): () => Sink {
  return () => {
    const sink = new HttpSink();
    let text = "";
    let gate: Promise<void> | undefined;
    let breaks = false;
    sink.answer = async (request) => {
      await gate;
      if (breaks) {
        breaks = false;
        return "reset";
      }
      text += textOf(request.body, request);
      return { status: 200, ...ok };
    };
    return {
      options: options(sink.url),
      text: () => text,
      ...(seen === undefined ? {} : { seen }),
      stall: () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        gate = promise;
        return resolve;
      },
      breakNext: () => {
        breaks = true;
      },
      close: () => {
        sink.stop();
        expect(sink.faults).toEqual([]);
      },
    };
  };
}

/** What is no UTF-8 arrives mended, and line ends are the destination's own. */
function asText(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8").replaceAll("\r\n", "\n");
}

function forwardSink(): Sink {
  let breaks = false;
  let stalled: (() => void)[] | undefined;
  const receiver = new ForwardReceiver({
    answer(chunk, visit) {
      if (breaks) visit.reset();
      else if (stalled !== undefined) stalled.push(() => visit.say(ackOf(chunk)));
      else return ackOf(chunk);
      return undefined;
    },
  });
  let held = 0;
  const textOf = (message: unknown) => Buffer.from(message as string | Uint8Array).toString("latin1");
  return {
    options: { address: `127.0.0.1:${receiver.server.port}` },
    text: () => {
      const taken = receiver.entries.slice(0, stalled === undefined ? undefined : held);
      return taken.map(({ record }) => `${textOf(record.message)}\n`).join("");
    },
    stall: () => {
      held = receiver.entries.length;
      const waiting: (() => void)[] = [];
      stalled = waiting;
      return () => {
        stalled = undefined;
        for (const answer of waiting) answer();
      };
    },
    breakNext: () => {
      breaks = true;
      setTimeout(() => {
        breaks = false;
      }, 50);
    },
    isOfRecords: true,
    close: () => receiver.server.stop(),
  };
}

/** Outputs whose only strict destination is the real one, which takes a while to start: where these promises are kept. */
const elsewhere: Readonly<Record<string, string>> = { kafka: "test/log-outputs/kafka.test.ts" };

const sinks: Record<string, (stdout: FakeStdout) => Sink | Promise<Sink>> = {
  stdout: stdoutSink,
  file: fileSink,
  http: httpSink(
    (url) => ({ url }),
    {},
    (body) => body.toString("latin1"),
  ),
  loki: httpSink(
    (url) => ({ url, compress: "none" }),
    {},
    (_, request) =>
      pushedIn(request)
        .flatMap(({ entries }) => entries.map(({ line }) => `${line}\n`))
        .join(""),
    asText,
  ),
  elasticsearch: httpSink(
    (url) => ({ url, compress: "none" }),
    { body: '{"errors":false}' },
    (_, request) =>
      itemsIn(request)
        .map(({ document }) => `${document.message}\n`)
        .join(""),
    asText,
  ),
  otlp: httpSink(
    (url) => ({ url, compress: "none" }),
    {},
    (_, request) =>
      sentIn(request)
        .flatMap(({ records }) => records.map(({ body }) => `${body}\n`))
        .join(""),
    asText,
  ),
  syslog: syslogSink,
  forward: forwardSink,
};

interface Opened {
  readonly output: LogOutput;
  readonly sink: Sink;
  end(): Promise<void>;
}

async function open(definition: LogOutputDefinition): Promise<Opened> {
  const stdout = new FakeStdout();
  const make = sinks[definition.name];
  if (make === undefined) throw new Error(`log output ${definition.name} has no sink in ${import.meta.path}: add one`);
  const sink = await make(stdout);
  const run = await OutputRun.open(definition, sink.options, { stdout });
  const end = async () => {
    await run.close();
    await sink.close?.();
  };
  return { output: run.output, sink, end };
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
  });

  const other = elsewhere[name];
  if (other !== undefined) {
    test(`log output ${name} has tests of where it writes to`, () => {
      expect(readFileSync(join(import.meta.dir, "../..", other), "utf8")).toContain("describe");
    });
    continue;
  }

  describe(`log output ${name} and where it writes to`, () => {
    test("delivers every byte in the order of the blocks, and says so only then", async () => {
      const { output, sink, end } = await open((await load()).default);
      const batch = batchOf("one\n", "two\r\nthree\n", "\u00ff\u0000binary\n");
      expect(await output.deliver(batch)).toEqual({ outcome: "delivered" });
      const two = sink.isOfRecords ? "two\n" : "two\r\n";
      const text = `one\n${two}three\n\u00ff\u0000binary\n`;
      expect(sink.text()).toBe(sink.seen?.(text) ?? text);
      await end();
    });

    test("keeps the order of batches", async () => {
      const { output, sink, end } = await open((await load()).default);
      for (let i = 0; i < 20; i++) expect((await output.deliver(batchOf(`line ${i}\n`))).outcome).toBe("delivered");
      expect(sink.text()).toBe(Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join(""));
      await end();
    });

    test("does not acknowledge what a stalled destination has not taken", async () => {
      const { output, sink, end } = await open((await load()).default);
      if (sink.stall === undefined) return end(); // what it cannot take is a retry: the test after this one
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
      await end();
    });

    test("never calls a failed write delivered", async () => {
      const { output, sink, end } = await open((await load()).default);
      sink.breakNext();
      const result = await output.deliver(batchOf("lost?\n")).catch(() => ({ outcome: "retry" }));
      expect(result.outcome).not.toBe("delivered");
      const again = batchOf("again\n");
      await until(async () => (await output.deliver(again)).outcome === "delivered", { what: "a delivery" });
      await end();
    });
  });
}
