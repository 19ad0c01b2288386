/**
 * The reading end of a named pipe. It is opened for writing as well, so that there is always a writer: readers see the
 * end of a pipe when the last writer leaves, and ours may come and go. Nor do they ever see EPIPE while we run.
 */
import { chmodSync, closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";

export class Fifo {
  private readonly path: string;
  private readonly fd: number;
  private readonly key: string;

  private constructor(path: string, fd: number, key: string) {
    this.path = path;
    this.fd = fd;
    this.key = key;
  }

  /** Throws an error with a `code`; ENOTFIFO where something else is at the path. */
  static open(path: string): Fifo {
    const found = statSync(path, { bigint: true });
    // Before it is opened: opening a device may do something.
    if (!found.isFIFO()) throw notAFifo();
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return new Fifo(path, fd, `${dev}:${ino}`);
  }

  /** Reads what is there, at most what fits `buffer`; 0 when there is nothing now. */
  read(buffer: Uint8Array): number {
    try {
      return readSync(this.fd, buffer, 0, buffer.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN" || code === "EINTR") return 0;
      throw error;
    }
  }

  /** False when another pipe, or nothing, is at its path by now. */
  isInPlace(): boolean {
    const now = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    return now !== undefined && `${now.dev}:${now.ino}` === this.key;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function notAFifo(): NodeJS.ErrnoException {
  return Object.assign(new Error("not a named pipe"), { code: "ENOTFIFO" });
}

/** Makes a named pipe where nothing is. Says nothing when that fails: opening it will. */
export async function makeFifo(path: string, mode: number): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  // The runtime has no call for it, and the image no program.
  const { dlopen, ptr } = await import("bun:ffi");
  const library = dlopen("libc.so.6", { mkfifo: { args: ["ptr", "u32"], returns: "i32" } });
  try {
    // The umask takes bits away: what others may do is given after.
    if (library.symbols.mkfifo(ptr(Buffer.from(`${path}\0`)), 0o600) === 0) chmodSync(path, mode);
  } finally {
    library.close();
  }
}
