/**
 * The log worker's entry point: a thread that owns files, checkpoints, outputs and fd 1, so that a slow disk or a
 * reader that stalls is never felt by traffic. Main talks to it through `Collector` alone.
 */
import { systemClock } from "../clock.ts";
import type { Thread } from "../contracts.ts";
import { MetricsRegion, spineMetrics } from "../metrics.ts";
import * as registry from "../registry.gen.ts";
import { refusalOf } from "../workers/refusal.ts";
import { declaring } from "./declaring.ts";
import { FdWriter } from "./fd-writer.ts";
import type { Question, StartMessage, ToMain, ToWorker } from "./messages.ts";
import { Pipeline } from "./pipeline.ts";
import { RecordRing } from "./record-ring.ts";
import { Records } from "./records.ts";

declare const self: { onmessage: (event: MessageEvent<ToWorker>) => void; postMessage(message: ToMain): void };

const stdoutFd = 1;

function tell(message: ToMain): void {
  self.postMessage(message);
}

function randomFraction(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

/** This thread's own of everything; its numbers are read by main, its events are said by main. */
function makeThread(): Thread & { readonly metrics: MetricsRegion } {
  const metrics = new MetricsRegion(spineMetrics, {
    strict: false,
    onSeries: (series) => tell({ type: "series", series }),
  });
  tell({ type: "metrics", memory: metrics.buffer });
  return {
    clock: systemClock,
    random: randomFraction,
    emit: (event, fields = {}) => tell({ type: "event", event, fields }),
    metrics,
    record: () => false,
  };
}

/** Pipeline, and what must be given back when it has stopped. */
interface Running {
  readonly pipeline: Pipeline;
  readonly stdout: FdWriter;
}

async function start({ logs, stateDir, folder, rings, otherRings }: StartMessage): Promise<Running> {
  const thread = makeThread();
  const onBroken = (error: string) => thread.emit("stdout_broken", { error });
  const stdout = new FdWriter(stdoutFd, thread.clock, { onBroken });
  const pipeline = await Pipeline.start({
    logs,
    stateFolder: stateDir,
    folder,
    thread,
    registry: declaring(registry, (table) => thread.metrics.declare(table)),
    stdout,
    tapped: () => tell({ type: "tapped" }),
    records: new Records(
      { access: new RecordRing(rings.access), schedule: new RecordRing(rings.schedule) },
      otherRings.map((memory) => new RecordRing(memory)),
    ),
  });
  return { pipeline, stdout };
}

async function answer({ pipeline, stdout }: Running, question: Question): Promise<ToMain> {
  const { id } = question;
  switch (question.type) {
    case "reload":
      await pipeline.reload(question.logs);
      return { type: "answer", id };
    case "drain":
      return { type: "answer", id, value: await pipeline.drain(question.withinMs) };
    case "state":
      return { type: "answer", id, value: pipeline.state() };
    case "stop":
      await pipeline.stop();
      stdout.close();
      return { type: "answer", id };
  }
}

let running: Promise<Running> | undefined;

async function take(message: ToWorker): Promise<void> {
  if (message.type === "start") {
    running = start(message);
    await running.then(
      () => tell({ type: "started" }),
      (error) => tell({ type: "started", refusal: refusalOf(error) }),
    );
    return;
  }
  const current = await running;
  if (current === undefined) return;
  const { pipeline } = current;
  if (message.type === "records") pipeline.wake();
  else if (message.type === "tap") pipeline.taps.open(message.id, message.filter, message.memory);
  else if (message.type === "untap") pipeline.taps.close(message.id);
  else {
    const failed = (error: unknown): ToMain => ({ type: "answer", id: message.id, refusal: refusalOf(error) });
    tell(await answer(current, message).catch(failed));
  }
}

self.onmessage = ({ data }) => void take(data);
