import { describe, expect, test } from "bun:test";
import { patterned } from "./soak-pattern.ts";
import { actsFor } from "./soak-traffic.ts";
import { judge, type Outcome, type Reading, SLOPE_LIMIT_MIB_PER_MINUTE, soakSection } from "./soak-verdict.ts";

/** Half an hour of readings, six a minute. */
function series(of: (i: number) => Partial<Reading>, count = 180): Reading[] {
  return Array.from({ length: count }, (_, i) => ({
    minutes: (i + 1) / 6,
    rssMiB: 70,
    rssAnonMiB: 30,
    descriptors: 20,
    loopDelayMs: 3,
    acts: i,
    ...of(i),
  }));
}

function outcome(more: Partial<Outcome>): Outcome {
  return { readings: series(() => ({})), descriptorsBefore: 8, descriptorsAfter: 8, wrong: 0, exitCode: 0, ...more };
}

function failing(result: Outcome): string[] {
  return judge(result)
    .filter(({ holds }) => !holds)
    .map(({ sentence }) => sentence.split(":")[0]!);
}

describe("the verdict on a soak", () => {
  test("a sawtooth is flat", () => {
    expect(failing(outcome({ readings: series((i) => ({ rssAnonMiB: 30 + (i % 10) })) }))).toEqual([]);
  });

  test("growth while it warms up is none of its business", () => {
    expect(failing(outcome({ readings: series((i) => ({ rssAnonMiB: Math.min(40, 20 + i) })) }))).toEqual([]);
  });

  test("a slow leak is found under a sawtooth", () => {
    const perReading = (SLOPE_LIMIT_MIB_PER_MINUTE * 2) / 6;
    const leaking = series((i) => ({ rssAnonMiB: 30 + perReading * i + (i % 7) }));
    expect(failing(outcome({ readings: leaking }))).toEqual(["RssAnon over the second half"]);
  });

  test("a loop that gets slower is found", () => {
    const slower = series((i) => ({ loopDelayMs: i < 90 ? 5 : 80 }));
    expect(failing(outcome({ readings: slower }))).toEqual(["loop delay, median of the worst of each reading"]);
  });

  test("descriptors, wrong answers and a bad end count as well", () => {
    expect(failing(outcome({ descriptorsAfter: 11, wrong: 1, exitCode: null }))).toEqual([
      "1 wrong answers",
      "descriptors",
      "exit code null after SIGTERM",
    ]);
  });

  test("a short run says that it judges no slope", () => {
    const short = outcome({ readings: series((i) => ({ rssAnonMiB: 10 * i }), 6) });
    expect(failing(short)).toEqual([]);
    expect(soakSection(short, ["what it was"])).toContain("too few readings to judge");
  });
});

test("every piece of the pattern says where it stands", () => {
  const body = patterned(300_000);
  for (const shift of [1, 256, 4096, 65_536]) {
    expect(body.subarray(shift, shift + 512).equals(body.subarray(0, 512))).toBe(false);
  }
  expect(patterned(300_000).equals(body)).toBe(true);
});

test("what cannot be tried is left out by name", async () => {
  const nothing = { plain: 1, tls: 0, tcp: 0 };
  const { acts, left } = await actsFor(nothing);
  expect(left.map((why) => why.split(":")[0])).toEqual(["WebSocket echoes", "HTTP/2 streams"]);
  expect(acts.some(({ name }) => name.includes("TLS"))).toBe(false);
});
