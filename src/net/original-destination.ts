/**
 * Where a redirected connection was going, which only the kernel's connection tracking knows: `getsockopt` with
 * SO_ORIGINAL_DST (linux/netfilter_ipv4.h) and IP6T_SO_ORIGINAL_DST (linux/netfilter_ipv6/ip6_tables.h), through the C
 * library. Loaded only where a listener captures. Costs 6 to 10 µs for a connection, and needs no rights.
 */
import { dlopen, ptr } from "bun:ffi";
import { ipText } from "./ip-bytes.ts";
import type { Endpoint } from "./proxy-protocol.ts";

const SOL_IP = 0;
const SOL_IPV6 = 41;
/** The same number for both families. */
const SO_ORIGINAL_DST = 80;

type GetOption = (
  fd: number,
  level: number,
  option: number,
  value: ReturnType<typeof ptr>,
  size: ReturnType<typeof ptr>,
) => number;

let getOption: GetOption | null | undefined;
/** Room for a sockaddr_in6; a sockaddr_in is shorter. */
const address = new Uint8Array(28);
const length = new Uint32Array(1);

/**
 * What was dialled, of a connection that was accepted. Where nothing was redirected it is our own end of the connection,
 * or undefined where connections are not tracked at all.
 * @param fd the accepted socket's
 * @param isIpv4 whether IPv4 is spoken, perhaps on a dual-stack socket
 */
export function originalDestination(fd: number, isIpv4: boolean): Endpoint | undefined {
  if (getOption === undefined) getOption = load();
  if (getOption === null || fd < 0) return undefined;
  length[0] = address.length;
  if (getOption(fd, isIpv4 ? SOL_IP : SOL_IPV6, SO_ORIGINAL_DST, ptr(address), ptr(length)) !== 0) return undefined;
  const port = address[2]! * 256 + address[3]!;
  return { address: ipText(isIpv4 ? address.subarray(4, 8) : address.subarray(8, 24)), port };
}

/** False where the system has no such call: then nothing can be captured. */
export function canTellOriginalDestination(): boolean {
  if (getOption === undefined) getOption = load();
  return getOption !== null;
}

function load(): GetOption | null {
  try {
    const library = dlopen("libc.so.6", {
      getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    });
    return library.symbols.getsockopt;
  } catch {
    return null;
  }
}
