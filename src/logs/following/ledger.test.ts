import { expect, test } from "bun:test";
import type { Stamp } from "./identity.ts";
import { Ledger } from "./ledger.ts";

let wallMs = 1_700_000_000_000;
const clock = { now: () => 0, wall: () => wallMs };

function stamp(ino: number, mtimeMs = 0): Stamp {
  return { dev: 1n, ino: BigInt(ino), birthNs: BigInt(ino), size: 10, mtimeMs, links: 1 };
}

function reopened(ledger: Ledger): Ledger {
  return new Ledger(clock, JSON.parse(JSON.stringify(ledger.save())));
}

test("numbers that are too large for JSON survive", () => {
  const ledger = new Ledger(clock, undefined);
  const large = { ...stamp(1), dev: 2n ** 63n, ino: 2n ** 64n - 1n, birthNs: 1_795_357_731_183_181_384n };
  ledger.add("a", "/a.log", "/a.log", large);
  const row = reopened(ledger).find(large);
  expect(row).toMatchObject({ id: "a", dev: large.dev, ino: large.ino, birthNs: large.birthNs });
});

test("an inode belongs to the content that had it last", () => {
  const ledger = new Ledger(clock, undefined);
  const first = ledger.add("first", "/a.log", "/a.log", stamp(1));
  ledger.supersede(first);
  ledger.add("second", "/a.log", "/a.log", stamp(1));
  expect(reopened(ledger).find(stamp(1))?.id).toBe("second");
  const copy = ledger.add("copy", "/a.log", "/a.log.1", stamp(2));
  ledger.move(copy, "/a.log", stamp(1));
  expect(ledger.find(stamp(1))?.id).toBe("copy");
  expect(ledger.find(stamp(2))).toBeUndefined();
  expect(reopened(ledger).find(stamp(1))?.id).toBe("copy");
});

test("a device with another number is recognised by inode and birth, but only one that is not seen otherwise", () => {
  const ledger = new Ledger(clock, undefined);
  ledger.add("a", "/a.log", "/a.log", stamp(1));
  expect(ledger.findMoved({ ...stamp(1), dev: 7n })?.id).toBe("a");
  expect(ledger.findMoved({ ...stamp(1), dev: 7n, birthNs: 5n })).toBeUndefined();
  expect(ledger.findMoved({ ...stamp(1), dev: 7n, birthNs: 0n })).toBeUndefined();
});

test("what ended is kept for a day, and a thousand at most", () => {
  const ledger = new Ledger(clock, undefined);
  for (let i = 0; i < 1_200; i++) ledger.end(ledger.add(String(i), "/a.log", `/a.log.${i}`, stamp(i)));
  ledger.add("live", "/a.log", "/a.log", stamp(5_000));
  expect(ledger.save()).toHaveLength(1_001);
  wallMs += 24 * 60 * 60 * 1_000 + 1;
  expect(ledger.save().map(({ id }) => id)).toEqual(["live"]);
});

test("one reader per content and output", () => {
  const ledger = new Ledger(clock, undefined);
  const row = ledger.add("a", "/a.log", "/a.log", stamp(1));
  const [one, other] = [{}, {}];
  expect(ledger.claim(row, "stdout", one)).toBe(true);
  expect(ledger.claim(row, "stdout", other)).toBe(false);
  expect(ledger.claim(row, "loki", other)).toBe(true);
});
