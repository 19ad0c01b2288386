import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findLastGood, loadLastGood, saveLastGood } from "./last-good.ts";

const root = mkdtempSync(join(tmpdir(), "outrigger-last-good-"));
afterAll(() => rmSync(root, { recursive: true }));

const good = { path: join(root, "outrigger.yaml"), text: "health: ${PORT}\n", savedAtMs: 1_700_000_000_000 };

describe("the last good configuration", () => {
  test("comes back as it was kept, readable by its owner only, without leftovers", async () => {
    const state = join(root, "a/state");
    expect(await saveLastGood(state, { ...good, text: "old" })).toBeUndefined();
    expect(await saveLastGood(state, good)).toBeUndefined();
    expect(await loadLastGood(state, good.path)).toEqual(good);
    expect(readdirSync(state)).toEqual(["last-good.json"]);
    expect(statSync(join(state, "last-good.json")).mode & 0o777).toBe(0o600);
  });

  test("of another file is not taken", async () => {
    await saveLastGood(join(root, "b"), good);
    expect(await loadLastGood(join(root, "b"), join(root, "other.yaml"))).toBeUndefined();
  });

  test("is not there at first, nor when what is kept is broken", async () => {
    expect(await loadLastGood(join(root, "none"), good.path)).toBeUndefined();
    mkdirSync(join(root, "c"));
    for (const text of ["", "{", "[]", '{"path":1}', JSON.stringify({ ...good, text: null })]) {
      writeFileSync(join(root, "c/last-good.json"), text);
      expect(await loadLastGood(join(root, "c"), good.path)).toBeUndefined();
    }
  });

  test("that cannot be kept says why, and does not throw", async () => {
    writeFileSync(join(root, "file"), "");
    expect(await saveLastGood(join(root, "file/state"), good)).toBe("does not exist");
  });

  test("is found where a wrong configuration still says that state is", async () => {
    await saveLastGood(join(root, "stated"), good);
    const env = { XDG_STATE_HOME: join(root, "xdg"), NAME: "stated" };
    for (const text of [
      "state: ./stated\nzebra: 1\n",
      "state: ./${NAME}\nhealth: x\n",
      "state: stated\ninbound: [\n",
    ]) {
      expect(await findLastGood(good.path, text, env)).toEqual(good);
    }
    expect(await findLastGood(good.path, "zebra: 1\n", env)).toBeUndefined();
    await saveLastGood(join(root, "xdg/outrigger"), good);
    expect(await findLastGood(good.path, "zebra: 1\n", env)).toEqual(good);
    expect(await findLastGood(good.path, undefined, env)).toEqual(good);
  });
});
