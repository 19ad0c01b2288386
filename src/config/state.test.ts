import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "./schema.ts";
import { resolveState } from "./state.ts";

const root = mkdtempSync(join(tmpdir(), "outrigger-state-"));
afterAll(() => rmSync(root, { recursive: true }));

function config(state: string | undefined, ...logFiles: string[]): Config {
  const logs = logFiles.map((path) => ({ name: "files", input: { use: "files", options: [path] }, outputs: [] }));
  return { file: join(root, "outrigger.yaml"), state, logs } as unknown as Config;
}

describe("the folder for state", () => {
  test("is the configured one, and is made", () => {
    const folder = join(root, "a/b");
    expect(resolveState(config(folder), {})).toBe(folder);
    expect(existsSync(folder)).toBe(true);
  });

  test("is $OUTRIGGER_STATE_DIR before $XDG_STATE_HOME, and the latter before all others", () => {
    const [own, xdg] = [join(root, "own"), join(root, "xdg")];
    expect(resolveState(config(undefined), { OUTRIGGER_STATE_DIR: own, XDG_STATE_HOME: xdg })).toBe(own);
    expect(resolveState(config(undefined), { XDG_STATE_HOME: xdg })).toBe(join(xdg, "outrigger"));
  });

  test("that cannot be written is a fault when logs are collected, and only then", () => {
    writeFileSync(join(root, "file"), "");
    const folder = join(root, "file/state");
    expect(resolveState(config(folder, "/var/log/app/*.log"), {})).toMatchObject({
      path: "state",
      problem: `${folder} does not exist`,
    });
    expect(resolveState(config(folder), {})).toBe(folder);
  });

  test("is never among the collected logs, however they are written", () => {
    mkdirSync(join(root, "logs/deep"), { recursive: true });
    for (const pattern of [join(root, "logs/*.log"), "logs/*.log", "./logs/app.log", join(root, "logs/*/app.log")]) {
      const result = resolveState(config(join(root, "logs/deep"), pattern), {});
      expect(result).toMatchObject({
        problem: `${join(root, "logs/deep")} is among the collected logs of ${join(root, "logs")}`,
      });
    }
    expect(resolveState(config(join(root, "logs-state"), join(root, "logs/*.log")), {})).toBe(join(root, "logs-state"));
  });

  test("names the variable that chose a wrong one", () => {
    const result = resolveState(config(undefined, join(root, "logs/*.log")), {
      OUTRIGGER_STATE_DIR: join(root, "logs"),
    });
    expect(result).toMatchObject({ problem: expect.stringContaining("$OUTRIGGER_STATE_DIR: ") });
  });

  test("that the system does not let anybody make is a fault", () => {
    const result = resolveState(config("/proc/outrigger/state", "/var/log/app/*.log"), {});
    expect(result).toMatchObject({
      path: "state",
      problem: expect.stringContaining("/proc/outrigger/state cannot be"),
    });
  });
});
