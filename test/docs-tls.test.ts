import { expect, test } from "bun:test";
import { join } from "node:path";
import { inspectConfig } from "../src/config/load.ts";

const page = await Bun.file(join(import.meta.dirname, "../docs/tls.md")).text();
const whole = [...page.matchAll(/```yaml\n((?:inbound|outbound):[\s\S]*?)```/g)].map(([, text]) => text!);

test("every configuration on the page about TLS is right", async () => {
  expect(whole.length).toBeGreaterThan(2);
  for (const text of whole)
    expect(await inspectConfig("outrigger.yaml", { env: {}, text, keepReferences: true })).toMatchObject({ ok: true });
});
