/**
 * Random edits of filters, right and wrong ones, while requests flow: every request is answered by a version that was
 * right, never by an older one than the one before it, and what is wrong changes nothing.
 */
import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { type Seeded, seeded, seedOf } from "../kit/random.ts";
import { FilterFolder, imports } from "../kit/user-filters.ts";

/** Ways to be wrong: each is told before a request could meet it. */
const wrong: readonly ((version: number) => string)[] = [
  () => "export default defineFilter({ phase: 'shape' request() {} });",
  () => "export default 1;",
  () => "throw new Error('at load');",
  () => "import x from './not-there.ts'; export default x;",
  () => "export default defineFilter({ phase: 'shap', request() {} });",
  () => "export default defineFilter({ phase: 'shape', config: z.strictObject({ must: z.string() }), request() {} });",
  () => "export default defineFilter({ phase: 'shape', create() { throw new Error('in create'); } });",
  () => "export default defineFilter({ phase: 'shape', async create() { return undefined; } });",
  () => "",
];

/** Ways to be right, all of which answer with the version. */
const right: readonly ((version: number) => string)[] = [
  (n) => `export default defineFilter({ phase: "shape", request() { return { status: 200, body: "${n}" }; } });`,
  (n) =>
    `export default defineFilter({ phase: "admit", async request() { await 1; return { status: 200, body: "${n}" }; } });`,
  (n) =>
    `export default defineFilter({ phase: "shape", create: () => ({ request: () => ({ status: 200, body: "${n}" }) }) });`,
  (n) =>
    `import { n } from "./part.ts"; export default defineFilter({ phase: "shape", request: () => ({ status: 200, body: n }) }); // ${n}`,
  (n) =>
    `export default defineFilter({ phase: "shape", response(x) { if (x.response.status !== 200) return { status: 200, body: "${n}" }; } });`,
];

test("random edits while requests flow", async () => {
  const random: Seeded = seeded(seedOf("user filters"));
  const folder = new FilterFolder();
  const write = (make: (version: number) => string, version: number) => {
    folder.write("part.ts", `export const n = "${version}";`);
    folder.write("f.ts", imports + make(version));
  };
  write(right[0]!, 0);
  const path = folder.write(
    "outrigger.yaml",
    'inbound: [{ listen: "127.0.0.1:0", to: "http://127.0.0.1:1", timeouts: { start: 0s }, filters: [./f.ts] }]',
  );
  const load = () => loadConfig(path, { env: { OUTRIGGER_STATE_DIR: folder.folder } });
  const engine = await TestEngine.start({ routes: forwardTo(1) });
  const reload = async (): Promise<boolean> => {
    const loaded = await load();
    if (!loaded.ok) return false;
    try {
      (await engine.traffic.prepare(loaded.config)).commit();
      return true;
    } catch {
      return false;
    }
  };
  expect(await reload()).toBe(true);
  const url = `http://127.0.0.1:${engine.port("127.0.0.1:0")}/`;
  let isOver = false;
  let asked = 0;
  let newest = 0;
  const clients = Array.from({ length: 4 }, async () => {
    let last = 0;
    while (!isOver) {
      const answer = await fetch(url);
      const text = await answer.text();
      expect([answer.status, text]).toEqual([200, String(Number(text))]);
      expect(Number(text)).toBeGreaterThanOrEqual(last);
      expect(Number(text)).toBeLessThanOrEqual(newest);
      last = Number(text);
      asked++;
    }
  });
  let running = 0;
  for (let version = 1; version <= 150; version++) {
    const isRight = random.chance(0.5);
    write(random.pick(isRight ? right : wrong), version);
    if (isRight) newest = version;
    expect({ version, applied: await reload() }).toEqual({ version, applied: isRight });
    if (isRight) running = version;
    if (random.chance(0.3)) await Bun.sleep(random.whole(5));
    expect(await (await fetch(url)).text()).toBe(String(running));
  }
  isOver = true;
  await Promise.all(clients);
  expect(asked).toBeGreaterThan(100);
  engine.stop();
  folder.remove();
}, 60_000);
