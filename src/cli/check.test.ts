import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandIo } from "../contracts.ts";
import check from "./check.ts";
import schema from "./schema.ts";

const root = mkdtempSync(join(tmpdir(), "outrigger-check-"));
const config = join(root, "outrigger.yaml");
afterAll(() => rmSync(root, { recursive: true }));

/** What a command said, the temporary folder left out. */
class Said {
  out = "";
  err = "";

  io(env: Record<string, string>): CommandIo {
    const clock = { now: () => 0, wall: () => 0 };
    return {
      env,
      clock,
      random: () => 0,
      colours: false,
      out: (text) => {
        this.out += String(text).replaceAll(`${root}/`, "");
      },
      err: (text) => {
        this.err += String(text).replaceAll(`${root}/`, "");
      },
    };
  }
}

async function run(text: string, env: Record<string, string> = {}, noEnv = false) {
  writeFileSync(config, text);
  const said = new Said();
  const code = await check.run({ config, noEnv }, [], said.io({ OUTRIGGER_STATE_DIR: join(root, "state"), ...env }));
  return { code, out: said.out, err: said.err };
}

describe("check", () => {
  test("ends with 0 and the sentences when the configuration is right", async () => {
    const { code, out, err } = await run("inbound: [{ listen: 8080, to: 'http://127.0.0.1:7878' }]\n");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toStartWith("outrigger.yaml is right. This is what will happen.\n\nA request to port 8080 of every");
    expect(out).toEndWith("Its state is kept in state.\n");
  });

  test("ends with 1 and every fault when it is wrong", async () => {
    const { code, out, err } = await run("health: x\nlimits: { headFields: 0 }\n");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^outrigger\.yaml:1:9 health: .+; .+$/),
      expect.stringMatching(/^outrigger\.yaml:2:23 limits\.headFields: .+; .+$/),
    ]);
  });

  test("without the environment says what it cannot know", async () => {
    const text = `health: $\{PORT}\n`;
    expect(await run(text)).toMatchObject({ code: 1 });
    expect(await run(text, { PORT: "7412" })).toMatchObject({ code: 0 });
    const out =
      "outrigger.yaml is right as far as can be told without the environment.\nNot known without it: health.\n";
    expect(await run(text, {}, true)).toEqual({ code: 0, err: "", out });
  });
});

test("schema prints a JSON Schema", async () => {
  const said = new Said();
  expect(await schema.run({}, [], said.io({}))).toBe(0);
  const properties = { inbound: { type: "array" } };
  expect(JSON.parse(said.out)).toMatchObject({ type: "object", additionalProperties: false, properties });
});
