/** The start figures in words: the same text goes to the terminal and to docs/benchmarks.md. */
import { conditions } from "./machine.ts";
import { table } from "./page.ts";
import { SAMPLE, type Start } from "./start.ts";
import { median } from "./statistics.ts";

/** One row: what was measured, and design section 5's aim and bar for its median, where it has one. */
interface Row {
  what: string;
  values: number[];
  aim?: number;
  bar?: number;
}

export interface StartConditions {
  fromSource: boolean;
  idleMs: number;
  /** What the image sets. */
  environment: Record<string, string>;
}

export interface Starts {
  /** With nothing set. */
  bare: readonly Start[];
  /** With the image's environment. */
  image: readonly Start[];
}

export function startSection({ bare, image }: Starts, { fromSource, idleMs, environment }: StartConditions): string {
  const set = Object.entries(environment).map(([name, value]) => `\`${name}=${value}\``);
  return [
    method(bare.length, fromSource, idleMs),
    `### As the image starts it\n\n[Containerfile](../Containerfile) sets ${set.join(", ")}: start-up code runs a few times only, and compiling it costs more than it saves.\n\n${rowsOf(image)}`,
    `### With nothing set\n\n${rowsOf(bare)}`,
  ].join("\n\n");
}

function rowsOf(starts: readonly Start[]): string {
  const mib = (kib: number): number => kib / 1024;
  const rows: Row[] = [
    { what: "exec to listening, ms", values: starts.map((start) => start.listeningMs), aim: 30, bar: 60 },
    { what: "exec to 200 on /startup, ms", values: starts.map((start) => start.startedMs) },
    { what: "idle RssAnon, MiB", values: starts.map((start) => mib(start.idle.rssAnonKiB)), aim: 12, bar: 20 },
    { what: "idle RSS, MiB", values: starts.map((start) => mib(start.idle.rssKiB)), aim: 40, bar: 60 },
    { what: "SIGTERM to exit, ms", values: starts.map((start) => start.stopMs) },
  ];
  return table(["", "median", "min", "max", "aim", "bar", ""], rows.map(cells));
}

function method(runs: number, fromSource: boolean, idleMs: number): string {
  const program = fromSource ? "`bun src/main.ts`, not the compiled binary" : "the compiled binary, `dist/outrigger`";
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- ${program}, with [${SAMPLE}/outrigger.yaml](../${SAMPLE}/outrigger.yaml) on free ports: all of its scenes in one process, and its log worker running`,
    `- ${runs} runs after one that is not counted, the whole process on one core; the time includes fork and exec, and ends with the first accepted connection; memory after ${idleMs / 1000} idle seconds`,
  ].join("\n");
}

function cells({ what, values, aim, bar }: Row): string[] {
  const middle = median(values);
  const figures = [middle, Math.min(...values), Math.max(...values)].map((value) => value.toFixed(1));
  return [
    what,
    ...figures,
    aim === undefined ? "–" : `≤ ${aim}`,
    bar === undefined ? "–" : `≤ ${bar}`,
    verdict(middle, aim, bar),
  ];
}

function verdict(value: number, aim: number | undefined, bar: number | undefined): string {
  if (aim === undefined || bar === undefined) return "";
  if (value <= aim) return "aim reached";
  return value <= bar ? "within the bar" : "over the bar";
}
