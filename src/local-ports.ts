/** Which ports of this pod somebody listens on, read from the kernel's table: asking the app itself would disturb it. */
import { readFileSync } from "node:fs";
import { isLoopback } from "./net/connection.ts";

/** State LISTEN in /proc/net/tcp. */
const listening = "0A";

/** The TCP ports with a listener in this network namespace, or undefined where the kernel does not tell. */
export function listeningPorts(root = "/proc/self/net"): ReadonlySet<number> | undefined {
  return portsWhere(root, () => true);
}

/** Those of them that others than this pod's containers can call: listened on at more than loopback. */
export function portsBeyondLoopback(root = "/proc/self/net"): ReadonlySet<number> | undefined {
  return portsWhere(root, (address) => !loopback.test(address));
}

/** 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104, as the kernel writes them on machines of little endian: all we run on. */
const loopback = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;

function portsWhere(root: string, isMeant: (address: string) => boolean): ReadonlySet<number> | undefined {
  const tables = ["tcp", "tcp6"].map((name) => table(`${root}/${name}`)).filter((text) => text !== undefined);
  if (tables.length === 0) return undefined;
  const ports = new Set<number>();
  for (const text of tables) {
    // sl local_address rem_address st …: `  0: 0100007F:1EC6 00000000:0000 0A …`
    for (const [, address, port, state] of text.matchAll(
      /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /gm,
    )) {
      if (state === listening && isMeant(address!)) ports.add(Number.parseInt(port!, 16));
    }
  }
  return ports;
}

/** True for a host name or address that is this pod itself. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || isLoopback(host);
}

function table(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
