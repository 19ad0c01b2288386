/**
 * The reading end of a named pipe. It is opened for writing as well, so that there is always a writer: readers see the
 * end of a pipe when the last writer leaves, and ours may come and go. Nor do they ever see EPIPE while we run.
 *
 * What is read stays in the pipe until `taken`: `tee(2)` copies it into a pipe of our own. A process that is killed
 * between reading and writing has lost nothing; at most it reads so much again.
 */
import { dlopen, ptr } from "bun:ffi";
import { chmodSync, closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";

// The runtime has no calls for these.
const { symbols } = dlopen("libc.so.6", {
  mkfifo: { args: ["ptr", "u32"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  tee: { args: ["i32", "i32", "usize", "u32"], returns: "i64" },
});
/** SPLICE_F_NONBLOCK of <fcntl.h>, and O_CLOEXEC. */
const doNotWait = 2;
const closeOnExec = 0o2000000;

export class Fifo {
  private readonly path: string;
  private readonly fd: number;
  private readonly key: string;
  /** Both ends of a pipe of our own, which is empty but during `read`. */
  private readonly copy: { readonly reading: number; readonly writing: number };

  private constructor(path: string, fd: number, key: string, [reading, writing]: readonly [number, number]) {
    this.path = path;
    this.fd = fd;
    this.key = key;
    this.copy = { reading, writing };
  }

  /** Throws an error with a `code`; ENOTFIFO where something else is at the path. */
  static open(path: string): Fifo {
    const found = statSync(path, { bigint: true });
    // Before it is opened: opening a device may do something.
    if (!found.isFIFO()) throw notAFifo();
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const { dev, ino } = fstatSync(fd, { bigint: true });
      return new Fifo(path, fd, `${dev}:${ino}`, ownPipe());
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Reads what is there, at most what fits `buffer`; 0 when there is nothing now. What is not `taken` is read again. */
  read(buffer: Uint8Array): number {
    const got = Number(symbols.tee(this.fd, this.copy.writing, buffer.length, doNotWait));
    if (got <= 0) return 0; // EAGAIN: it is empty
    for (let at = 0; at < got; ) at += readSync(this.copy.reading, buffer, at, got - at, null);
    return got;
  }

  /** The first `length` bytes of what was read last are kept somewhere else now; the rest is read again. */
  taken(length: number): void {
    const scratch = Buffer.allocUnsafe(length);
    for (let left = length; left > 0; ) left -= readSync(this.fd, scratch, 0, left, null);
  }

  /** False when another pipe, or nothing, is at its path by now. */
  isInPlace(): boolean {
    const now = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    return now !== undefined && `${now.dev}:${now.ino}` === this.key;
  }

  close(): void {
    for (const fd of [this.fd, this.copy.reading, this.copy.writing]) closeSync(fd);
  }
}

/** Both ends of a new pipe. */
function ownPipe(): [reading: number, writing: number] {
  const ends = new Int32Array(2);
  if (symbols.pipe2(ptr(ends), closeOnExec) !== 0) throw failure("no descriptor is left for a pipe", "EMFILE");
  return [ends[0]!, ends[1]!];
}

function notAFifo(): NodeJS.ErrnoException {
  return failure("not a named pipe", "ENOTFIFO");
}

function failure(text: string, code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(text), { code });
}

/** Makes a named pipe where nothing is. Says nothing when that fails: opening it will. */
export function makeFifo(path: string, mode: number): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  // The umask takes bits away: what others may do is given after.
  if (symbols.mkfifo(ptr(Buffer.from(`${path}\0`)), 0o600) === 0) chmodSync(path, mode);
}
