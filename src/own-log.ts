/**
 * The sidecar's own log on fd 2: at most 1 MiB of it waits for a reader, and what comes on top is dropped and counted.
 * Traffic never waits for it (`console.error` with a stalled reader stops the whole event loop).
 */
import type { Counter } from "./contracts.ts";

/** What the log writes through: `FdWriter` of logs/fd-writer.ts. */
export interface LineWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes not yet taken by the descriptor. */
  readonly pending: number;
  /** Blocks up to `deadlineMs`; true when everything is out. */
  flushSync(deadlineMs: number): boolean;
  close(): void;
}

export interface OwnLogOptions {
  /** Counts each dropped line at once. */
  dropped: Counter;
  /** Called when there is room again, with the number of lines dropped since it was called last. */
  onDropped(count: number): void;
  /** Default 1 MiB. */
  capacityBytes?: number;
}

export class OwnLog {
  private readonly writer: LineWriter;
  private readonly options: OwnLogOptions;
  private readonly capacityBytes: number;
  private unreported = 0;

  constructor(writer: LineWriter, options: OwnLogOptions) {
    this.writer = writer;
    this.options = options;
    this.capacityBytes = options.capacityBytes ?? 1024 * 1024;
  }

  /** Takes one line, newline included, or drops it. Never blocks, never throws. */
  readonly write = (line: string): void => {
    const bytes = Buffer.from(line);
    if (this.writer.pending + bytes.length > this.capacityBytes) {
      this.unreported++;
      this.options.dropped.add(1);
      return;
    }
    void this.writer.write(bytes).then(this.reportDropped);
  };

  /** Writes what waits, blocking up to `deadlineMs`, and lets go of the descriptor: for the end of the process. */
  close(deadlineMs: number): boolean {
    const complete = this.writer.flushSync(deadlineMs);
    this.writer.close();
    return complete;
  }

  /** Waits until half is free, so that a reader that takes line by line does not get one report per line. */
  private readonly reportDropped = (): void => {
    if (this.unreported === 0 || this.writer.pending > this.capacityBytes / 2) return;
    const count = this.unreported;
    this.unreported = 0;
    this.options.onDropped(count);
  };
}
