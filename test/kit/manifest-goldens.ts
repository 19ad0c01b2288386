/**
 * Manifests for `outrigger inject`: `test/injector/golden/NAME.in.yaml` and what becomes of it, `NAME.out.yaml`, what was
 * said as comments at its top. A comment `# inject: WORDS` has the command's other words; `-c NAME` is a sample's
 * configuration. `UPDATE_GOLDEN=1` writes the outputs; the diff is the review.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { main } from "../../src/main.ts";

const root = join(import.meta.dirname, "../..");
export const goldenFolder = join(root, "test/injector/golden");

export interface InjectRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command's run, in this process. */
export async function runInject(words: readonly string[]): Promise<InjectRun> {
  let [out, err] = ["", ""];
  const code = await main(["inject", ...words], {
    env: {},
    clock: systemClock,
    random: Math.random,
    colours: false,
    out: (text) => {
      out += typeof text === "string" ? text : new TextDecoder().decode(text);
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

export interface ManifestGolden {
  readonly name: string;
  readonly input: string;
  readonly inputPath: string;
  readonly outputPath: string;
  /** The words of the command, beside the file. */
  readonly words: readonly string[];
}

/** The pairs, by name. */
export function manifestGoldens(): ManifestGolden[] {
  const files = readdirSync(goldenFolder);
  return files
    .filter((file) => file.endsWith(".in.yaml"))
    .map((file) => {
      const name = file.replace(/\.in\.yaml$/, "");
      const inputPath = join(goldenFolder, file);
      const input = readFileSync(inputPath, "utf8");
      return { name, input, inputPath, outputPath: join(goldenFolder, `${name}.out.yaml`), words: wordsOf(input) };
    });
}

function wordsOf(input: string): string[] {
  const words = /^# inject: (.*)$/m.exec(input)?.[1]?.split(" ") ?? [];
  return words.map((word, at) => (words[at - 1] === "-c" ? join(root, "samples", word, "outrigger.yaml") : word));
}

/** What a run said and made, as the golden file has it. */
export function asGolden({ code, out, err }: InjectRun): string {
  const said = [...err.trimEnd().split("\n"), ...(code === 0 ? [] : [`exit code ${code}`])].filter(Boolean);
  const lines = said.map((line) => `# ${line.replaceAll(`${goldenFolder}/`, "")}\n`);
  return `${lines.join("")}${out}`;
}
