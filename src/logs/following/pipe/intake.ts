/** From the pipe to the spool: reads while there is room, cuts lines that are too long, says what is wrong. */
import type { LogInputContext } from "../../../contracts.ts";
import { FollowCounters } from "../follow-counters.ts";
import { Fifo, makeFifo } from "./fifo.ts";
import { LineCutter } from "./line-cutter.ts";
import type { PipeOptions } from "./pipe-input.ts";
import type { Spool } from "./spool.ts";

/** What a pipe holds unless its writer asked for more. */
const readBytes = 64 * 1024;
const turnBytes = 1024 * 1024;
const newline = 10;

/** What one turn came to: bytes that were read, whether a file of the spool became full, whether it must wait. */
export interface Taken {
  readonly bytes: number;
  readonly hasRolled: boolean;
  readonly failed: boolean;
}

export class Intake {
  private readonly options: PipeOptions;
  private readonly context: LogInputContext;
  private readonly spool: Spool;
  private readonly cutter: LineCutter;
  private readonly buffer = Buffer.allocUnsafeSlow(readBytes);
  private fifo: Fifo | undefined;
  /** What is wrong, as it was last said. */
  private trouble: string | undefined;
  private isFull = false;
  /** Bytes of a line without an end that were in the pipe at the last look. */
  private unfinished = 0;

  constructor(options: PipeOptions, context: LogInputContext, spool: Spool, fifo: Fifo | undefined) {
    this.options = options;
    this.context = context;
    this.spool = spool;
    this.fifo = fifo;
    const counters = new FollowCounters(context.metrics, context.name);
    this.cutter = new LineCutter(options.maxLine, (leftOut) => counters.cutLine(leftOut), spool.unfinished);
  }

  /** Reads until the pipe is empty, the spool is full or the turn is over. */
  turn(): Taken {
    let bytes = 0;
    let hasRolled = false;
    try {
      hasRolled = this.spool.flush();
      for (let got = 1; got > 0 && bytes < turnBytes; bytes += got) {
        got = this.read();
        if (got > 0 && this.keep(got)) hasRolled = true;
      }
      if (this.fifo !== undefined) this.say(undefined);
      return { bytes, hasRolled, failed: false };
    } catch (error) {
      this.say((error as NodeJS.ErrnoException).code ?? String(error));
      return { bytes, hasRolled, failed: true };
    }
  }

  /** Sees to it that the pipe at the path is there, and is the one that is open. */
  check(): void {
    if (this.fifo?.isInPlace() === false) {
      // What was written to the old one before it went comes first.
      while (this.turn().bytes >= turnBytes);
      this.fifo.close();
      this.fifo = undefined;
    }
    if (this.fifo === undefined) this.open();
  }

  /** What waited for the end of its line goes to the spool with it unfinished: the next one goes on there. */
  close(): void {
    this.fifo?.close();
    this.fifo = undefined;
    try {
      this.spool.append(this.cutter.rest());
    } catch (error) {
      this.say((error as NodeJS.ErrnoException).code ?? String(error));
    }
    this.spool.close();
  }

  private read(): number {
    const { room } = this.spool;
    this.noteFull(room === 0);
    if (this.fifo === undefined || room === 0) return 0;
    const most = Math.min(room, readBytes);
    const got = this.fifo.read(this.buffer.subarray(0, most));
    const whole = this.buffer.lastIndexOf(newline, got - 1) + 1;
    if (got > 0 && whole > 0) return whole;
    // An unfinished line stays in the pipe for one look, so that the spool ends with a line whenever it can: killed now,
    // what comes twice are lines, not parts of them.
    const isStuck = got === most || got === this.unfinished;
    this.unfinished = isStuck ? 0 : got;
    return isStuck ? got : 0;
  }

  /** True when a file of the spool became full. What the spool cannot write now it keeps, so the pipe may forget it. */
  private keep(length: number): boolean {
    try {
      return this.spool.append(this.cutter.take(this.buffer.subarray(0, length)));
    } finally {
      this.fifo?.taken(length);
    }
  }

  private open(): void {
    const { path, mode } = this.options;
    try {
      this.fifo = Fifo.open(path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      this.say(code);
      if (code === "ENOENT") makeFifo(path, mode);
    }
  }

  private noteFull(isFull: boolean): void {
    if (isFull === this.isFull) return;
    this.isFull = isFull;
    const { name: input, emit } = this.context;
    const { path, spool } = this.options;
    if (isFull) emit("log_spool_full", { input, path, bytes: spool });
    else emit("log_spool_has_room", { input, path });
  }

  private say(trouble: string | undefined): void {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    if (trouble === undefined) return;
    const error = trouble === "ENOTFIFO" ? "it is not a named pipe" : trouble;
    this.context.emit("log_pipe_unreadable", { input: this.context.name, path: this.options.path, error });
  }
}
