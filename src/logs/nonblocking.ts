/**
 * A descriptor of our own on the same pipe, socket or terminal, one that never blocks the thread.
 *
 * Descriptor 1 is shared with whoever started us. Setting O_NONBLOCK on it would change it for them too (a shell
 * whose prompt fails with "resource unavailable" is the classic result), so the file behind it is opened once
 * more through /proc, which makes a new open file description. Sockets cannot be opened that way (ENXIO), and a
 * pipe that another user made may refuse (EACCES): only then the shared one is switched, and switched back by
 * `restore`.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";

export interface NonBlocking {
  /** The descriptor to write to. */
  readonly fd: number;
  /** Gives back what was taken: closes our own descriptor, or the old flags. */
  restore(): void;
}

const untouched = (fd: number): NonBlocking => ({ fd, restore() {} });

/**
 * Opens what is behind `fd` once more, without blocking. Undefined when it cannot be opened again.
 * A regular file is taken as it is: a write to it never waits for a reader, and the shared offset must be kept.
 */
export function reopen(fd: number): NonBlocking | undefined {
  try {
    if (fstatSync(fd).isFile()) return untouched(fd);
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY;
    const own = openSync(`/proc/self/fd/${fd}`, flags);
    return { fd: own, restore: () => closeSync(own) };
  } catch {
    return undefined;
  }
}

/** Switches the shared description to O_NONBLOCK. Where that cannot be done either, writes may block. */
export async function switchOver(fd: number): Promise<NonBlocking> {
  if (process.platform !== "linux") return untouched(fd);
  try {
    // Not imported above: loading bun:ffi takes 10 ms and 2 MB, and few descriptors need it.
    const { dlopen } = await import("bun:ffi");
    const library = dlopen("libc.so.6", { fcntl: { args: ["i32", "i32", "i32"], returns: "i32" } });
    const { fcntl } = library.symbols;
    const flags = fcntl(fd, F_GETFL, 0);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | constants.O_NONBLOCK) < 0) return untouched(fd);
    return { fd, restore: () => void fcntl(fd, F_SETFL, flags) };
  } catch {
    return untouched(fd);
  }
}

/** `fcntl` commands as Linux numbers them on every architecture. */
const F_GETFL = 3;
const F_SETFL = 4;
