/**
 * Lines from a named pipe. A pipe cannot be read again, so what is read goes to a spool on disk at once, and from
 * there on it is followed like any log file:
 *
 *   writers -> pipe -> at most what the spool has room for -> spool -> Follower -> outputs
 *                                                               ^-- full files are deleted once all outputs have them
 *
 * When the spool is full the pipe is not read, so that its writers wait: nothing is dropped.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Acknowledged, Gauge, LogInput, LogInputContext, LogSourceState } from "../../../contracts.ts";
import { UserError } from "../../../errors.ts";
import { Follower } from "../follow.ts";
import { Ledger, type Row } from "../ledger.ts";
import { Fifo, makeFifo } from "./fifo.ts";
import { Intake } from "./intake.ts";
import { type Segment, Spool } from "./spool.ts";

export interface PipeOptions {
  /** Absolute. */
  readonly path: string;
  /** Of a pipe that has to be made. */
  readonly mode: number;
  /** Bytes of lines kept until they are delivered. */
  readonly spool: number;
  readonly maxLine: number;
}

const shortestWaitMs = 1;
const longestWaitMs = 50;
const checkIntervalMs = 1_000;

export class PipeInput implements LogInput {
  private readonly options: PipeOptions;
  private readonly context: LogInputContext;
  private readonly folder: string;
  private readonly ledger: Ledger;
  private readonly follower: Follower;
  private readonly spoolBytes: Gauge;
  private fifo: Fifo | undefined;
  /** Made with the first turn: after a reload the input before this one writes to the spool until then. */
  private made: { readonly spool: Spool; readonly intake: Intake } | undefined;
  private nextCheckAt = Number.NEGATIVE_INFINITY;
  private nextReadAt = Number.NEGATIVE_INFINITY;
  private waitMs = shortestWaitMs;

  private constructor(options: PipeOptions, context: LogInputContext) {
    this.options = options;
    this.context = context;
    const { name, metrics, clock, checkpoint, stateFolder } = context;
    this.folder = spoolFolder(stateFolder, name);
    this.ledger = checkpoint.section("files", (saved) => new Ledger(clock, saved));
    this.spoolBytes = metrics.gauge("outrigger_log_spool_bytes", { input: name });
    const { path, maxLine } = options;
    const paths = [`${escaped(Spool.pathIn(this.folder))}*`];
    const reading = { encoding: "utf-8", maxLine, hold: Number.POSITIVE_INFINITY, shownAs: path };
    this.follower = new Follower({ paths, exclude: [], from: "beginning", ...reading }, context);
  }

  /** Makes the pipe where there is none. Throws a UserError when there is no place for the spool. */
  static open(options: PipeOptions, context: LogInputContext): PipeInput {
    const input = new PipeInput(options, context);
    makeFifo(options.path, options.mode);
    // At once: until somebody reads it, opening a pipe to write to it waits.
    input.fifo = openedNow(options.path);
    return input;
  }

  turn(): number {
    const now = this.context.clock.now();
    const { intake } = this.parts;
    if (now >= this.nextCheckAt) this.check(now);
    if (now >= this.nextReadAt) this.read(intake, now);
    return Math.max(0, Math.min(this.follower.turn(), this.nextReadAt - now, this.nextCheckAt - now));
  }

  look(): void {
    this.nextCheckAt = Number.NEGATIVE_INFINITY;
    this.nextReadAt = Number.NEGATIVE_INFINITY;
    this.follower.look();
  }

  acknowledged(block: Acknowledged, output: string): void {
    this.follower.acknowledged(block, output);
  }

  unread(): number {
    return this.follower.unread();
  }

  finish(): void {
    this.follower.finish();
  }

  state(): LogSourceState[] {
    return this.follower.state();
  }

  close(): void {
    if (this.made === undefined) this.fifo?.close();
    this.made?.intake.close();
    this.made = undefined;
    this.fifo = undefined;
    this.follower.close();
  }

  private get parts() {
    if (this.made === undefined) {
      const spool = new Spool(this.folder, this.options.spool);
      this.made = { spool, intake: new Intake(this.options, this.context, spool, this.fifo) };
    }
    return this.made;
  }

  /** Frees what was delivered, and sees to the pipe. */
  private check(now: number): void {
    const { spool, intake } = this.parts;
    this.nextCheckAt = now + checkIntervalMs;
    spool.prune((segment) => this.isDelivered(spool, segment));
    this.forgetDeleted(spool);
    this.spoolBytes.set(spool.bytes);
    intake.check();
  }

  private read(intake: Intake, now: number): void {
    const { bytes, hasRolled, failed } = intake.turn();
    if (hasRolled) this.follower.look();
    else if (bytes > 0) this.follower.hurry();
    this.waitMs = bytes > 0 ? shortestWaitMs : Math.min(2 * this.waitMs, longestWaitMs);
    this.nextReadAt = now + (failed ? checkIntervalMs : this.waitMs);
  }

  private isDelivered({ path }: Spool, { stamp }: Segment): boolean {
    const row = this.ledger.find(stamp);
    return (
      row?.path.startsWith(path) === true && this.context.lanes.every(({ output }) => has(row, output, stamp.size))
    );
  }

  /**
   * Only we delete files of the spool, and only what was delivered: nothing needs to be remembered of them. Were it,
   * a new file with the same inode and the same lines would be taken for an old one, or a deleted one for a loss.
   */
  private forgetDeleted(spool: Spool): void {
    for (const row of this.ledger.rows.values()) {
      const isOver = row.endedAt !== undefined || row.headBytes === undefined;
      if (row.path.startsWith(spool.path) && isOver && !spool.has(row)) this.ledger.forget(row);
    }
  }
}

function has({ cursors }: Row, output: string, bytes: number): boolean {
  return (cursors.get(output)?.acknowledged ?? 0) >= bytes;
}

function openedNow(path: string): Fifo | undefined {
  try {
    return Fifo.open(path);
  } catch {
    // The first check says so.
    return undefined;
  }
}

function spoolFolder(stateFolder: string, name: string): string {
  const folder = join(stateFolder, "pipes", name);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UserError(`${folder}: what is read from a pipe cannot be kept here (${code})`, 3);
  }
}

/** A path as a pattern that matches it alone. */
function escaped(path: string): string {
  return path.replace(/[\\*?[\]{}]/g, "\\$&");
}
