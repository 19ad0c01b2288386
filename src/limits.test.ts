import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  allottedCores,
  cgroupMemoryBytes,
  defaultConnections,
  descriptorsKept,
  memoryLimitBytes,
  openFilesLimit,
  readOpenFilesLimit,
} from "./limits.ts";

const root = mkdtempSync(join(tmpdir(), "limits-"));
afterAll(() => rmSync(root, { recursive: true }));

function cgroup(name: string, files: Record<string, string>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, name, file, ".."), { recursive: true });
    writeFileSync(join(root, name, file), text);
  }
  return join(root, name);
}

describe("connections", () => {
  test("are the descriptors less 128, halved when each may need an upstream", () => {
    expect(defaultConnections(false, 1024)).toBe(896);
    expect(defaultConnections(true, 1024)).toBe(448);
  });

  test("are never none, and never more than the kernel told", () => {
    expect(defaultConnections(true, 64)).toBe(1);
    expect(defaultConnections(false, undefined)).toBeGreaterThan(0);
  });

  test("leave descriptors to the threads that carry them and to their listeners", () => {
    expect(descriptorsKept(1, 10)).toBe(128);
    expect(descriptorsKept(8, 10)).toBe(128 + 8 * 14);
    expect(defaultConnections(true, 1024, descriptorsKept(8, 10))).toBe(392);
  });

  test("come from this process's own limit", () => {
    expect(openFilesLimit()).toBeGreaterThan(0);
    expect(openFilesLimit("/nowhere")).toBeUndefined();
    expect(readOpenFilesLimit("Max open files            1048576              1048576              files\n")).toBe(
      1048576,
    );
    expect(readOpenFilesLimit("Max open files            unlimited            unlimited            files\n")).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});

describe("memory", () => {
  test("is a share of the container's, or bytes, or unlimited", () => {
    expect(memoryLimitBytes({ share: 0.7 }, 1000)).toBe(700);
    expect(memoryLimitBytes({ bytes: 5 }, 1000)).toBe(5);
    expect(memoryLimitBytes({ share: 0.7 }, undefined)).toBe(Number.POSITIVE_INFINITY);
  });

  test("cgroup v2 in a container, and 'max' as no limit", () => {
    expect(cgroupMemoryBytes(cgroup("v2", { "memory.max": "134217728\n" }), "0::/\n")).toBe(134217728);
    expect(cgroupMemoryBytes(cgroup("v2-max", { "memory.max": "max\n" }), "0::/\n")).toBeUndefined();
  });

  test("cgroup v2 outside a container, by the path of this process", () => {
    const place = cgroup("v2-path", { "app.slice/memory.max": "1000\n", "memory.max": "max\n" });
    expect(cgroupMemoryBytes(place, "0::/app.slice\n")).toBe(1000);
  });

  test("cgroup v1, and its way to write no limit", () => {
    const membership = "5:cpu:/\n4:memory:/kubepods/pod1\n0::/\n";
    const limited = cgroup("v1", { "memory/kubepods/pod1/memory.limit_in_bytes": "67108864\n" });
    expect(cgroupMemoryBytes(limited, membership)).toBe(67108864);
    const unlimited = cgroup("v1-max", { "memory/memory.limit_in_bytes": "9223372036854771712\n" });
    expect(cgroupMemoryBytes(unlimited, membership)).toBeUndefined();
  });

  test("a machine without cgroups has no limit", () => {
    expect(cgroupMemoryBytes(join(root, "absent"), "")).toBeUndefined();
  });
});

describe("cores", () => {
  test("are the quota rounded up, cgroup v2, and never more than this process may run on", () => {
    const cores = (text: string, runsOn = 8) =>
      allottedCores(cgroup(`cpu ${text}`, { "cpu.max": text }), "0::/\n", runsOn);
    expect(cores("200000 100000\n")).toBe(2);
    expect(cores("150000 100000\n")).toBe(2);
    expect(cores("10000 100000\n")).toBe(1);
    expect(cores("max 100000\n")).toBe(8);
    expect(cores("1600000 100000\n")).toBe(8);
  });

  test("cgroup v2 outside a container, by the path of this process", () => {
    const place = cgroup("cpu-path", { "app.slice/cpu.max": "300000 100000\n" });
    expect(allottedCores(place, "0::/app.slice\n", 8)).toBe(3);
  });

  test("cgroup v1, alone or mounted together with another controller, and its way to write no limit", () => {
    const quota = (cores: number) => ({ "cpu.cfs_quota_us": `${cores * 50_000}\n`, "cpu.cfs_period_us": "50000\n" });
    const within = (folder: string, files: Record<string, string>) =>
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
    const alone = cgroup("cpu-v1", within("cpu/kubepods/pod1", quota(2)));
    expect(allottedCores(alone, "4:cpu:/kubepods/pod1\n3:cpuacct:/\n", 8)).toBe(2);
    const together = cgroup("cpu-v1-together", within("cpu,cpuacct", quota(3)));
    expect(allottedCores(together, "4:cpu,cpuacct:/kubepods/pod1\n", 8)).toBe(3);
    const free = within("cpu", { ...quota(1), "cpu.cfs_quota_us": "-1\n" });
    expect(allottedCores(cgroup("cpu-v1-free", free), "4:cpu:/\n", 8)).toBe(8);
  });

  test("a machine without cgroups gives those this process may run on", () => {
    expect(allottedCores(join(root, "absent"), "", 3)).toBe(3);
    expect(allottedCores()).toBeGreaterThan(0);
  });
});
