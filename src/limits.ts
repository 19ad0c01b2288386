/** How much this process may take: descriptors, memory and cores, as the kernel and the container's cgroup say. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Descriptors kept for files, the own log, health and the runtime. */
const keptDescriptors = 128;

/** What a thread that carries traffic holds open by itself, with some to spare; each listener comes on top. */
const threadDescriptors = 4;

/** Used where the kernel does not tell; the usual soft limit. */
const usualOpenFiles = 1024;

/** cgroup v1 writes "no limit" as the largest multiple of the page size below 2^63. */
const noLimitV1 = 2 ** 62;

/**
 * How many connections may be open at once when the config does not say: the soft limit on open files less what is
 * kept for other uses, and half of it when every connection may need another one to an upstream.
 */
export function defaultConnections(
  hasUpstreams: boolean,
  openFiles = openFilesLimit(),
  kept = keptDescriptors,
): number {
  const free = Math.max(1, (openFiles ?? usualOpenFiles) - kept);
  return hasUpstreams ? Math.max(1, Math.floor(free / 2)) : free;
}

/** Descriptors kept for other uses than connections when so many threads have so many listeners each. */
export function descriptorsKept(threads: number, listeners: number): number {
  return keptDescriptors + (threads === 1 ? 0 : threads * (threadDescriptors + listeners));
}

/** Bytes of memory above which new requests are refused; Infinity when nothing limits this process. */
export function memoryLimitBytes(
  memory: { readonly share: number } | { readonly bytes: number },
  containerBytes = cgroupMemoryBytes(),
): number {
  if ("bytes" in memory) return memory.bytes;
  return containerBytes === undefined ? Number.POSITIVE_INFINITY : Math.floor(memory.share * containerBytes);
}

/** Soft limit on open files; Infinity when there is none, undefined where the kernel does not tell. */
export function openFilesLimit(root = "/proc/self"): number | undefined {
  return readOpenFilesLimit(read(`${root}/limits`) ?? "");
}

/** The same, from the text of `/proc/PID/limits`. */
export function readOpenFilesLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
  if (soft === "unlimited") return Number.POSITIVE_INFINITY;
  return soft === undefined ? undefined : Number(soft);
}

/**
 * The container's memory limit in bytes, cgroup v2 then v1; undefined when there is none. Inside a container its own
 * cgroup is mounted at the root; outside, the path of `/proc/self/cgroup` is tried first.
 */
export function cgroupMemoryBytes(
  root = "/sys/fs/cgroup",
  membership = read("/proc/self/cgroup") ?? "",
): number | undefined {
  const unified = /^0::(.*)$/m.exec(membership)?.[1] ?? "";
  const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(membership)?.[1] ?? "";
  const places = [
    `${root}${slashless(unified)}/memory.max`,
    `${root}/memory.max`,
    `${root}/memory${slashless(memory)}/memory.limit_in_bytes`,
    `${root}/memory/memory.limit_in_bytes`,
  ];
  const limits = places.map((path) => limitOf(read(path))).filter((limit) => limit !== undefined);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/**
 * The cores a container is given: its CPU quota rounded up, cgroup v2 then v1, and never more than this process may run
 * on; at least 1.
 */
export function allottedCores(
  root = "/sys/fs/cgroup",
  membership = read("/proc/self/cgroup") ?? "",
  runsOn = availableParallelism(),
): number {
  const unified = slashless(/^0::(.*)$/m.exec(membership)?.[1] ?? "");
  const [, controllers = "cpu", path = ""] = /^\d+:((?:[^:]*,)?cpu(?:,[^:]*)?):(.*)$/m.exec(membership) ?? [];
  const v1 = [`${root}/${controllers}${slashless(path)}`, `${root}/${controllers}`, `${root}/cpu`];
  const quotas = [
    ...[`${root}${unified}`, root].map((folder) => coresOf(read(`${folder}/cpu.max`))),
    ...v1.map((folder) => coresOf(`${read(`${folder}/cpu.cfs_quota_us`)} ${read(`${folder}/cpu.cfs_period_us`)}`)),
  ].filter((cores) => cores !== undefined);
  return Math.max(1, Math.min(runsOn, ...quotas));
}

/** `200000 100000` is a quota and its period, both in microseconds: two cores. Version 1 writes no quota as -1. */
function coresOf(text: string | undefined): number | undefined {
  const [, quota, period] = /^(\d+)\s+([1-9]\d*)\s*$/.exec(text?.replace(/\s+/g, " ") ?? "") ?? [];
  return quota === undefined ? undefined : Math.ceil(Number(quota) / Number(period));
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+\s*$/.test(text)) return undefined; // "max" is no limit
  const bytes = Number(text);
  return bytes >= noLimitV1 ? undefined : bytes;
}

function slashless(path: string): string {
  return path === "/" ? "" : path;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
