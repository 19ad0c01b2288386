/** `npm run bench -- http | start | profile`: measures, prints, and puts the figures on docs/benchmarks.md. */
import { parseArgs } from "node:util";
import { type Contender, find, LOAD_CORE, version } from "./contenders.ts";
import { measurePoint, type Plan } from "./http.ts";
import { httpSection, summary } from "./http-report.ts";
import { pin } from "./linux.ts";
import { PAGE, writeSection } from "./page.ts";
import { type Point, points } from "./points.ts";
import { profile } from "./profile.ts";
import { imageEnvironment, measureStarts } from "./start.ts";
import { startSection } from "./start-report.ts";

const USAGE = `usage: npm run bench -- COMMAND [options]
  http      CPU per request against HAProxy and nginx
            --all  every point   --point NAME  only this one (repeatable): ${points.map((point) => point.name).join(", ")}
            --rounds 7  --seconds 2  --rate 2000   --subject NAME  run NAME twice instead of outrigger
  start     start to listening and idle memory of the compiled all-in-one sidecar
            --runs 15  --idle 5  seconds before memory is read
  profile   the sidecar's hottest functions under load   --point base  --seconds 5  --top 40
  --source  run src/main.ts instead of dist/outrigger    --no-page  leave docs/benchmarks.md as it is`;

const PAGE_ROUNDS = 7;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    all: { type: "boolean", default: false },
    point: { type: "string", multiple: true, default: [] },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string" },
    rate: { type: "string", default: "2000" },
    subject: { type: "string", default: "outrigger" },
    source: { type: "boolean", default: false },
    runs: { type: "string", default: "15" },
    idle: { type: "string", default: "5" },
    top: { type: "string", default: "40" },
    page: { type: "boolean", default: true },
  },
});

/** A mistake of whoever called the bench: said without a stack. */
class Misuse extends Error {}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function number(option: "rounds" | "seconds" | "rate" | "runs" | "idle" | "top", usual = ""): number {
  const value = Number(options[option] ?? usual);
  if (!(value > 0)) throw new Misuse(`--${option} must be a number above 0`);
  return value;
}

function chosenPoints(): Point[] {
  const unknown = options.point.filter((name) => !points.some((point) => point.name === name));
  if (unknown.length > 0)
    throw new Misuse(
      `no point is called ${unknown.join(", ")}; there are ${points.map((point) => point.name).join(", ")}`,
    );
  if (options.point.length > 0) return points.filter((point) => options.point.includes(point.name));
  return points.filter((point) => point.usual || options.all);
}

function present(name: string): Contender {
  const found = find(name, options.source);
  if ("missing" in found) throw new Misuse(found.missing);
  return found.contender;
}

async function http(): Promise<void> {
  const contenders = [present(options.subject)];
  const missing: string[] = [];
  for (const name of ["haproxy", "nginx"].filter((other) => other !== options.subject)) {
    const found = find(name, options.source);
    if ("missing" in found) missing.push(found.missing);
    else contenders.push(found.contender);
  }
  for (const why of missing) say(`left out: ${why}`);
  const plan: Plan = {
    rounds: number("rounds"),
    roundMs: number("seconds", "2") * 1000,
    warmUpMs: 2000,
    perSecond: number("rate"),
    say,
  };
  const results = [];
  for (const point of chosenPoints()) {
    say(`${point.name}: ${point.doc}`);
    results.push(await measurePoint(contenders, point, plan));
  }
  const versions = await Promise.all(contenders.map(version));
  const report = {
    subject: options.subject,
    plan,
    versions,
    configs: contenders.map(({ config }) => config),
    missing,
    results,
  };
  say(`\n${httpSection(report)}\n\n${summary(report)}`);
  const complete = options.subject === "outrigger" && options.point.length === 0 && plan.rounds >= PAGE_ROUNDS;
  await keep("http", httpSection(report), complete);
}

async function start(): Promise<void> {
  const { program } = present("outrigger");
  const runs = number("runs");
  const idleMs = number("idle") * 1000;
  const plan = { runs, idleMs, say };
  const environment = await imageEnvironment();
  const section = startSection(
    { bare: await measureStarts(program, plan), image: await measureStarts(program, plan, environment) },
    { fromSource: options.source, idleMs, environment },
  );
  say(`\n${section}`);
  await keep("start", section, runs >= 15 && !options.source);
}

/** Only complete runs of the product itself go on the page. */
async function keep(section: "http" | "start", body: string, complete: boolean): Promise<void> {
  if (options.page && complete) await writeSection(section, body);
  say(options.page && complete ? `\nwritten to ${PAGE}` : "\ndocs/benchmarks.md was left as it is");
}

async function run(): Promise<void> {
  const commands: Record<string, () => Promise<void>> = {
    http,
    start,
    profile: () => profile(chosenPoints()[0]!, { seconds: number("seconds", "5"), top: number("top"), say }),
  };
  const command = commands[positionals[0] ?? ""];
  if (!command || positionals.length !== 1) throw new Misuse(USAGE);
  if (navigator.hardwareConcurrency < 2)
    throw new Misuse("the bench needs two cores: one for the proxy, one for the load");
  pin([LOAD_CORE]);
  await command();
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.setMaxListeners(0);

try {
  await run();
} catch (error) {
  // What the bench throws itself is a plain Error whose message says it all; anything else is a mistake in the bench.
  const known = [Misuse, Error].some((kind) => kind === (error as Error).constructor);
  process.stderr.write(`${known ? (error as Error).message : (error as Error).stack}\n`);
  process.exit(error instanceof Misuse ? 2 : 1);
}
