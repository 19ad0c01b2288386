import { expect, test } from "bun:test";
import type { Pool } from "./pool.ts";
import { PoolCache } from "./pool-cache.ts";

/** As much of a pool as is let go of. */
function poolOf(closed: string[], name: string, isBusy = false): Pool {
  const pool = { http2: { isBusy }, close: () => void closed.push(name) };
  return pool as unknown as Pool;
}

test("the one not asked for longest is let go of, but not while HTTP/2 runs on it", () => {
  const cache = new PoolCache();
  const closed: string[] = [];
  const get = (name: string, isBusy = false) => cache.get(name, () => poolOf(closed, name, isBusy));
  const first = get("first");
  get("busy", true);
  get("second");
  expect(get("first")).toBe(first); // and is the last asked for now
  for (let at = 0; at < 253; at++) get(`other-${at}`);
  expect(closed).toEqual([]);
  get("one too many");
  expect(closed).toEqual(["second"]);
  get("two too many");
  expect(closed).toEqual(["second", "first"]);
  cache.close();
  expect(closed).toHaveLength(258);
  expect(new Set(closed).size).toBe(258);
});
