import { dlopen, ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fifo, makeFifo } from "./fifo.ts";

const rlimit = { args: ["i32", "ptr"], returns: "i32" } as const;
const { symbols } = dlopen("libc.so.6", { getrlimit: rlimit, setrlimit: rlimit });
const openFiles = 7; // RLIMIT_NOFILE

/** Runs `run` with room for exactly one more descriptor. */
function withOneLeft(run: () => void): void {
  const limit = new BigUint64Array(2);
  symbols.getrlimit(openFiles, ptr(limit));
  const taken = new Set(readdirSync("/proc/self/fd").filter(isOpen).map(Number));
  const free = Array.from({ length: taken.size + 2 }, (_, fd) => fd).filter((fd) => !taken.has(fd));
  symbols.setrlimit(openFiles, ptr(BigUint64Array.of(BigInt(free[1]!), limit[1]!)));
  try {
    run();
  } finally {
    symbols.setrlimit(openFiles, ptr(limit));
  }
}

/** False for the descriptor by which the folder itself was listed. */
function isOpen(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) !== "";
  } catch {
    return false;
  }
}

test("a pipe that cannot be opened for want of descriptors leaves none open", () => {
  const folder = mkdtempSync(join(tmpdir(), "fifo-"));
  const path = join(folder, "log");
  try {
    makeFifo(path, 0o600);
    withOneLeft(() => expect(() => Fifo.open(path)).toThrow(expect.objectContaining({ code: "EMFILE" })));
    const open = readdirSync("/proc/self/fd").filter(isOpen);
    expect(open.filter((fd) => readlinkSync(`/proc/self/fd/${fd}`) === path)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
