import { expect, test } from "bun:test";
import { seedOf } from "../kit/random.ts";
import { fuzz } from "./http.ts";

test("five seconds of mutated requests and answers: both sides see whole, unambiguous messages only", async () => {
  const { finding, rounds } = await fuzz(5, seedOf("fuzz"));
  expect(finding).toBeUndefined();
  expect(rounds).toBeGreaterThan(100);
}, 30_000);
