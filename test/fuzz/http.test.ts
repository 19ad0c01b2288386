import { expect, test } from "bun:test";
import { seedOf } from "../kit/random.ts";
import { fuzz as answers } from "./answers.ts";
import { fuzz as requests } from "./http.ts";
import { fuzz as sequences } from "./sequences.ts";

test.each([
  ["mutated requests, one client at a time", requests, 4],
  ["mutated answers to clients of every kind", answers, 3],
  ["sequences of good and mutated requests from many clients", sequences, 3],
] as const)(
  "some seconds of %s: nobody sees but whole, unambiguous messages of their own",
  async (name, fuzz, seconds) => {
    const { finding, rounds } = await fuzz(seconds, seedOf(name));
    expect(finding).toBeUndefined();
    expect(rounds).toBeGreaterThan(30);
  },
  30_000,
);
