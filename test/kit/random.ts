/** Randomness that can be had again: every test that uses it prints its seed, and `SEED=…` repeats the run. */

export interface Seeded {
  readonly seed: number;
  /** Uniform in [0, 1). */
  readonly next: () => number;
  /** A whole number from 0 to `below` - 1. */
  readonly whole: (below: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
  readonly chance: (probability: number) => boolean;
}

/** Mulberry32: small, and good enough to choose tests with. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const whole = (below: number) => Math.floor(next() * below);
  return {
    seed,
    next,
    whole,
    pick: (list) => list[whole(list.length)]!,
    chance: (probability) => next() < probability,
  };
}

/** The seed of `SEED`, or a new one; printed, so that a failure can be repeated. */
export function seedOf(title: string): number {
  const given = process.env.SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 0x1_0000_0000) : Number(given);
  process.stderr.write(`${title}: SEED=${seed}\n`);
  return seed;
}

/** Cuts bytes at random places: now into single bytes, now into a few large pieces. */
export function cut(bytes: Buffer, random: Seeded): Buffer[] {
  const pieces: Buffer[] = [];
  const most = random.pick([1, 3, 20, 200, 5000]);
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.whole(most);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
