/**
 * The content of one archive, piece by piece. The work is done by threads of the runtime; here it is only asked for,
 * and no more than a little of it ever waits.
 */
import { closeSync, readSync } from "node:fs";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { openToRead } from "../siblings.ts";
import type { Compression } from "./compression.ts";
import { ZstdFrames } from "./zstd-frames.ts";

const readBytes = 64 * 1024;
const chunkSize = 256 * 1024;
/** Unpacked bytes after which garbage is collected: pieces lie outside the heap, whose collector hardly sees them. */
const collectEveryBytes = 16 * 1024 * 1024;
/** Unpacked bytes that may wait to be taken. */
const mostWaitingBytes = 1024 * 1024;

export class Unpacking {
  /** Compressed bytes that were read. */
  read = 0;
  /** Why there will be no more before the end: the archive is damaged or cut. */
  trouble: string | undefined;
  private readonly fd: number;
  private readonly stream: ReturnType<typeof createGunzip>;
  private readonly frames: ZstdFrames | undefined;
  private chunks: Buffer[] = [];
  private waiting = 0;
  private uncollected = 0;
  private isFeeding = false;
  private isEnded = false;
  private isClosed = false;

  /** Throws when the file cannot be opened. */
  constructor(path: string, compression: Compression) {
    this.fd = openToRead(path);
    this.frames = compression === "zstd" ? new ZstdFrames() : undefined;
    this.stream = compression === "zstd" ? createZstdDecompress({ chunkSize }) : createGunzip({ chunkSize });
    this.stream.on("data", (chunk: Buffer) => this.got(chunk));
    this.stream.on("end", () => this.ended());
    this.stream.on("error", (error: NodeJS.ErrnoException) => this.failed(error.message));
    this.feed();
  }

  /** True when everything was taken. */
  get isOver(): boolean {
    return this.isEnded && this.chunks.length === 0;
  }

  /** The next piece; undefined when there is none yet, or no more. */
  take(): Buffer | undefined {
    const chunk = this.chunks.shift();
    if (chunk === undefined) return undefined;
    this.waiting -= chunk.length;
    this.uncollected += chunk.length;
    if (this.uncollected >= collectEveryBytes) {
      this.uncollected = 0;
      Bun.gc(true);
    }
    if (this.waiting < mostWaitingBytes && this.stream.isPaused()) this.stream.resume();
    this.feed();
    return chunk;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isEnded = true;
    this.chunks = [];
    this.stream.destroy();
    closeSync(this.fd);
  }

  private got(chunk: Buffer): void {
    if (this.isClosed) return;
    this.chunks.push(chunk);
    this.waiting += chunk.length;
    if (this.waiting >= mostWaitingBytes) this.stream.pause();
  }

  /** Gives the next compressed bytes, once those before them were taken up. */
  private feed(): void {
    if (this.isFeeding || this.isEnded || this.waiting >= mostWaitingBytes) return;
    this.isFeeding = true;
    try {
      const buffer = Buffer.allocUnsafe(readBytes);
      const got = readSync(this.fd, buffer, 0, readBytes, this.read);
      if (got === 0) {
        this.stream.end();
        return;
      }
      this.read += got;
      this.frames?.take(buffer.subarray(0, got));
      this.stream.write(buffer.subarray(0, got), () => this.fed());
    } catch (error) {
      this.failed((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }

  private fed(): void {
    this.isFeeding = false;
    if (!this.isClosed) this.feed();
  }

  private ended(): void {
    if (this.frames?.isWhole === false) this.failed("unexpected end of file");
    this.isEnded = true;
  }

  private failed(reason: string): void {
    if (!this.isClosed) this.trouble ??= reason;
    this.isEnded = true;
  }
}
