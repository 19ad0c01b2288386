/** The configurations that `docs/admin.md` and `docs/redaction.md` show are right. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { formatFaults, inspectConfig } from "../src/config/load.ts";

const docs = join(import.meta.dirname, "../docs");

async function configsIn(page: string): Promise<string[]> {
  const text = await Bun.file(join(docs, page)).text();
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block]) => block!);
  return blocks.filter((block) => /^(logs|admin):/m.test(block));
}

/** Each of several lines that give the same key is a configuration of its own. */
function alternatives(block: string): string[] {
  return /^admin:/.test(block) ? block.trimEnd().split("\n") : [block];
}

test.each([
  ["admin.md", 3],
  ["redaction.md", 1],
])("%s", async (page, count) => {
  const configs = (await configsIn(page)).flatMap(alternatives);
  expect(configs).toHaveLength(count);
  for (const text of configs) {
    const result = await inspectConfig("outrigger.yaml", { env: {}, text, keepReferences: true });
    expect(result.ok === false ? formatFaults(result.faults) : "").toBe("");
  }
});
