import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockFolder } from "./lock.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lock-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("a folder has one owner, under whatever name, until it lets go", () => {
  const first = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(
    `${folder}: another outrigger (process ${process.pid}) keeps its positions of log files here`,
  );
  const other = `${folder}-link`;
  symlinkSync(folder, other);
  expect(() => lockFolder(other)).toThrow("another outrigger");
  rmSync(other);
  first.release();
  lockFolder(folder).release();
});

test("a killed owner leaves nothing behind", async () => {
  const code = `
    import { lockFolder } from ${JSON.stringify(join(import.meta.dir, "lock.ts"))};
    lockFolder(${JSON.stringify(folder)});
    process.stdout.write("held");
    setInterval(() => {}, 1000);`;
  const owner = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe" });
  const { value } = await owner.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("held");
  expect(() => lockFolder(folder)).toThrow(`process ${owner.pid}`);
  owner.kill("SIGKILL");
  await owner.exited;
  lockFolder(folder).release();
});
