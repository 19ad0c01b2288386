/**
 * An option of sockets that the runtime offers no call for, set through the C library.
 * Accepted connections inherit it from their listener (Linux), so requests pay nothing.
 */
import { dlopen, ptr } from "bun:ffi";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

/**
 * The runtime hands over up to 512 KiB in one read, so the kernel's buffer is what bounds how much of a body is
 * in our memory while the other side is slow. The kernel doubles the figure for its own book-keeping.
 */
const receiveBytes = 128 * 1024;

type SetOption = (fd: number, level: number, option: number, value: ReturnType<typeof ptr>, size: number) => number;

let setOption: SetOption | null | undefined;
const receiveValue = new Int32Array([receiveBytes]);

/**
 * Bounds what a listening or connected socket takes in before it is read. For loopback only: a fixed buffer ends the
 * kernel's tuning, and over a long round trip that would bound the speed as well.
 * @returns false where the system does not offer it
 */
export function boundReceiveBuffer(fd: number): boolean {
  if (setOption === undefined) setOption = load();
  if (setOption === null || fd < 0) return false;
  return setOption(fd, SOL_SOCKET, SO_RCVBUF, ptr(receiveValue), 4) === 0;
}

function load(): SetOption | null {
  try {
    const library = dlopen("libc.so.6", {
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    });
    return library.symbols.setsockopt;
  } catch {
    return null; // another C library or system: the runtime's default stays
  }
}
