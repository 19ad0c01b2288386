import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cgroupMemoryBytes,
  defaultConnections,
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
