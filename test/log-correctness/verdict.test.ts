import { describe, expect, test } from "bun:test";
import type { JournalEntry, Passing } from "./journal.ts";
import { lineOf } from "./lines.ts";
import { type Delivered, judge, type Life } from "./verdict.ts";

/** Two lines that are in a file until 10 s, quiet from 5 s on, and one after them. */
function journal(left: Passing["left"]): JournalEntry[] {
  return [
    { kind: "passing", stream: "s", first: 0, next: 2, from: 1_000, quietFrom: 5_000, to: 10_000, left },
    { kind: "written", stream: "s", lines: 3, rotations: 1 },
  ];
}

function life(readyAt: number, killedAt = Number.POSITIVE_INFINITY): Life {
  return { readyAt, killedAt, checkpointAt: 0 };
}

function bytesOf(...numbers: number[]): Buffer {
  return Buffer.from(numbers.map((number) => `${lineOf("s", number, 5)}\n`).join(""));
}

function came(in_: number, ...numbers: number[]): Delivered {
  return { life: in_, bytes: bytesOf(...numbers) };
}

function missing(left: Passing["left"], lives: Life[], delivered: Delivered[]): number {
  return judge(journal(left), lives, delivered, 5_000).missing;
}

test("lines are gone with a kill soon after their file, and are missing where the kill was late or there was none", () => {
  expect(missing("nothing", [life(0, 12_000), life(13_000)], [came(1, 2)])).toBe(0);
  expect(missing("nothing", [life(0, 16_000), life(17_000)], [came(1, 2)])).toBe(2);
  expect(missing("nothing", [life(0)], [came(0, 2)])).toBe(2);
});

test("lines are gone when no collector looked between the last of them and the end of their file", () => {
  expect(missing("nothing", [life(0, 5_500), life(9_000)], [came(1, 2)])).toBe(0);
  expect(missing("nothing", [life(0, 5_500), life(6_000)], [came(1, 2)])).toBe(2);
});

test("lines of a deleted file are missing when the same collector delivered the next ones before it was killed", () => {
  expect(missing("descriptor", [life(0, 12_000), life(13_000)], [came(1, 2)])).toBe(0);
  expect(missing("descriptor", [life(0, 12_000), life(13_000)], [came(0, 2)])).toBe(2);
});

test("lines of a file that nothing points to are gone only where no collector was there for long enough", () => {
  expect(missing("file", [life(0, 4_000), life(6_000)], [came(1, 2)])).toBe(0);
  expect(missing("file", [life(0, 7_000), life(8_000)], [came(1, 2)])).toBe(2);
});

test("what is not there at all is missing, whatever is gone", () => {
  expect(missing("nothing", [life(0, 9_500), life(9_900)], [came(1, 0, 1)])).toBe(1);
});

describe("lines that come again after a kill", () => {
  const written: JournalEntry[] = [{ kind: "written", stream: "s", lines: 4, rotations: 0 }];
  /** Each was killed 500 ms after its last checkpoint. */
  const lives = [2_000, 4_000, 6_000].map((killedAt) => ({ ...life(0, killedAt), checkpointAt: killedAt - 500 }));
  const taken = (in_: number, knownAt: number | undefined, ...numbers: number[]): Delivered => {
    return { life: in_, at: (knownAt ?? 2_000) - 5, knownAt, bytes: bytesOf(...numbers) };
  };
  const repeats = (...delivered: Delivered[]) => judge(written, lives, delivered, 0).repeats!;
  const size = bytesOf(0).length;

  test("may do so when they were acknowledged after the last checkpoint, and as often as that happens again", () => {
    const again = repeats(taken(0, 1_501, 0, 1), taken(0, undefined, 2), taken(1, 3_800, 0, 1, 2), taken(2, 5_000, 0));
    expect(again).toEqual({ bytes: 4 * size, beyondBytes: 0, beyond: [] });
  });

  test("may do so when the collector had not read that they were acknowledged when it wrote the checkpoint", () => {
    expect(repeats(taken(0, 1_500, 0), taken(1, 3_000, 0)).beyondBytes).toBe(0);
  });

  test("may not when a checkpoint was written after that, whatever else may come again", () => {
    const one = repeats(taken(0, 1_400, 0), taken(0, 1_900, 1, 2), taken(1, 3_000, 0));
    expect(one).toMatchObject({ bytes: size, beyondBytes: size });
    expect(one.beyond).toEqual([
      "s 0 came from collector 0 and from 1: acknowledged 605 ms before the kill, known 600 ms, checkpoint 500 ms",
    ]);
  });

  test("may not when a later collector's checkpoint had them, though the first one's had not", () => {
    const late = repeats(taken(0, 1_900, 0), taken(1, 3_000, 0), taken(2, 5_000, 0));
    expect(late).toMatchObject({ bytes: 2 * size, beyondBytes: size });
  });
});
