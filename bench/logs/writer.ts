/**
 * An app that logs at a steady rate: `bun bench/logs/writer.ts SOURCE TARGET BYTES_PER_SECOND SECONDS` appends the
 * lines of SOURCE, from its beginning and over and over, to TARGET, whole lines a hundred times a second; then prints
 * how many bytes it wrote.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { LINE_BYTES } from "./lines.ts";

const [source = "", target = "", perSecond = "", seconds = ""] = process.argv.slice(2);
const TURN_MS = 10;

const bytes = readFileSync(source);
const fd = openSync(target, "a");
const startedAt = performance.now();
let written = 0;
for (;;) {
  const elapsedMs = Math.min(performance.now() - startedAt, Number(seconds) * 1000);
  const due = Math.floor((elapsedMs / 1000) * (Number(perSecond) / LINE_BYTES)) * LINE_BYTES;
  while (written < due) {
    const from = written % bytes.length;
    written += writeSync(fd, bytes, from, Math.min(due - written, bytes.length - from));
  }
  if (elapsedMs === Number(seconds) * 1000) break;
  await Bun.sleep(TURN_MS);
}
closeSync(fd);
process.stdout.write(`${written}\n`);
