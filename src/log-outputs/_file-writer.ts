/** What `file` is made of: which file a block belongs to, when files make room, and what a batch that failed leaves. */
import { dirname } from "node:path";
import type { Batch, Counter, Delivery, LogOutput, LogOutputContext } from "../contracts.ts";
import { errorCode } from "../errors.ts";
import { AppendedFile, syncFolder } from "./_appended-file.ts";
import { bytesOf, type LineFormat } from "./_json-lines.ts";
import { isDue, packAll, type RotationOptions, rotate } from "./_rotation.ts";
import { pathName, Template } from "./_template.ts";

export interface FileWriterOptions {
  /** Absolute, perhaps with places. */
  readonly path: string;
  readonly format: LineFormat;
  /** Of new files; undefined: what the process's umask leaves of 0644. */
  readonly mode: number | undefined;
  readonly sync: boolean;
  readonly rotate: RotationOptions | undefined;
}

/** Files without new lines are closed after this long, and the longest unused where there are more. */
const idleMs = 60_000;
const mostOpen = 64;
/** Least time between two waits for the disk while little is written: a trickle of lines must not keep it busy. */
const syncPauseMs = 100;
/** From this size on a batch is a sign of a backlog, and nothing waits. */
const backlogBytes = 256 * 1024;

export class FileWriter implements LogOutput {
  private readonly options: FileWriterOptions;
  private readonly context: LogOutputContext;
  private readonly template: Template;
  private readonly repaired: Counter;
  private readonly repeated: Counter;
  private readonly open = new Map<string, AppendedFile>();
  /** Files that a batch which failed could not be taken out of yet. */
  private readonly torn = new Set<AppendedFile>();
  private packing: Promise<void> = Promise.resolve();
  private syncedAt = Number.NEGATIVE_INFINITY;

  constructor(options: FileWriterOptions, context: LogOutputContext) {
    this.options = options;
    this.context = context;
    this.template = new Template(options.path, context.clock, pathName);
    this.repaired = context.metrics.counter("outrigger_log_file_repaired_bytes_total", { output: context.name });
    this.repeated = context.metrics.counter("outrigger_log_file_repeated_bytes_total", { output: context.name });
  }

  async deliver(batch: Batch): Promise<Delivery> {
    const touched: AppendedFile[] = [];
    let path = this.options.path;
    try {
      this.mend();
      for (const [name, parts] of this.byPath(batch)) {
        path = name;
        const file = await this.fileFor(path, parts);
        touched.push(file);
        file.begin();
        for (const part of parts) file.append(part);
      }
      if (this.options.sync) await this.sync(touched, batch.bytes);
    } catch (error) {
      this.takeBack(touched);
      return { outcome: "retry", reason: troubleOf(path, error) };
    }
    this.closeIdle();
    return { outcome: "delivered" };
  }

  async close(): Promise<void> {
    for (const file of this.open.values()) file.close();
    this.open.clear();
    await this.packing;
  }

  private byPath({ blocks }: Batch): Map<string, Uint8Array[]> {
    const byPath = new Map<string, Uint8Array[]>();
    for (const block of blocks) {
      const bytes = bytesOf(block, this.options.format);
      if (bytes.length === 0) continue;
      const path = this.template.of(block.source);
      const parts = byPath.get(path);
      if (parts === undefined) byPath.set(path, [bytes]);
      else parts.push(bytes);
    }
    return byPath;
  }

  /** The file to append to: still the one of that name, with room. */
  private async fileFor(path: string, parts: readonly Uint8Array[]): Promise<AppendedFile> {
    const { rotate: rotation, sync } = this.options;
    const { clock } = this.context;
    let file = this.current(path);
    const incoming = parts.reduce((sum, part) => sum + part.length, 0);
    if (rotation !== undefined && isDue(file, incoming, rotation, clock)) {
      await this.turn(file, rotation);
      file = this.current(path);
    }
    // A new file is one after a crash only if the disk has its name as well.
    if (sync && file.size === 0) await syncFolder(dirname(path));
    file.usedAt = clock.now();
    return file;
  }

  private current(path: string): AppendedFile {
    const known = this.open.get(path);
    if (known?.isCurrent) return known;
    if (known !== undefined) this.forget(known);
    const file = AppendedFile.open(path, this.options.mode);
    this.open.set(path, file);
    if (file.repairedBytes > 0) {
      this.repaired.add(file.repairedBytes);
      this.context.emit("log_file_repaired", { output: this.context.name, path, bytes: file.repairedBytes });
    }
    return file;
  }

  private async turn(file: AppendedFile, { keep, gzip }: RotationOptions): Promise<void> {
    const { path } = file;
    await this.packing;
    rotate(path, keep);
    this.forget(file);
    if (gzip) this.packing = packAll(path, keep).catch((error: unknown) => this.unpacked(path, error));
  }

  private unpacked(path: string, error: unknown): void {
    this.context.emit("log_file_not_compressed", { output: this.context.name, path, error: errorCode(error) ?? "EIO" });
  }

  private async sync(files: readonly AppendedFile[], bytes: number): Promise<void> {
    const { clock } = this.context;
    const waitMs = this.syncedAt + syncPauseMs - clock.now();
    if (bytes < backlogBytes && waitMs > 0) await Bun.sleep(waitMs);
    for (const file of files) await file.sync();
    this.syncedAt = clock.now();
  }

  /** Cuts off what a batch left half written, so that its retry repeats nothing. */
  private takeBack(files: readonly AppendedFile[]): void {
    for (const file of files) this.torn.add(file);
    try {
      this.mend();
    } catch {
      // Tried again before the next batch is written.
    }
  }

  private mend(): void {
    for (const file of this.torn) {
      this.repeated.add(file.undo());
      this.torn.delete(file);
    }
  }

  private closeIdle(): void {
    const now = this.context.clock.now();
    const byUse = [...this.open.values()].sort((a, b) => b.usedAt - a.usedAt);
    for (const [place, file] of byUse.entries()) {
      if (place >= mostOpen || now - file.usedAt > idleMs) this.forget(file);
    }
  }

  private forget(file: AppendedFile): void {
    this.open.delete(file.path);
    file.close();
  }
}

const words: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on its volume",
  EDQUOT: "this user's share of the volume is used up",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the volume is mounted read-only",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is no directory",
  ENOTFILE: "it is not a regular file",
  ENXIO: "it is not a regular file",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "this process has no descriptors left",
  EFBIG: "it is as large as files may be here",
};

function troubleOf(path: string, error: unknown): string {
  const code = errorCode(error) ?? String(error);
  const said = words[code];
  return said === undefined ? `${path}: ${code}` : `${path}: ${said} (${code})`;
}
