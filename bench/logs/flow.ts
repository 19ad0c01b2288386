/** Lines that flow at a steady rate into a collector's folder, written by a process on the load's core. */
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { LOAD_CORE, ROOT } from "../layout.ts";
import { pinned } from "../linux.ts";
import type { Collector } from "./collector.ts";
import type { LineFile } from "./lines.ts";

export interface Flow {
  /** Lines to write, over and over. */
  source: LineFile;
  bytesPerSecond: number;
  seconds: number;
}

const ARRIVAL_LIMIT_MS = 30_000;

/** Writes into a new file of the collector's folder; resolves with how many bytes that were. */
export async function write(collector: Collector, name: string, flow: Flow): Promise<number> {
  const { source, bytesPerSecond, seconds } = flow;
  const target = join(collector.in, `${name}.log`);
  const words = [source.path, target, bytesPerSecond, seconds].map(String);
  const child = pinned(LOAD_CORE, LOAD_CORE, () =>
    Bun.spawn([process.execPath, join(ROOT, "bench/logs/writer.ts"), ...words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    }),
  );
  const written = Number(await child.stdout.text());
  if ((await child.exited) !== 0) throw new Error(`the writer of ${target} failed`);
  return written;
}

/** Waits until the output is exactly so long. @throws when it gets longer, or not so long in time */
export async function mustHold({ label, out }: Collector, wanted: number, limitMs = ARRIVAL_LIMIT_MS): Promise<void> {
  const size = () => statSync(out, { throwIfNoEntry: false })?.size ?? 0;
  for (const until = performance.now() + limitMs; size() < wanted; await Bun.sleep(5)) {
    if (performance.now() < until) continue;
    throw new Error(`${label}: ${size()} of ${wanted} bytes arrived within ${limitMs / 1000} s`);
  }
  if (size() !== wanted) throw new Error(`${label}: ${size()} bytes arrived instead of ${wanted}`);
}

/** The file is not needed any more. */
export function removeFlow(collector: Collector, name: string): void {
  rmSync(join(collector.in, `${name}.log`), { force: true });
}
