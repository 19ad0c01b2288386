/**
 * Options of a socket that the runtime offers no call for, set through the C library.
 * Accepted connections inherit them from their listener (Linux), so requests pay nothing.
 */
import { dlopen, ptr } from "bun:ffi";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;

/**
 * The runtime hands over up to 512 KiB in one read, so the kernel's buffer is what bounds how much of a body is
 * in our memory while the other side is slow. The kernel doubles the figure for its own book-keeping.
 */
const receiveBytes = 128 * 1024;
/** How long sent bytes may stay unacknowledged before the peer counts as gone (traffic.md D8). */
const userTimeoutMs = 30_000;

type SetOption = (fd: number, level: number, option: number, value: ReturnType<typeof ptr>, size: number) => number;

let setOption: SetOption | null | undefined;
const receiveValue = new Int32Array([receiveBytes]);
const timeoutValue = new Int32Array([userTimeoutMs]);

/** Bounds the memory of a listening or connecting socket, and its patience. False where the system offers neither. */
export function boundSocket(fd: number): boolean {
  setOption ??= load();
  if (setOption === null || fd < 0) return false;
  const receive = setOption(fd, SOL_SOCKET, SO_RCVBUF, ptr(receiveValue), 4);
  const timeout = setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ptr(timeoutValue), 4);
  return receive === 0 && timeout === 0;
}

function load(): SetOption | null {
  try {
    const library = dlopen("libc.so.6", {
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    });
    return library.symbols.setsockopt;
  } catch {
    return null; // another C library or system: the runtime's defaults stay
  }
}
