/**
 * A user's filter that is edited while requests flow at a fixed rate: how soon each edit takes effect, whether any
 * request fails, and how memory grows.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOAD_CORE, PROXY_CORE } from "./layout.ts";
import { family, memory, pinned } from "./linux.ts";
import { fixedRate, Load } from "./load.ts";
import { conditions } from "./machine.ts";
import { startOrigin } from "./origins.ts";
import { table } from "./page.ts";
import { connects, freePort } from "./running.ts";
import { median, quantile } from "./statistics.ts";

export interface EditsPlan {
  edits: number;
  perSecond: number;
  say(line: string): void;
}

interface Outcome {
  /** Milliseconds from the edit until an answer shows it. */
  effectMs: number[];
  answered: number;
  failed: number;
  /** Requests that were answered in each second, on the whole. */
  perSecond: number;
  rssMiB: { warm: number; after: number };
  /** The process has said that it should be restarted, to free memory. */
  saysRestart: boolean;
}

const CONNECTIONS = 32;
/** Longer than an edit may take: past it the run has failed. */
const EFFECT_LIMIT_MS = 10_000;

const request = [Buffer.from("GET / HTTP/1.1\r\nHost: bench.local\r\n\r\n")];

function filterText(version: number): string {
  return `import { defineFilter } from "outrigger";
export default defineFilter({ phase: "shape", response(x) { x.response?.setHeader("x-version", "${version}"); } });
`;
}

/** Runs it and returns the section of the page. */
export async function measureEdits(program: readonly string[], plan: EditsPlan): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bench-edits-"));
  const origin = await startOrigin();
  const port = freePort();
  const filter = join(folder, "stamp.ts");
  const config = join(folder, "outrigger.yaml");
  await writeFile(filter, filterText(0));
  const listener = `{ listen: 127.0.0.1:${port}, to: "http://127.0.0.1:${origin.port}", filters: [./stamp.ts] }`;
  await writeFile(
    config,
    `state: ${join(folder, "state")}\nhealth: 127.0.0.1:${freePort()}\ninbound:\n  - ${listener}\n`,
  );
  const child = pinned(PROXY_CORE, LOAD_CORE, () =>
    Bun.spawn([...program, "run", "-c", config], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(join(folder, "err")),
    }),
  );
  try {
    while (!(await connects(port))) await Bun.sleep(20);
    const outcome = await edited(port, () => family(child.pid), filter, plan);
    outcome.saysRestart = (await readFile(join(folder, "err"), "utf8")).includes("filters_need_restart");
    return sectionOf(outcome, plan);
  } finally {
    child.kill();
    await child.exited;
    origin.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function edited(port: number, pids: () => number[], filter: string, plan: EditsPlan): Promise<Outcome> {
  const load = await Load.connect({ port, connections: CONNECTIONS, requests: request });
  const rssMiB = () => memory(pids()).rssKiB / 1024;
  await fixedRate(load, plan.perSecond, 10_000);
  const warm = rssMiB();
  const before = load.answered;
  const effectMs: number[] = [];
  let flows = true;
  const startedAt = performance.now();
  const flow = (async () => {
    while (flows) await fixedRate(load, plan.perSecond, 5000);
  })();
  for (let version = 1; version <= plan.edits; version++) {
    effectMs.push(await effectOf(port, filter, version));
    if (version % 50 === 0)
      plan.say(`  ${version} edits, median ${median(effectMs).toFixed(0)} ms, RSS ${rssMiB().toFixed(1)} MiB`);
  }
  flows = false;
  await flow;
  const seconds = (performance.now() - startedAt) / 1000;
  await Bun.sleep(3000);
  const after = rssMiB();
  load.close();
  const answered = load.answered - before;
  const perSecond = answered / seconds;
  return { effectMs, answered, failed: load.failed, perSecond, rssMiB: { warm, after }, saysRestart: false };
}

async function effectOf(port: number, filter: string, version: number): Promise<number> {
  const startedAt = performance.now();
  await writeFile(filter, filterText(version));
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`edit ${version}: an answer had status ${answer.status}`);
    const tookMs = performance.now() - startedAt;
    if (answer.headers.get("x-version") === String(version)) return tookMs;
    if (tookMs > EFFECT_LIMIT_MS) throw new Error(`edit ${version} took no effect within ${EFFECT_LIMIT_MS} ms`);
    await Bun.sleep(5);
  }
}

function sectionOf(outcome: Outcome, { edits, perSecond }: EditsPlan): string {
  const { effectMs, rssMiB } = outcome;
  const late = effectMs.filter((ms) => ms > 1000).length;
  const growth = rssMiB.after - rssMiB.warm;
  const rows = [
    ["edits", String(edits), ""],
    ["effect, median ms", median(effectMs).toFixed(0), ""],
    ["effect, 99th percentile ms", quantile(effectMs, 0.99).toFixed(0), ""],
    ["effect, largest ms", Math.max(...effectMs).toFixed(0), "≤ 1,000"],
    ["edits later than a second", String(late), "0"],
    ["requests answered", String(outcome.answered), ""],
    ["a second", outcome.perSecond.toFixed(0), `${perSecond} asked for`],
    ["requests failed", String(outcome.failed), "0"],
    ["RSS MiB, warm · after", `${rssMiB.warm.toFixed(1)} · ${rssMiB.after.toFixed(1)}`, ""],
    ["RSS growth MiB", growth.toFixed(1), "< 20, or it says that it needs a restart"],
    ["says that it needs a restart", outcome.saysRestart ? "yes" : "no", ""],
  ];
  return [
    ...conditions(),
    `- A filter in TypeScript that stamps answers is rewritten ${edits} times while ${perSecond} requests a second fall due on ${CONNECTIONS} connections; the next edit is made when an answer shows the last one. Sidecar on core 0, load, origin and probe on core 1.`,
    "",
    table(["", "seen", "wanted"], rows),
  ].join("\n");
}
