/**
 * What a user's filter costs per request, without sockets: the chain's own loop over nothing, one and three filters
 * with trivial hooks, and over one that is built in. `node scripts/bun.mjs bench/filters.ts`
 *
 * Each row is the median of rounds that alternate, so that a change of the machine's speed meets all of them.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../src/config/load.ts";
import type { UserFilter } from "../src/config/schema.ts";
import type { Filter, Thread } from "../src/contracts.ts";
import { buildChain, runDone, runRequest, runResponse } from "../src/http/chain.ts";
import { Engine } from "../src/http/engine.ts";
import type { HttpExchange } from "../src/http/exchange.ts";
import { UserFilters } from "../src/user-filters/runtime.ts";

const calls = 200_000;
const rounds = 15;

const nothing = { add() {}, set() {}, observe() {} };
const thread: Thread = {
  clock: { now: () => performance.now(), wall: () => Date.now() },
  random: Math.random,
  emit() {},
  metrics: { counter: () => nothing, gauge: () => nothing, histogram: () => nothing },
  record: () => true,
};

const hooks = `request(x) { if (x.route === "never") return { status: 500 }; }, response(x) {}, done(x) {}`;

/** Three filters of one user, made as a configuration makes them. */
async function userFilters(): Promise<Filter[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-filters-"));
  try {
    const names = ["a", "b", "c"];
    for (const name of names) {
      const text = `import { defineFilter } from "outrigger";\nexport default defineFilter({ phase: "shape", doc: "${name}", ${hooks} });\n`;
      writeFileSync(join(folder, `${name}.ts`), text);
    }
    const config = join(folder, "outrigger.yaml");
    const list = names.map((name) => `./${name}.ts`).join(", ");
    writeFileSync(config, `inbound: [{ listen: 127.0.0.1:1, to: "http://127.0.0.1:2", filters: [${list}] }]\n`);
    const loaded = await loadConfig(config, { env: { OUTRIGGER_STATE_DIR: folder } });
    if (!loaded.ok) throw new Error(loaded.faults.map(({ problem }) => problem).join("; "));
    const made = new UserFilters(new Engine(thread));
    const make = (filter: UserFilter) => made.make(filter, { direction: "inbound", name: "web" });
    return await Promise.all(loaded.config.inbound[0]!.filters.map(make));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function builtIn(): Filter {
  return {
    request: (x) => (x.route === "never" ? { status: 500 } : undefined),
    response() {},
    done() {},
  };
}

/** As much of an exchange as the chain and such hooks read. */
function exchangeWith(filters: readonly Filter[]): HttpExchange {
  const answer = { edits: undefined };
  const x = { plan: { chain: buildChain(filters) }, route: "default", startedAt: 1, edits: undefined, answer };
  return x as unknown as HttpExchange;
}

let went = 0;
const goOn = () => {
  went++;
};

function nanosecondsPerRequest(x: HttpExchange): number {
  const from = performance.now();
  for (let i = 0; i < calls; i++) {
    runRequest(x, goOn);
    runResponse(x, goOn);
    runDone(x);
  }
  return ((performance.now() - from) * 1e6) / calls;
}

const [a, b, c] = (await userFilters()) as [Filter, Filter, Filter];
const rows: [string, HttpExchange][] = [
  ["none", exchangeWith([])],
  ["none again (A/A)", exchangeWith([])],
  ["one built in", exchangeWith([builtIn()])],
  ["one of a user", exchangeWith([a])],
  ["three of a user", exchangeWith([a, b, c])],
];
const measured = new Map(rows.map(([name]) => [name, [] as number[]]));
for (let round = 0; round < rounds; round++) {
  for (const [name, x] of rows) measured.get(name)!.push(nanosecondsPerRequest(x));
}
process.stdout.write("ns per request; each filter has request, response and done\n");
for (const [name, series] of measured) {
  const sorted = series.toSorted((p, q) => p - q);
  const [low, median] = [sorted[0]!, sorted[Math.floor(rounds / 2)]!];
  process.stdout.write(
    `${name.padEnd(20)} median ${median.toFixed(1).padStart(6)}   least ${low.toFixed(1).padStart(6)}\n`,
  );
}
if (went === 0) throw new Error("nothing ran");
