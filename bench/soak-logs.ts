/**
 * `npm run soak -- logs`: the correctness suite for hours. One run after the other, each with a seed of its own, of a
 * writer that rotates by every method, sidecars that are killed, and a destination that fails by schedule; and what
 * memory, and what waits in it, do meanwhile.
 */
import type { SidecarProcess } from "../test/kit/sidecar-process.ts";
import { type Outcome, ordeal } from "../test/log-correctness/ordeal.ts";
import type { Verdict } from "../test/log-correctness/verdict.ts";
import { family, memory } from "./linux.ts";
import { conditions } from "./machine.ts";
import { table } from "./page.ts";

export interface LogSoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** How long one run's writer writes, and its pace: about 1 MB a second over ten files. */
const runSeconds = 25;
const linesPerSecond = 600;
const kills = 8;
const killEveryMs = [500, 6_000] as const;
const failing = 0.5;
/** What an acknowledgement may wait for its checkpoint: a second by design, and what a busy machine takes. */
const mostUnkeptMs = 5_000;

/** The largest values that were seen while a run went on. */
export interface Peaks {
  rssMiB: number;
  /** Read for the output over HTTP, and not acknowledged. */
  waitingMiB: number;
}

export const logSoakHead = [
  "min",
  "seed",
  "lines",
  "rotations",
  "kills",
  "missing",
  "altered",
  "disordered",
  "twice",
  "twice bytes",
  "beyond",
  "gone",
  "unkept ms",
  "RSS MiB",
  "waiting MiB",
];

/** Runs for that long; resolves to whether everything held. */
export async function soakLogs({ minutes, seed, say }: LogSoakOptions): Promise<boolean> {
  const startedAt = performance.now();
  const rows: string[][] = [];
  let holds = true;
  say(logSoakHead.join("  "));
  for (let run = 0; run === 0 || performance.now() - startedAt < minutes * 60_000; run++) {
    const peaks = { rssMiB: 0, waitingMiB: 0 };
    const options = { seed: seed + run, seconds: runSeconds, kills, linesPerSecond, killEveryMs, failing };
    const outcome = await ordeal({ ...options, watch: (sidecar) => void note(peaks, sidecar) });
    const row = logSoakCells((performance.now() - startedAt) / 60_000, seed + run, outcome, peaks);
    rows.push(row);
    say(row.join("  "));
    for (const what of wrongIn(outcome)) {
      holds = false;
      say(`WRONG in SEED=${seed + run}: ${what}`);
    }
  }
  say(`\n${[...conditions(), `a writer for ${runSeconds} s a run, half of all requests failing`].join("\n")}`);
  say(`\n${table(logSoakHead, rows)}\n\n${holds ? "holds" : "FAILS"}`);
  return holds;
}

async function note(peaks: Peaks, sidecar: SidecarProcess): Promise<void> {
  try {
    const { rssKiB } = memory(family(sidecar.pid));
    peaks.rssMiB = Math.max(peaks.rssMiB, rssKiB / 1024);
    const waiting = await sidecar.metric('outrigger_log_waiting_bytes{output="sink"}');
    peaks.waitingMiB = Math.max(peaks.waitingMiB, waiting / 1024 / 1024);
  } catch {
    // It was killed meanwhile.
  }
}

/** What must not be, in words. */
export function wrongIn({ http, stdout, faults }: Outcome): string[] {
  const lost = ([name, verdict]: readonly [string, Verdict]) => {
    const { missing, altered, disordered, examples } = verdict;
    return missing + altered + disordered === 0 ? [] : [`${name}: ${examples.join("; ")}`];
  };
  const { bytes, beyondBytes, beyond } = http.repeats!;
  return [
    ...faults,
    ...[["http", http] as const, ["stdout", stdout] as const].flatMap(lost),
    ...(beyondBytes === 0 ? [] : [`${beyondBytes} of ${bytes} bytes came twice and might not: ${beyond.join("; ")}`]),
    ...(http.unkeptMs <= mostUnkeptMs ? [] : [`an acknowledgement was in no checkpoint for ${http.unkeptMs} ms`]),
  ];
}

function logSoakCells(minutes: number, seed: number, outcome: Outcome, { rssMiB, waitingMiB }: Peaks): string[] {
  const { http, stdout, lines, rotations, kills: killed } = outcome;
  const both = (name: "missing" | "altered" | "disordered") => http[name] + stdout[name];
  const counts = [lines, rotations, killed, both("missing"), both("altered"), both("disordered")];
  const { bytes, beyondBytes } = http.repeats!;
  const twice = [http.duplicates + stdout.duplicates, bytes, beyondBytes];
  const rest = [...twice, http.excused + stdout.excused, http.unkeptMs];
  return [minutes.toFixed(1), ...[seed, ...counts, ...rest].map(String), rssMiB.toFixed(1), waitingMiB.toFixed(2)];
}
