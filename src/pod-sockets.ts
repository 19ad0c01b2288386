/**
 * Sockets in this network namespace that are not ours, read from the kernel's tables. A pod's containers share the
 * namespace and, as a rule, not their processes: sockets are the one thing of the app that the sidecar can see.
 * They go when the app's process ends, however it ends.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Per table: which column has the inode, counted from 0, and how many lines of heading there are. */
const tables: readonly (readonly [name: string, inode: number])[] = [
  // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
  ["tcp", 9],
  ["tcp6", 9],
  ["udp", 9],
  ["udp6", 9],
  // Num RefCount Protocol Flags Type St Inode Path
  ["unix", 6],
];

/**
 * How many there are; undefined where the kernel does not tell.
 * @param root the folder of this process in `/proc`
 */
export function foreignSockets(root = "/proc/self"): number | undefined {
  const found = tables.map(([name, column]) => inodes(`${root}/net/${name}`, column));
  const own = ownInodes(`${root}/fd`);
  if (own === undefined || found.every((one) => one === undefined)) return undefined;
  return found.flatMap((one) => one ?? []).filter((inode) => !own.has(inode)).length;
}

/** A connection that only the kernel still has (TIME_WAIT, not yet accepted) has no inode, which is written as 0. */
function inodes(path: string, column: number): string[] | undefined {
  try {
    const lines = readFileSync(path, "utf8").split("\n").slice(1);
    return lines.map((line) => line.trim().split(/\s+/)[column] ?? "0").filter((inode) => inode !== "0");
  } catch {
    return undefined;
  }
}

function ownInodes(folder: string): ReadonlySet<string> | undefined {
  try {
    return new Set(readdirSync(folder).flatMap((fd) => socketOf(`${folder}/${fd}`)));
  } catch {
    return undefined;
  }
}

/** `socket:[4711]` */
function socketOf(path: string): string[] {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.slice(1) ?? [];
  } catch {
    return []; // it was closed meanwhile
  }
}
