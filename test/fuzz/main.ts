/** The command line that all fuzzers have: `bun test/fuzz/NAME.ts [SECONDS] [SEED]`, 10 seconds and a new seed by default. */

export interface Fuzzed {
  /** The first thing that is wrong, with all that is needed to look at it. */
  readonly finding: object | undefined;
  readonly rounds: number;
}

/** Runs a fuzzer, says what it found and how to find it again, and sets the exit code. */
export async function fuzzMain(file: string, fuzz: (seconds: number, seed: number) => Promise<Fuzzed>): Promise<void> {
  const [seconds = "10", seed = String(Math.floor(Math.random() * 0x1_0000_0000))] = process.argv.slice(2);
  const { finding, rounds } = await fuzz(Number(seconds), Number(seed));
  const told = finding === undefined ? "nothing found" : JSON.stringify(finding, null, 2);
  process.stdout.write(`${file}: ${rounds} rounds with seed ${seed}: ${told}\n`);
  if (finding === undefined) return;
  process.stdout.write(`again: node_modules/.bin/bun ${file} ${seconds} ${seed}\n`);
  process.exitCode = 1;
}
