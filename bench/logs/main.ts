/** `npm run bench -- logs`: what it is called with, and which of its points are run. */
import { join } from "node:path";
import { type Case, cases } from "./cases.ts";
import { findCollector, LOG_CONTENDERS, type LogContender } from "./contenders.ts";
import { LINE_BYTES, writeLines } from "./lines.ts";
import { type CaseResult, type Feed, type LogPlan, measureCase } from "./measure.ts";
import { logSection } from "./report.ts";
import { makeWorkspace } from "./workspace.ts";

export interface LogOptions {
  /** Names of points; none for all. */
  points: readonly string[];
  /** Names of other collectors; none for all. */
  against: readonly string[];
  rounds: number;
  /** Of each file; each case's own when absent. */
  bytes?: number;
  fromSource: boolean;
  say(line: string): void;
}

export const LOG_POINTS = cases.map(({ name }) => name);
export const LOG_ROUNDS = 5;
const WARM_UP_BYTES = 16 * 2 ** 20;

/** Measures the chosen cases and returns the section of the page. */
export async function measureLogs(options: LogOptions): Promise<string> {
  const chosen = cases.filter(({ name }) => options.points.length === 0 || options.points.includes(name));
  const { contenders, missing } = await collectors(options);
  const most = Math.max(...chosen.map((one) => options.bytes ?? one.bytes));
  const workspace = makeWorkspace(2 * (most + WARM_UP_BYTES));
  const plan: LogPlan = { rounds: options.rounds, workspace: workspace.folder, say: options.say };
  const results: CaseResult[] = [];
  try {
    for (const one of chosen) {
      options.say(`logs ${one.name}: ${one.doc}`);
      const its = contenders.filter(({ name }, i) => i === 0 || one.contenders.includes(name));
      results.push(await measureCase(one, its, feedOf(one, options.bytes ?? one.bytes, plan), plan));
    }
  } finally {
    workspace.remove();
  }
  return logSection({
    rounds: options.rounds,
    versions: contenders.map(({ version }) => version),
    configs: contenders.map(({ template }) => template),
    missing,
    results,
    files: workspace.kind,
  });
}

async function collectors(options: LogOptions): Promise<{ contenders: LogContender[]; missing: string[] }> {
  const contenders: LogContender[] = [];
  const missing: string[] = [];
  for (const name of ["outrigger", ...(options.against.length > 0 ? options.against : LOG_CONTENDERS)]) {
    const found = await findCollector(name, options);
    if ("contender" in found) contenders.push(found.contender);
    else if (name === "outrigger") throw new Error(found.missing);
    else missing.push(found.missing);
  }
  for (const why of missing) options.say(`left out: ${why}`);
  return { contenders, missing };
}

function feedOf({ kind }: Case, bytes: number, { workspace }: LogPlan): Feed {
  const lines = Math.max(1, Math.floor(bytes / LINE_BYTES));
  const warmUp = Math.max(1, Math.floor(Math.min(bytes / 4, WARM_UP_BYTES) / LINE_BYTES));
  return {
    first: writeLines(kind, join(workspace, `${kind.name}-first`), 0, warmUp),
    main: writeLines(kind, join(workspace, `${kind.name}-main`), warmUp, warmUp + lines),
  };
}
