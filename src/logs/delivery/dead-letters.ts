/**
 * Where items go that nobody will deliver any more: a file of NDJSON for each output, on disk before the checkpoint
 * moves over them. It and the one before it take at most the size that is granted.
 *
 *   OUTPUT.ndjson  --full-->  OUTPUT.ndjson.1  --full again-->  gone, and counted
 *
 * On a full disk nothing is half written: what did not fit is taken back, and delivery waits until it fits.
 */
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Thread } from "../../contracts.ts";
import { letterOf } from "./letter.ts";
import type { Rejected } from "./outcome.ts";

/** Keeps what an output will not have. */
export interface DeadLetters {
  /** For people: the file; undefined where nothing is kept. */
  readonly file: string | undefined;
  /** Keeps the first of these for good and says how many. @throws where not a single one could be */
  keep(items: readonly Rejected[]): number;
  close(): void;
}

export interface DeadLetterOptions {
  readonly output: string;
  readonly file: string;
  /** Most bytes of the file and the one before it together. */
  readonly bytes: number;
  readonly thread: Pick<Thread, "clock" | "emit" | "metrics">;
}

/** Of letters written at once. */
const writeBytes = 1024 * 1024;

export class DeadLetterFile implements DeadLetters {
  readonly file: string;
  private readonly options: DeadLetterOptions;
  private fd: number | undefined;
  private size = 0;

  constructor(options: DeadLetterOptions) {
    this.file = options.file;
    this.options = options;
  }

  keep(items: readonly Rejected[]): number {
    const { output, thread, bytes } = this.options;
    const letters: Buffer[] = [];
    let length = 0;
    for (const item of items) {
      const letter = Buffer.from(letterOf(item, output, thread.clock.wall()));
      if (length > 0 && length + letter.length > Math.min(writeBytes, bytes / 2)) break;
      letters.push(letter);
      length += letter.length;
    }
    this.append(Buffer.concat(letters));
    return letters.length;
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private append(letters: Buffer): void {
    if (this.fd !== undefined && !this.isThere()) this.close();
    this.fd ??= this.open();
    if (this.size > 0 && this.size + letters.length > this.options.bytes / 2) this.rotate();
    const { fd } = this;
    try {
      for (let at = 0; at < letters.length; ) at += writeSync(fd!, letters, at);
      fdatasyncSync(fd!);
    } catch (error) {
      this.takeBack();
      throw error;
    }
    this.size += letters.length;
  }

  private open(): number {
    mkdirSync(dirname(this.file), { recursive: true });
    const fd = openSync(this.file, "a+", 0o600);
    this.size = fstatSync(fd).size;
    // The process that wrote it before was killed in the middle of a letter.
    if (this.size > 0 && !endsWithNewline(fd, this.size)) this.size += writeSync(fd, "\n");
    return fd;
  }

  /** Half a letter must not stay. Where that cannot be prevented, the next one begins on a line of its own. */
  private takeBack(): void {
    try {
      ftruncateSync(this.fd!, this.size);
    } catch {
      // Told by what failed before it.
    }
    this.close();
  }

  /** Somebody may have taken it away to look at it. */
  private isThere(): boolean {
    return statSync(this.file, { throwIfNoEntry: false })?.ino === fstatSync(this.fd!).ino;
  }

  private rotate(): void {
    const before = `${this.file}.1`;
    const gone = statSync(before, { throwIfNoEntry: false })?.size ?? 0;
    renameSync(this.file, before);
    this.close();
    this.fd = this.open();
    if (gone === 0) return;
    const { output, thread } = this.options;
    thread.metrics.counter("outrigger_log_dead_letters_overwritten_bytes_total", { output }).add(gone);
    thread.emit("log_dead_letters_overwritten", { output, bytes: gone, file: before });
  }
}

function endsWithNewline(fd: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] === 10;
}

/** For outputs whose configuration says `deadLetters: off`. */
export const noDeadLetters: DeadLetters = {
  file: undefined,
  keep: (items) => items.length,
  close: () => {},
};
