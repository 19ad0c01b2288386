import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BypassWatch } from "./bypass-watch.ts";
import { explain } from "./config/explain.ts";
import { type Loaded, loadConfig } from "./config/load.ts";

const admit = `import { defineFilter } from "outrigger";
export default defineFilter({ phase: "admit", request: () => ({ status: 401 }) });\n`;

/** A configuration with a filter of users beside it. */
async function loaded(text: string, filter = admit): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-bypass-"));
  try {
    writeFileSync(join(folder, "only-friends.ts"), filter);
    writeFileSync(join(folder, "outrigger.yaml"), text);
    const result = await loadConfig(join(folder, "outrigger.yaml"), { env: {} });
    if (!result.ok) throw new Error(JSON.stringify(result.faults));
    return result;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A watch whose time and ports the test sets. */
function watched() {
  const open = new Set<number>();
  const events: unknown[] = [];
  const gauges: Record<string, number> = {};
  const delays: [number, () => void][] = [];
  const gauge = (name: string, labels = {}) => ({
    set: (value: number) => (gauges[`${name} ${Object.values(labels).join(" ")}`] = value),
    add: () => {},
  });
  const watch = new BypassWatch(
    {
      emit: (event, fields) => events.push([event, fields]),
      metrics: { gauge, counter: () => ({ add() {} }), histogram: () => ({ observe() {} }) },
    },
    {
      clock: { now: () => 0, wall: () => 0 },
      random: () => 0,
      after: (delayMs, run) => {
        delays.push([delayMs, run]);
        return () => {};
      },
    },
    () => open,
  );
  return { watch, open, events, gauges, delays };
}

const guarded = `inbound: [{ listen: 8080, to: "http://127.0.0.1:7878", filters: [./only-friends.ts] }]\n`;
const series = "outrigger_inbound_bypassable 8080 7878";

test("an app's port that is open beyond loopback is told once, and counted until it is closed", async () => {
  const { watch, open, events, gauges, delays } = watched();
  watch.watch(await loaded(guarded));
  expect(gauges).toEqual({ [series]: 0 });
  open.add(7878);
  delays.at(-1)![1]();
  delays.at(-1)![1]();
  expect(gauges).toEqual({ [series]: 1 });
  expect(events).toEqual([["inbound_bypassable", { listener: "8080", port: 7878, guards: "only-friends" }]]);
  expect(delays.map(([delayMs]) => delayMs)).toEqual([10_000, 60_000, 60_000]);
  open.clear();
  delays.at(-1)![1]();
  expect(gauges).toEqual({ [series]: 0 });
});

test("check says what has to be so that a guard holds", async () => {
  const { config, dropIns } = await loaded(guarded);
  expect(explain(config, dropIns)).toContain(
    "  Who reaches port 7878 of the app otherwise passes by what guards it here (only-friends): let the app listen on 127.0.0.1 alone.",
  );
});

test.each([
  ["nothing refuses", guarded, admit.replace("admit", "shape")],
  ["it leads elsewhere", guarded.replace("127.0.0.1", "10.0.0.1"), admit],
  [
    "connections are redirected",
    `${guarded.trim().slice(0, -1)}, { listen: 15006, capture: true, to: original }]`,
    admit,
  ],
])("where %s, nobody looks", async (_, text, filter) => {
  const { watch, gauges, delays } = watched();
  watch.watch(await loaded(text, filter));
  expect([gauges, delays]).toEqual([{}, []]);
});
