/** How many bytes of a socket the peer's kernel has not acknowledged: asked of the kernel (Linux), as no runtime offers it. */

/** `ioctl` request that Linux answers with the bytes in the send queue that were not acknowledged (tcp(7), SIOCOUTQ). */
const SIOCOUTQ = 0x5411;

let loading: Promise<((fd: number) => number) | undefined> | undefined;

/** The question; undefined where the system does not offer it. It answers -1 for what is no open TCP socket. */
export function loadUnacknowledged(): Promise<((fd: number) => number) | undefined> {
  loading ??= load();
  return loading;
}

async function load(): Promise<((fd: number) => number) | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    // Not imported above: loading bun:ffi takes 10 ms and 2 MB.
    const { dlopen, ptr } = await import("bun:ffi");
    const library = dlopen("libc.so.6", { ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" } });
    const answer = new Int32Array(1);
    const place = ptr(answer);
    return (fd) => (library.symbols.ioctl(fd, SIOCOUTQ, place) === 0 ? answer[0]! : -1);
  } catch {
    return undefined; // another C library
  }
}
