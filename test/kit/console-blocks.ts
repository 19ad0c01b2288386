/**
 * The commands that a page shows, run as they stand:
 *
 *     ```console seconds=6
 *     $ npm start
 *     ...                                    any lines, or none
 *     app      | HttpResponse(200 OK,…)      … is any text
 *     ```
 *
 * After `console` may stand `seconds=N` (Ctrl-C then), `exit=N` (0 is expected else), and
 * `unrun` for what cannot run here: a cluster's commands, and the test command itself.
 */

export interface ConsoleStep {
  /** `README.md:12`. */
  readonly place: string;
  readonly command: string;
  readonly expected: readonly string[];
  readonly seconds: number | undefined;
  readonly exit: number;
  readonly isRun: boolean;
}

function option(words: readonly string[], name: string): number | undefined {
  const word = words.find((candidate) => candidate.startsWith(`${name}=`));
  return word === undefined ? undefined : Number(word.slice(name.length + 1));
}

function stepsOf(place: string, words: readonly string[], lines: readonly string[]): ConsoleStep[] {
  const steps: { command: string; expected: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), expected: [] });
    else steps.at(-1)?.expected.push(line);
  }
  const common = { place, seconds: option(words, "seconds"), exit: option(words, "exit") ?? 0 };
  return steps.map((step) => ({ ...common, ...step, isRun: !words.includes("unrun") }));
}

/** Every command of the page's `console` blocks with the output it promises. */
export function consoleSteps(page: string, text: string): ConsoleStep[] {
  const blocks = text.matchAll(/^```console *(.*)\n([\s\S]*?)^```$/gm);
  return [...blocks].flatMap(({ index, 1: words = "", 2: body = "" }) =>
    stepsOf(`${page}:${lineAt(text, index)}`, words.split(/\s+/), body.trimEnd().split("\n")),
  );
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function lineMatches(pattern: string, line: string): boolean {
  const pieces = pattern
    .trimEnd()
    .split("…")
    .map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pieces.join(".*")}$`).test(line.trimEnd());
}

/** Where the patterns stand line by line in `lines`, at `from` or, when `anywhere`, at the first place after it; -1 for nowhere. */
function placeOf(patterns: readonly string[], lines: readonly string[], from: number, anywhere: boolean): number {
  const last = anywhere ? lines.length - patterns.length : from;
  for (let at = from; at <= last; at++) {
    if (patterns.every((pattern, i) => lines[at + i] !== undefined && lineMatches(pattern, lines[at + i]!))) return at;
  }
  return -1;
}

function segmentsOf(expected: readonly string[]): string[][] {
  const segments: string[][] = [[]];
  for (const line of expected) {
    if (line.trim() === "...") segments.push([]);
    else segments.at(-1)!.push(line);
  }
  return segments;
}

/** The first promised line that the output does not keep, or undefined when it keeps them all. */
export function brokenPromise(expected: readonly string[], output: string): string | undefined {
  const lines = output.trimEnd().split("\n");
  const segments = segmentsOf(expected);
  let at = 0;
  for (const [i, segment] of segments.entries()) {
    if (segment.length === 0) continue;
    const isLast = i === segments.length - 1;
    const from = isLast && i > 0 ? Math.max(at, lines.length - segment.length) : at;
    const found = placeOf(segment, lines, from, i > 0);
    if (found < 0)
      return segment.find((pattern) => !lines.slice(at).some((line) => lineMatches(pattern, line))) ?? segment[0];
    at = found + segment.length;
  }
  return segments.at(-1)!.length > 0 && at < lines.length && expected.length > 0
    ? `(nothing after) ${lines[at]}`
    : undefined;
}

/** Runs the step's command in a shell; resolves to what it printed, both streams together, and its exit code. */
export async function runStep(step: ConsoleStep, folder: string, env: Record<string, string | undefined>) {
  const child = Bun.spawn(["sh", "-c", `exec 2>&1; ${step.command}`], {
    cwd: folder,
    env,
    detached: true,
    stdin: "ignore",
    stdout: "pipe",
  });
  const impatience = setTimeout(() => process.kill(-child.pid, "SIGINT"), (step.seconds ?? 120) * 1000);
  const output = await child.stdout.text();
  clearTimeout(impatience);
  return { output, code: await child.exited };
}
