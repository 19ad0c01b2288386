/**
 * The life of a line, in the log worker:
 *
 *   log-inputs/* -> lane -> batch -> log-outputs/* -> acknowledged -> checkpoint
 *   record rings ---^
 *
 * One turn after the other, never two at once: rings, inputs, checkpoint, then a timer for whoever is due first.
 */
import type { Lane, LogInput, LogSourceState, Thread } from "../contracts.ts";
import { mostHeldBytes, type OutputQueue, totalHeldBytes } from "./delivery/batch.ts";
import { Backlogs } from "./following/backlog.ts";
import { logsFolder } from "./keeping/checkpoint.ts";
import { Keeping } from "./keeping/keeping.ts";
import type { Records } from "./records.ts";
import {
  type LogEntry,
  type LogRegistry,
  makeRoutes,
  noRoutes,
  type RouteParts,
  type Routes,
  recordOutput,
} from "./routes.ts";
import { Taps } from "./tap.ts";

export interface PipelineOptions {
  readonly logs: readonly LogEntry[];
  /** The sidecar's state folder; a folder of our own is made in it. */
  readonly stateFolder: string;
  /** The folder relative paths start from. */
  readonly folder: string;
  readonly thread: Thread;
  readonly registry: LogRegistry;
  readonly stdout: { write(bytes: Uint8Array): Promise<void> };
  readonly records: Records;
  /** Told that there is something in the ring of a tap. */
  readonly tapped?: () => void;
}

/** What a drain left behind. */
export interface Leftover {
  readonly unreadBytes: number;
  readonly unsentBytes: number;
}

const longestWaitMs = 1_000;
/** Pause between two looks of the drain, and how many must find nothing new. */
const drainLookMs = 100;
const quietLooks = 2;
/** Kept back from the time for draining: to send what was read, and to write the last checkpoint. */
const sendReserve = 0.2;
const mostSendReserveMs = 2_000;
const checkpointReserveMs = 100;

export class Pipeline {
  /** Whoever watches lines. */
  readonly taps: Taps;
  private readonly options: PipelineOptions;
  private readonly keeping: Keeping;
  private readonly backlogs: Backlogs;
  private readonly abort = new AbortController();
  private readonly parts: RouteParts;
  private current: Routes = noRoutes;
  /** One reload after the other: each goes on from what the one before made. */
  private reloaded: Promise<void> = Promise.resolve();
  /** Outputs that a reload left out, until they have delivered what waited for them. */
  private readonly leaving = new Set<OutputQueue>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private immediate: ReturnType<typeof setImmediate> | undefined;
  private draining = false;
  private hurried = false;
  private stopped = false;

  private constructor(options: PipelineOptions) {
    this.options = options;
    this.taps = new Taps(options.tapped ?? (() => {}));
    this.backlogs = new Backlogs(options.thread);
    this.keeping = new Keeping(options.stateFolder, options.thread);
    const { thread, folder, registry, stdout } = options;
    const stateFolder = logsFolder(options.stateFolder);
    const queue = { thread, signal: this.abort.signal, onRoom: () => this.wake() };
    const checkpoint = () => this.keeping.checkpoint();
    this.parts = { thread, folder, stateFolder, registry, checkpoint, stdout, queue, taps: this.taps };
  }

  /** Throws a UserError when the state folder cannot be used or is in use, or an entry cannot be made. */
  static async start(options: PipelineOptions): Promise<Pipeline> {
    const pipeline = new Pipeline(options);
    try {
      await pipeline.reload(options.logs);
      return pipeline;
    } catch (error) {
      pipeline.keeping.release();
      throw error;
    }
  }

  /** Swaps to other entries, or keeps the old ones and rejects. Files both have go on where they were. */
  reload(logs: readonly LogEntry[]): Promise<void> {
    const swapped = this.reloaded.then(() => this.swap(logs));
    this.reloaded = swapped.catch(() => {});
    return swapped;
  }

  private async swap(logs: readonly LogEntry[]): Promise<void> {
    const before = this.current;
    const after = await makeRoutes(logs, before, this.parts);
    this.current = after;
    after.adopt();
    for (const { shaping, input } of before.routes.filter((route) => !after.routes.includes(route))) {
      // Whoever reads the file next goes on where this input had read to.
      shaping?.finish();
      input.close();
    }
    for (const [name, output] of before.outputs) {
      const next = after.outputs.get(name);
      if (next !== output) this.leave(output.queue, next?.queue);
    }
    const share = Math.min(mostHeldBytes, totalHeldBytes / after.outputs.size);
    for (const { queue } of after.outputs.values()) queue.limitBytes = share;
    this.wake();
  }

  state(): LogSourceState[] {
    return this.current.routes.flatMap(({ input }) => input.state());
  }

  /** Takes a turn soon: records were appended, or an output has room. */
  wake(): void {
    if (this.immediate !== undefined || this.stopped) return;
    clearTimeout(this.timer);
    this.immediate = setImmediate(() => this.turn());
  }

