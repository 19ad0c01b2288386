import { expect, test } from "bun:test";
import fc from "fast-check";
import { basesOf, byAge, isExtendedName, isRotatedName, type Spot } from "./siblings.ts";

const names: [name: string, base: string, rotated: boolean][] = [
  ["app.log.1", "app.log", true],
  ["app.log.12", "app.log", true],
  ["app.log-20240131", "app.log", true],
  ["app.log.2024-01-31", "app.log", true],
  ["app.log.2024-01-31T10:00:00Z", "app.log", true],
  ["app-2024-01-31.log", "app.log", true],
  ["app.2024-01-31.3.log", "app.log", true],
  ["app.1.log", "app.log", true],
  ["app.log1", "app.log", true],
  ["f0", "f", true],
  ["app.log.old", "app.log", true],
  ["app.log~", "app.log", true],
  ["app.log.1.gz", "app.log", false],
  ["app.log.err", "app.log", false],
  ["app-errors.log", "app.log", false],
  ["app1.log", "app.log", false],
  ["app-12", "app-1", false],
  ["worker10.log", "worker1.log", false],
  ["app.log", "app.log", false],
  ["other.log.1", "app.log", false],
];

test.each(names)("%s is a rotated %s: %p", (name, base, rotated) => {
  expect(isRotatedName(name, base)).toBe(rotated);
});

test("a copy may be called like the original with anything added", () => {
  expect(isExtendedName("app.log.before-the-update", "app.log")).toBe(true);
  expect(isExtendedName("app-copy.log", "app.log")).toBe(true);
  expect(isExtendedName("copy-of-app.log", "app.log")).toBe(false);
  expect(isExtendedName("app.log", "app.log")).toBe(false);
});

test("what a name may be extended from is all of which it is an extended name, longest first", () => {
  const names = fc.string({ unit: fc.constantFrom("a", "b", ".", "1", "-"), minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(names, names, (name, base) => {
      expect(basesOf(name).includes(base)).toBe(isExtendedName(name, base));
      const lengths = basesOf(name).map(({ length }) => length);
      expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
    }),
    { numRuns: 20_000 },
  );
});

function spot(path: string, mtimeMs: number, birthNs = 0n): Spot {
  return { path, stamp: { dev: 1n, ino: BigInt(path.length), birthNs, size: 1, mtimeMs, links: 1 } };
}

const order = (...spots: Spot[]) => spots.sort(byAge).map(({ path }) => path);

test("oldest first: by time of writing, then by number or date in the name, then by birth", () => {
  expect(order(spot("a.1", 2), spot("a.2", 1))).toEqual(["a.2", "a.1"]);
  expect(order(spot("a", 1), spot("a.1", 1), spot("a.10", 1), spot("a.2", 1))).toEqual(["a.10", "a.2", "a.1", "a"]);
  expect(order(spot("a-20240102", 1), spot("a-20240101", 1))).toEqual(["a-20240101", "a-20240102"]);
  expect(order(spot("b", 1, 2n), spot("c", 1, 1n))).toEqual(["c", "b"]);
});
