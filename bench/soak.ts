/**
 * `npm run soak -- logs` is told in soak-logs.ts.
 *
 * `npm run soak`: mixed traffic with resets, slow peers and reloads against the compiled sidecar, and what its memory,
 * descriptors and loop do meanwhile. Exits with 1 when they do not stay flat or an answer was wrong.
 */
import { parseArgs } from "node:util";
import { outrigger } from "./contenders.ts";
import { LOAD_CORE } from "./layout.ts";
import { pin } from "./linux.ts";
import { conditions } from "./machine.ts";
import { script } from "./origins.ts";
import { PAGE, writeSection } from "./page.ts";
import { soakLogs } from "./soak-logs.ts";
import { SoakSidecar } from "./soak-sidecar.ts";
import { type Act, actsFor } from "./soak-traffic.ts";
import { cells, HEAD, judge, type Outcome, type Reading, soakSection } from "./soak-verdict.ts";

const READING_MS = 10_000;
const RELOAD_MS = 20_000;
/** The page shows soaks of at least this length. */
const PAGE_MINUTES = 30;
/** Longer than every time limit in the sidecar's config: what is still open then stays open. */
const QUIET_MS = 45_000;
const SHOWN = 5;

const { values: options, positionals } = parseArgs({
  allowNegative: true,
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string" },
    source: { type: "boolean", default: false },
    page: { type: "boolean", default: true },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What the acts of one soak came to. */
class Tally {
  acts = 0;
  readonly counts = new Map<string, number>();
  readonly wrong: string[] = [];

  add(name: string, fault: string | undefined): void {
    this.acts++;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (fault === undefined) return;
    this.wrong.push(`${name}: ${fault}`);
    if (this.wrong.length <= SHOWN) say(`WRONG: ${name}: ${fault}`);
  }
}

async function repeat(act: Act, sidecar: SoakSidecar, until: number, tally: Tally): Promise<void> {
  while (performance.now() < until && sidecar.isRunning) {
    const fault = await act.run(sidecar.ports).then(
      () => undefined,
      (error: Error) => error.message,
    );
    tally.add(act.name, fault);
    await Bun.sleep(act.everyMs);
  }
}

async function reloads(sidecar: SoakSidecar, until: number, tally: Tally): Promise<void> {
  for (let turn = 1; performance.now() + RELOAD_MS < until && sidecar.isRunning; turn++) {
    await Bun.sleep(RELOAD_MS);
    const broken = turn % 3 === 0;
    const fault = await sidecar.reload(broken).catch((error: Error) => error.message);
    tally.add(broken ? "reloads of a broken file" : "reloads", fault);
  }
}

async function readings(sidecar: SoakSidecar, startedAt: number, until: number, tally: Tally): Promise<Reading[]> {
  const all: Reading[] = [];
  say(HEAD.join("  "));
  for (let due = startedAt + READING_MS; due <= until && sidecar.isRunning; due += READING_MS) {
    await Bun.sleep(Math.max(0, due - performance.now()));
    const reading = await sidecar.reading((performance.now() - startedAt) / 60_000, tally.acts);
    all.push(reading);
    say(cells(reading).join("  "));
  }
  return all;
}

/** The descriptors once nothing is under way any more, or after `QUIET_MS`. */
async function descriptorsAfter(sidecar: SoakSidecar, before: number): Promise<number> {
  for (const until = performance.now() + QUIET_MS; performance.now() < until; await Bun.sleep(500)) {
    if (sidecar.descriptors() <= before) break;
  }
  return sidecar.descriptors();
}

async function soak(sidecar: SoakSidecar, minutes: number): Promise<{ outcome: Outcome; exercised: string[] }> {
  await sidecar.start();
  const { acts, left } = await actsFor(sidecar.ports);
  const notExercised = [...sidecar.unknown, ...left].map(
    (why) => `not exercised, as this build does not do it: ${why}`,
  );
  for (const line of notExercised) say(line);
  await Bun.sleep(6000);
  const descriptorsBefore = sidecar.descriptors();
  const tally = new Tally();
  const startedAt = performance.now();
  const until = startedAt + minutes * 60_000;
  const [series] = await Promise.all([
    readings(sidecar, startedAt, until, tally),
    reloads(sidecar, until, tally),
    ...acts.map((act) => repeat(act, sidecar, until, tally)),
  ]);
  const after = sidecar.isRunning ? await descriptorsAfter(sidecar, descriptorsBefore) : Number.POSITIVE_INFINITY;
  const outcome = {
    readings: series,
    descriptorsBefore,
    descriptorsAfter: after,
    wrong: tally.wrong.length,
    exitCode: await sidecar.stop(),
  };
  const counts = [...tally.counts].map(([name, count]) => `${count} ${name}`).join(", ");
  return {
    outcome,
    exercised: [counts, ...notExercised, ...tally.wrong.slice(0, SHOWN).map((why) => `WRONG: ${why}`)],
  };
}

async function soakOf(words: readonly string[], minutes: number): Promise<void> {
  if (words.join() !== "logs") throw new Error(`there is no soak of ${words.join(" ")}; write nothing, or logs`);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
  process.exitCode = (await soakLogs({ minutes, seed, say })) ? 0 : 1;
}

async function main(): Promise<void> {
  const minutes = Number(options.minutes);
  if (!(minutes > 0)) throw new Error("--minutes must be a number above 0");
  if (positionals.length > 0) return soakOf(positionals, minutes);
  pin([LOAD_CORE]);
  const [app, echo] = [await script("soak-app.ts"), await script("websocket-origin.ts")];
  const sidecar = new SoakSidecar(outrigger(options.source), app.port, echo.port);
  try {
    const { outcome, exercised } = await soak(sidecar, minutes);
    const facts = [...conditions(), `${minutes} minutes of mixed traffic, a reading every ${READING_MS / 1000} s`];
    const body = soakSection(outcome, [...facts, ...exercised]);
    say(`\n${body}`);
    const flat = judge(outcome).every(({ holds }) => holds);
    say(`\nwhat the sidecar complained of last:\n${sidecar.complaints.slice(-20).join("\n")}`);
    const isWhole = minutes >= PAGE_MINUTES && !options.source;
    if (options.page && isWhole) await writeSection("soak", body);
    say(options.page && isWhole ? `\nwritten to ${PAGE}` : "\ndocs/benchmarks.md was left as it is");
    process.exitCode = flat ? 0 : 1;
  } finally {
    await sidecar.stop();
    sidecar.remove();
    app.stop();
    echo.stop();
  }
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

try {
  await main();
  process.exit();
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(1);
}