  /**
   * Reads to the end of every file until nothing grows, shows unfinished last lines, delivers, writes the checkpoint.
   * The checkpoint is written first as well, should the process be killed meanwhile. A second call ends the first one:
   * the last checkpoint is written at once.
   */
  async drain(withinMs: number): Promise<Leftover> {
    this.keeping.write();
    this.hurried = this.draining;
    if (!this.draining) {
      this.draining = true;
      const end = this.options.thread.clock.now() + withinMs;
      for (const queue of this.queues()) queue.hurry();
      await this.readToEnd(end - Math.min(withinMs * sendReserve, mostSendReserveMs));
      for (const { input, shaping } of this.current.routes) {
        input.finish();
        shaping?.finish();
      }
      await this.flushUntil(end - checkpointReserveMs);
    }
    // In a hurry, too: what transforms held back is among what was not sent.
    for (const { shaping } of this.current.routes) shaping?.finish();
    this.keeping.write();
    return { unreadBytes: this.unreadBytes(), unsentBytes: this.unsentBytes() };
  }

  /** Writes the checkpoint and closes everything. What was not delivered is read again at the next start. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.turn();
    await this.flushUntil(this.options.thread.clock.now() + checkpointReserveMs);
    this.stopped = true;
    this.hurried = true;
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
    this.abort.abort();
    this.keeping.write();
    for (const { input } of this.current.routes) input.close();
    for (const { queue } of this.current.outputs.values()) await queue.close();
    this.keeping.release();
  }

  private turn(): void {
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
    this.immediate = undefined;
    if (this.stopped) return;
    const waitMs = Math.min(this.takeTurns(), this.keeping.waitMs(), longestWaitMs);
    if (waitMs <= 0) this.immediate = setImmediate(() => this.turn());
    else this.timer = setTimeout(() => this.turn(), waitMs);
  }

  /** Returns the milliseconds until somebody wants another turn. */
  private takeTurns(): number {
    this.options.records.turn(this.recordLane());
    let waitMs = longestWaitMs;
    for (const { name, input, shaping } of this.current.routes) {
      waitMs = Math.min(waitMs, this.turnOf(name, input), shaping?.turn() ?? longestWaitMs);
    }
    this.backlogs.takeIfDue(this.current.routes);
    this.keeping.writeIfDue();
    return waitMs;
  }

  /** A fault in one input must not end the others. */
  private turnOf(name: string, input: LogInput): number {
    try {
      return input.turn();
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.options.thread.emit("log_input_failed", { input: name, error: text });
      return longestWaitMs;
    }
  }

  private recordLane(): Lane {
    const { queue } = this.current.outputs.get(recordOutput.name)!;
    return this.taps.through(queue.lane(() => this.options.records));
  }

  /** An output that has other options now goes on with what the old one could not deliver. */
  private leave(queue: OutputQueue, next?: OutputQueue): void {
    this.leaving.add(queue);
    void (next?.takeOver(queue) ?? queue.close()).then(() => this.leaving.delete(queue));
  }

  private async readToEnd(end: number): Promise<void> {
    let before = "";
    for (let quiet = 0; quiet < quietLooks && this.mayGoOn(end); ) {
      for (const { input } of this.current.routes) input.look();
      await this.readAll(end);
      const now = this.mark();
      const isQuiet = now === before && this.unsentBytes() === 0;
      quiet = isQuiet ? quiet + 1 : 0;
      before = now;
      if (quiet < quietLooks) await Bun.sleep(drainLookMs);
    }
  }

  /** Takes turns until nobody has more to read right now. */
  private async readAll(end: number): Promise<void> {
    while (this.mayGoOn(end) && this.takeTurns() <= 0) await new Promise((resume) => setImmediate(resume));
  }

  /** Changes when anything was read or has grown. */
  private mark(): string {
    const read = this.state().map(({ id, sizeBytes, outputs }) => {
      const offsets = Object.values(outputs).map(({ readBytes, acknowledgedBytes }) => [readBytes, acknowledgedBytes]);
      return [id, sizeBytes, offsets];
    });
    return JSON.stringify([read, this.unreadBytes()]);
  }

  private async flushUntil(end: number): Promise<void> {
    while (this.mayGoOn(end) && this.unsentBytes() > 0) {
      this.options.records.turn(this.recordLane());
      await Bun.sleep(2);
    }
  }

  private mayGoOn(end: number): boolean {
    return !this.hurried && !this.stopped && this.options.thread.clock.now() < end;
  }

  private unreadBytes(): number {
    const files = this.current.routes.reduce((sum, { input }) => sum + input.unread(), 0);
    return files + this.options.records.unreadBytes;
  }

  private unsentBytes(): number {
    return this.queues().reduce((sum, queue) => sum + queue.unsentBytes, 0);
  }

  private queues(): OutputQueue[] {
    return [...this.leaving, ...[...this.current.outputs.values()].map(({ queue }) => queue)];
  }
}
