import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Collector } from "./collector.ts";
import type { LogContender } from "./contenders.ts";
import { plain, writeLines } from "./lines.ts";
import { arrived, Unfinished } from "./measure.ts";
import { OutputFile } from "./output.ts";

const folder = mkdtempSync(join(tmpdir(), "bench-measure-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function program(...command: string[]): LogContender {
  return { name: "none", template: "logs/rsyslog.conf", command: () => command, version: "" };
}

test("a collector that does not end is stopped, and what it had done is said", async () => {
  const lines = writeLines(plain, join(folder, "lines"), 0, 40);
  const collector = await Collector.start(program("sleep", "60"), "stuck", { workspace: folder, switches: { raw: 1 } });
  try {
    writeFileSync(collector.out, plain.line(0));
    const wait = arrived(collector, new OutputFile(collector.out), lines, 100);
    await expect(wait).rejects.toThrow(Unfinished);
    await expect(wait).rejects.toThrow(/^stopped after 0 s, before line n0000000039 came: 0\.0 MB delivered, 0\.0 CPU/);
  } finally {
    await collector.stop();
  }
});

test("a collector that ended by itself is not waited for", async () => {
  const lines = writeLines(plain, join(folder, "lines"), 0, 40);
  const collector = await Collector.start(program("false"), "ended", { workspace: folder, switches: { raw: 1 } });
  await expect(arrived(collector, new OutputFile(collector.out), lines, 30_000)).rejects.toThrow("ended ended");
});
