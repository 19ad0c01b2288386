/** What the bench was called with, and how a mistake in it is told: without a stack, with exit code 2. */
import { parseArgs } from "node:util";

/** A mistake of whoever called the bench. */
export class Misuse extends Error {}

const OPTIONS = {
  help: { type: "boolean", short: "h", default: false },
  all: { type: "boolean", default: false },
  point: { type: "string", multiple: true, default: [] as string[] },
  with: { type: "string", multiple: true, default: [] as string[] },
  rounds: { type: "string" },
  seconds: { type: "string" },
  rate: { type: "string" },
  subject: { type: "string", default: "outrigger" },
  threshold: { type: "string", default: "3%" },
  starts: { type: "string", default: "6" },
  source: { type: "boolean", default: false },
  runs: { type: "string", default: "15" },
  idle: { type: "string", default: "5" },
  edits: { type: "string", default: "1000" },
  bytes: { type: "string" },
  top: { type: "string", default: "40" },
  page: { type: "boolean", default: true },
} as const;

const HINT = "`npm run bench -- --help` lists commands and options";

function parsed(words: string[]) {
  return parseArgs({ args: words, options: OPTIONS, allowPositionals: true, allowNegative: true });
}

/** The words of the command line. `--help` prints the usage and ends the process with 0, an unknown option with 2. */
export function commandLine(usage: string): ReturnType<typeof parsed> {
  try {
    const line = parsed(process.argv.slice(2));
    if (!line.values.help) return line;
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  } catch (error) {
    // The first sentence says what is wrong; the others are about options that are none.
    return fail(new Misuse(`${(error as Error).message.split(". ")[0]}; ${HINT}`));
  }
}

/** The one of `known` that was asked for. @throws Misuse with the usage when nothing was */
export function mustBeCommand(name: string | undefined, known: readonly string[], usage: string): string {
  if (name === undefined) throw new Misuse(usage);
  if (!known.includes(name)) throw new Misuse(`no command is called ${name}; there are ${known.join(", ")}; ${HINT}`);
  return name;
}

/** None of the names may be unknown. */
export function mustKnow(names: readonly string[], known: readonly string[], what: string): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Misuse(`no ${what} is called ${unknown.join(", ")}; there are ${known.join(", ")}`);
}

/** `3%` as 0.03. */
export function asShare(option: string, text: string): number {
  const share = /^(\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1];
  if (share === undefined) throw new Misuse(`--${option} is a percentage, such as 3%`);
  return Number(share) / 100;
}

const UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** `256MiB` as a number. */
export function asBytes(option: string, text: string): number {
  const [, count, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(text) ?? [];
  if (!unit) throw new Misuse(`--${option} is a size, such as 256MiB`);
  return Number(count) * UNITS[unit]!;
}

/** Says why the bench ends, and ends it: 2 for a mistake of the caller, 1 for all else. */
export function fail(error: unknown): never {
  // What the bench throws itself says it all in its message; anything else is a mistake in the bench.
  const isBug = [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);
  process.stderr.write(`${isBug ? (error as Error).stack : (error as Error).message}\n`);
  process.exit(error instanceof Misuse ? 2 : 1);
}
