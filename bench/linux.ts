/**
 * What the bench needs from Linux and the runtime does not offer: the exact CPU time of other processes,
 * pinning to a core, and memory as the kernel counts it.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { readFileSync } from "node:fs";

const libc = dlopen("libc.so.6", {
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  sched_setaffinity: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
}).symbols;

/** Kilobytes as in /proc/PID/status: everything resident, and the part no file backs. */
export interface Memory {
  rssKiB: number;
  rssAnonKiB: number;
}

/**
 * User and system time of a whole process, threads that already ended included, in nanoseconds.
 * The clock id of another process is `~pid << 3 | CPUCLOCK_SCHED`, as clock_getcpuclockid(3) makes it:
 * it counts nanoseconds where /proc/PID/stat counts hundredths of a second.
 */
export function cpuNs(pid: number): bigint {
  const time = new BigInt64Array(2);
  if (libc.clock_gettime((~pid << 3) | 2, ptr(time)) !== 0) throw new Error(`process ${pid} is gone`);
  return time[0]! * 1_000_000_000n + time[1]!;
}

/** User and system time of one process in clock ticks of 10 ms, from /proc/PID/stat. */
export function cpuTicks(pid: number): { user: number; system: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return { user: Number(fields[11]), system: Number(fields[12]) };
}

/** Puts the calling thread, and every process it starts from now on, on the given cores. */
export function pin(cores: readonly number[]): void {
  const mask = new BigUint64Array([cores.reduce((bits, core) => bits | (1n << BigInt(core)), 0n)]);
  if (libc.sched_setaffinity(0, 8, ptr(mask)) !== 0) throw new Error(`cores ${cores.join(", ")} cannot be used`);
}

/**
 * Runs `start` while this thread is on `core`, so that the process it spawns stays there; then goes back to `home`.
 * The process ends when the bench does, however that comes about.
 */
export function pinned<T extends { kill(): void }>(core: number, home: number, start: () => T): T {
  pin([core]);
  try {
    const child = start();
    process.on("exit", () => child.kill());
    return child;
  } finally {
    pin([home]);
  }
}

/** A process and all it started, depth first. */
export function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return [pid, ...children.split(" ").filter(Boolean).map(Number).flatMap(family)];
}

export function memory(pids: readonly number[]): Memory {
  const sum: Memory = { rssKiB: 0, rssAnonKiB: 0 };
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    sum.rssKiB += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    sum.rssAnonKiB += Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return sum;
}

/** Time the core did anything for anyone since boot, in clock ticks of 10 ms, from /proc/stat. */
export function coreBusyTicks(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? "";
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(" ").map(Number);
  return user + nice + system + irq + softIrq + steal;
}
