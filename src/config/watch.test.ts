import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/kit/until.ts";
import { systemClock } from "../clock.ts";
import { ConfigWatch, type WatchOptions } from "./watch.ts";

let folder: string;
let watch: ConfigWatch;
let changes: number;

function watching(options: Omit<WatchOptions, "clock">): ConfigWatch {
  const made = new ConfigWatch({ clock: systemClock, ...options });
  made.changed = () => changes++;
  return made;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "watch-"));
  changes = 0;
  watch = watching({ pollMs: 20, settleMs: 10 });
});
afterEach(() => {
  watch.stop();
  rmSync(folder, { recursive: true });
});

const changed = (times: number) => until(() => changes === times, { what: `${times} changes (seen: ${changes})` });

/** Long enough for several looks. */
const quiet = async () => {
  const before = changes;
  await Bun.sleep(150);
  expect(changes).toBe(before);
};

describe("a watched file", () => {
  test("is noticed when it is written, replaced, removed and made again", async () => {
    const file = join(folder, "a.yaml");
    writeFileSync(file, "one");
    watch.watch([file]);
    await quiet();
    writeFileSync(file, "another");
    await changed(1);
    writeFileSync(join(folder, "new"), "another");
    renameSync(join(folder, "new"), file);
    await changed(2);
    rmSync(file);
    await changed(3);
    writeFileSync(file, "back");
    await changed(4);
    await quiet();
  });

  test("is noticed when the ..data symlink of its volume is swapped", async () => {
    const version = (n: number) => {
      mkdirSync(join(folder, `..v${n}`));
      writeFileSync(join(folder, `..v${n}`, "a.yaml"), "same size");
      symlinkSync(`..v${n}`, join(folder, "..next"));
      renameSync(join(folder, "..next"), join(folder, "..data"));
    };
    version(1);
    symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
    watch.watch([join(folder, "a.yaml")]);
    version(2);
    await changed(1);
    version(3);
    await changed(2);
  });

  test("that is still being written is waited for, and told once", async () => {
    const file = join(folder, "a.yaml");
    writeFileSync(file, "");
    watch.stop();
    watch = watching({ pollMs: 10, settleMs: 600 });
    watch.watch([file]);
    for (let n = 1; n <= 20; n++) {
      writeFileSync(file, "x".repeat(n));
      await Bun.sleep(5);
    }
    expect(changes).toBe(0);
    await changed(1);
    await quiet();
  });

  test("that is written without end is told all the same", async () => {
    const file = join(folder, "a.yaml");
    watch.stop();
    watch = watching({ pollMs: 10, settleMs: 5, settleAtMostMs: 50 });
    watch.watch([file]);
    let n = 0;
    await until(() => {
      writeFileSync(file, "x".repeat(++n));
      return changes > 0;
    });
  });

  test("keeps what was seen of it when others are added, so that no change is lost", async () => {
    const file = join(folder, "a.yaml");
    writeFileSync(file, "one");
    watch.watch([file]);
    writeFileSync(file, "another");
    watch.watch([file, join(folder, "b")]);
    await changed(1);
    watch.watch([join(folder, "b")]);
    writeFileSync(file, "no longer watched");
    await quiet();
  });
});
