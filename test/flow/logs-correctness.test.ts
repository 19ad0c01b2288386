import { expect, test } from "bun:test";
import { seedOf } from "../kit/random.ts";
import { type OrdealOptions, ordeal } from "../log-correctness/ordeal.ts";
import type { Verdict } from "../log-correctness/verdict.ts";

const runs = 8;
const options: Omit<OrdealOptions, "seed"> = {
  seconds: 5,
  kills: 3,
  linesPerSecond: 150,
  killEveryMs: [300, 1_500],
  failing: 0.4,
};

/** What an acknowledgement may wait for its checkpoint: a second, and more where the machine is busy. */
const mostUnkeptMs = 5_000;

function expectWhole(verdict: Verdict): void {
  const { missing, altered, disordered, examples } = verdict;
  expect({ missing, altered, disordered, examples }).toEqual({ missing: 0, altered: 0, disordered: 0, examples: [] });
}

const seed = seedOf("a writer that rotates, collectors that are killed, a destination that fails");

for (let pair = 0; pair < runs / 2; pair++) {
  test(`lines through kills, rotations and failures, runs ${2 * pair} and ${2 * pair + 1}: none missing, altered or out of order, few twice`, async () => {
    const seeds = [seed + 2 * pair, seed + 2 * pair + 1];
    const outcomes = await Promise.all(seeds.map((one) => ordeal({ ...options, seed: one })));
    for (const [i, { http, stdout, faults, lines, rotations, kills, requests }] of outcomes.entries()) {
      process.stderr.write(
        `SEED=${seeds[i]}: ${lines} lines, ${rotations} rotations, ${kills} kills, ${http.duplicates} twice, ${http.excused} gone with their files; ${requests}\n`,
      );
      expect(faults).toEqual([]);
      expectWhole(http);
      expectWhole(stdout);
      expect(kills).toBeGreaterThanOrEqual(options.kills);
      // Excuses are for a few: a run in which most lines were gone before anybody looked has shown nothing.
      expect(http.excused).toBeLessThan(lines / 4);
      expect(rotations).toBeGreaterThan(0);
      expect(http.repeats).toMatchObject({ beyondBytes: 0, beyond: [] });
      expect(http.unkeptMs).toBeLessThan(mostUnkeptMs);
    }
  }, 120_000);
}
