/**
 * What survives a restart, in one file that is replaced as a whole.
 *
 *   checkpoint.tmp --fsync--> rename checkpoint.json to checkpoint.prev.json --> rename tmp to checkpoint.json --> fsync folder
 *
 * The first line says version, generation and checksum of the second, which is the content. Killed at any moment, at
 * least one of the three files is whole; the highest whole generation wins. One that is not whole is set aside, never
 * overwritten. A full disk is a normal state: positions stay in memory and are written once there is room again.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, CheckpointSection, Counter, Gauge, Thread } from "../../contracts.ts";
import { UserError } from "../../errors.ts";
import { type Generation, type Loaded, loadGenerations, newest, quarantine, storeGeneration } from "./generation.ts";

/** Longest wait of a change, and most acknowledged bytes without a write: what may be delivered again after a kill. */
export const writeIntervalMs = 1_000;
export const writeEveryBytes = 8 * 1024 * 1024;
const retryMs = 5_000;

type CheckpointThread = Pick<Thread, "clock" | "emit" | "metrics">;

export class CheckpointFile implements Checkpoint {
  private readonly folder: string;
  private readonly thread: CheckpointThread;
  private readonly saved: Map<string, unknown>;
  private readonly sections = new Map<string, CheckpointSection>();
  private readonly writes: Counter;
  private readonly failures: Counter;
  private readonly unsaved: Gauge;
  private readonly writtenAt: Gauge;
  private generation: number;
  private acknowledgedBytes = 0;
  /** When the next write is due; Infinity while nothing changed. */
  private dueAt = Number.POSITIVE_INFINITY;
  private lastWriteAt = Number.NEGATIVE_INFINITY;
  private failing = false;
  /** When the oldest change happened that is not written yet. */
  private changedAt: number | undefined;

  private constructor(folder: string, thread: CheckpointThread, start: Generation | undefined) {
    this.folder = folder;
    this.thread = thread;
    this.saved = new Map(Object.entries(start?.content ?? {}));
    this.generation = start?.generation ?? 0;
    this.writes = thread.metrics.counter("outrigger_log_checkpoints_total", { result: "written" });
    this.failures = thread.metrics.counter("outrigger_log_checkpoints_total", { result: "failed" });
    this.unsaved = thread.metrics.gauge("outrigger_log_checkpoint_unsaved_seconds");
    this.writtenAt = thread.metrics.gauge("outrigger_log_checkpoint_timestamp_seconds");
  }

  /** Reads what is there. Throws a UserError where that cannot be done. */
  static open(folder: string, thread: CheckpointThread): CheckpointFile {
    const found = usable(folder, () => loadGenerations(folder));
    const start = newest(found);
    for (const one of found) {
      if (one.problem === undefined) continue;
      const aside = quarantine(one.path, thread.clock.wall());
      if (aside !== undefined) thread.emit("log_checkpoint_corrupt", corruption(one, aside, start));
    }
    return new CheckpointFile(folder, thread, start);
  }

  section<T extends CheckpointSection>(name: string, revive: (saved: unknown) => T): T {
    const known = this.sections.get(name);
    if (known !== undefined) return known as T;
    const made = revive(this.saved.get(name));
    this.sections.set(name, made);
    return made;
  }

  touch(acknowledgedBytes: number): void {
    this.acknowledgedBytes += acknowledgedBytes;
    this.changedAt ??= this.thread.clock.now();
    if (this.failing) return;
    const dueAt = this.acknowledgedBytes >= writeEveryBytes ? 0 : this.lastWriteAt + writeIntervalMs;
    if (dueAt < this.dueAt) this.dueAt = dueAt;
  }

  hasten(): void {
    if (!this.failing) this.dueAt = 0;
  }

  /** Milliseconds until `writeIfDue` has something to do; Infinity while nothing changed. */
  waitMs(): number {
    return Math.max(0, this.dueAt - this.thread.clock.now());
  }

  writeIfDue(): void {
    const now = this.thread.clock.now();
    if (this.dueAt <= now) this.write();
    this.unsaved.set(this.changedAt === undefined ? 0 : (now - this.changedAt) / 1_000);
  }

  /** Writes now. False when that was not possible; the change stays due. */
  write(): boolean {
    for (const [name, section] of this.sections) this.saved.set(name, section.save());
    this.lastWriteAt = this.thread.clock.now();
    try {
      storeGeneration(this.folder, { generation: this.generation + 1, content: Object.fromEntries(this.saved) });
    } catch (error) {
      this.failed(error);
      return false;
    }
    this.succeeded();
    return true;
  }

  private succeeded(): void {
    this.generation++;
    this.acknowledgedBytes = 0;
    this.changedAt = undefined;
    this.unsaved.set(0);
    this.dueAt = Number.POSITIVE_INFINITY;
    this.writes.add(1);
    this.writtenAt.set(this.thread.clock.wall() / 1_000);
    if (this.failing) this.thread.emit("log_checkpoint_written_again", { folder: this.folder });
    this.failing = false;
  }

  private failed(error: unknown): void {
    this.failures.add(1);
    this.dueAt = this.lastWriteAt + retryMs;
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (!this.failing) this.thread.emit("log_checkpoint_failed", { folder: this.folder, error: code });
    this.failing = true;
  }
}

/** Where the log worker keeps its things. */
export function logsFolder(stateFolder: string): string {
  return join(stateFolder, "logs");
}

/** Makes that folder. Throws a UserError where that cannot be done. */
export function prepareFolder(stateFolder: string): string {
  const folder = logsFolder(stateFolder);
  usable(folder, () => {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  });
  return folder;
}

function usable<T>(folder: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UserError(
      `${folder}: positions of log files cannot be kept here (${code}); name a folder this user may write to in \`state:\``,
      3,
    );
  }
}

function corruption(one: Loaded, aside: string, start: Generation | undefined): Record<string, unknown> {
  const instead =
    start === undefined ? "files are read from where their entry says" : `generation ${start.generation} is used`;
  return { file: one.path, problem: one.problem, aside, instead };
}
