/** Delivers to a file while the limit on the size of files (RLIMIT_FSIZE) stands in for a full disk: `bun full-disk.ts PATH`. */
import { readFileSync, rmSync } from "node:fs";
import file from "../../src/log-outputs/file.ts";
import { blockOf, OutputRun } from "./output-run.ts";

const path = process.argv[2]!;
const run = await OutputRun.open(file, { path });
const lines = (letter: string) => `${`${letter.repeat(99)}\n`.repeat(30)}`;
const small = blockOf(lines("a"));
const tooMuch = [blockOf(lines("b")), blockOf(lines("c"))];

const outcomes: string[] = [];
let reason = "";
async function deliver(...blocks: Parameters<typeof run.deliver>): Promise<void> {
  const delivery = await run.deliver(...blocks);
  outcomes.push(delivery.outcome);
  if (delivery.outcome === "retry") reason = delivery.reason;
}

await deliver(small);
await deliver(...tooMuch);
await deliver(...tooMuch);
const afterFailure = readFileSync(path, "latin1");
rmSync(path);
await deliver(small);
await run.close();
const isWhole = afterFailure === lines("a") && readFileSync(path, "latin1") === lines("a");
process.stdout.write(JSON.stringify({ outcomes, reason, isWhole }));
