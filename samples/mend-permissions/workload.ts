/**
 * An app that refuses a data folder which others may write to, as databases and SSH do. A fresh volume is
 * just that: root's, and open to all. The init container mends it before this starts.
 *
 *   DATA_DIR  the folder (/data)
 *   INTERVAL  milliseconds between two lines of its log (1000)
 */
import { appendFileSync, statSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.DATA_DIR ?? "/data";
const othersMayWrite = 0o022;

function refusal(): string | undefined {
  const { uid, mode } = statSync(folder);
  if (uid !== process.getuid?.()) return `${folder} belongs to user ${uid}, not to me (${process.getuid?.()})`;
  if (mode & othersMayWrite) return `${folder} has mode ${(mode & 0o7777).toString(8)}: others may write to it`;
  return undefined;
}

const reason = refusal();
if (reason !== undefined) {
  console.error(`refusing to start: ${reason}`);
  process.exit(1);
}
console.log(`${folder} is mine alone: starting`);
// The sidecar reads the log by its group.
process.umask(0o027);
let count = 0;
const writing = setInterval(
  () => appendFileSync(join(folder, "app.log"), `record ${++count} is safe\n`),
  Number(process.env.INTERVAL ?? 1000),
);
process.on("SIGTERM", () => clearInterval(writing));
