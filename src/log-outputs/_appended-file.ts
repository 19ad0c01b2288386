/**
 * A file that only grows by whole blocks of lines.
 *
 *   open (repair a torn last line) -> begin -> append, append … -> sync -> begin …
 *                                        ^------- undo: cut back to where the batch began
 *
 * Writes go to the page cache and are made on this thread: 256 KiB take 0.1 ms. Waiting for the disk, which may take
 * seconds, is left to another thread.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fdatasync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

const newline = 10;
/** Step of the search for the last newline. */
const lookBytes = 64 * 1024;

export class AppendedFile {
  readonly path: string;
  /** Bytes that opening cut off: the beginning of a line whose rest was never written. */
  readonly repairedBytes: number;
  /** Monotonic milliseconds; for whoever closes files that are not used. */
  usedAt = 0;
  private readonly fd: number;
  private readonly key: string;
  /** Of the batch under way: size before it, and bytes appended since. */
  private base = 0;
  private appended = 0;

  private constructor(path: string, fd: number, mode: number | undefined) {
    this.path = path;
    this.fd = fd;
    const { dev, ino, size } = fstatSync(fd);
    this.key = `${dev} ${ino}`;
    if (size === 0 && mode !== undefined) fchmodSync(fd, mode);
    this.repairedBytes = size === 0 ? 0 : repair(fd, size);
  }

  /**
   * Opens the file, made with its folders where it does not exist. @param mode of a new file; the process's umask
   * decides where it is undefined. @throws what the system says, with its `code`
   */
  static open(path: string, mode: number | undefined): AppendedFile {
    mkdirSync(dirname(path), { recursive: true });
    // Not to wait for the reader of a pipe that stands where the file should be.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;
    const fd = openSync(path, flags, mode ?? 0o644);
    try {
      if (!fstatSync(fd).isFile()) throw Object.assign(new Error("not a regular file"), { code: "ENOTFILE" });
      return new AppendedFile(path, fd, mode);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** False when the path names another file by now, or none: somebody renamed or removed ours. */
  get isCurrent(): boolean {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    return stat !== undefined && `${stat.dev} ${stat.ino}` === this.key;
  }

  get size(): number {
    return fstatSync(this.fd).size;
  }

  /** Milliseconds since the epoch; 0 where the file system does not know. */
  get bornAt(): number {
    return fstatSync(this.fd).birthtimeMs;
  }

  begin(): void {
    this.appended = 0;
    this.base = this.size;
  }

  /** Writes all of it, in as many pieces as the system takes. @throws what the system says; then call `undo` */
  append(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; ) {
      const taken = writeSync(this.fd, bytes, offset, bytes.length - offset);
      if (taken === 0) throw Object.assign(new Error("nothing was taken"), { code: "EIO" });
      offset += taken;
      this.appended += taken;
    }
  }

  /**
   * Takes back what was appended since `begin`. Where somebody else wrote behind it, it stays, its last line ended.
   * Returns the bytes that stay and will therefore come twice. @throws when that cannot be done either
   */
  undo(): number {
    const { appended, size } = this;
    const isOurs = size === this.base + appended;
    if (isOurs && appended > 0) ftruncateSync(this.fd, this.base);
    else if (appended > 0 && !endsLine(this.fd, size)) writeSync(this.fd, Uint8Array.of(newline));
    this.appended = 0;
    return isOurs ? 0 : appended;
  }

  /** Resolves once the disk has what was appended. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.fd, (error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Makes new and changed names in a folder last. */
export function syncFolder(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    fsync(fd, (error) => {
      closeSync(fd);
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

function endsLine(fd: number, size: number): boolean {
  const last = new Uint8Array(1);
  return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === newline);
}

/** Cuts the file back to the end of its last whole line. Returns the bytes cut. */
function repair(fd: number, size: number): number {
  if (endsLine(fd, size)) return 0;
  const whole = lastLineEnd(fd, size);
  ftruncateSync(fd, whole);
  fsyncSync(fd);
  return size - whole;
}

function lastLineEnd(fd: number, size: number): number {
  const piece = Buffer.allocUnsafe(Math.min(size, lookBytes));
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - piece.length);
    const read = readSync(fd, piece, 0, end - start, start);
    const found = piece.subarray(0, read).lastIndexOf(newline);
    if (found >= 0) return start + found + 1;
    end = start;
  }
  return 0;
}
