import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server } from "bun";
import { freePort } from "../../test/kit/free-port.ts";
import { systemClock } from "../clock.ts";
import { main } from "../main.ts";

let health: Server<undefined> | undefined;
const folders: string[] = [];
afterEach(async () => {
  await health?.stop(true);
  health = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function wait(words: readonly string[], env: Record<string, string> = {}) {
  let err = "";
  const code = await main(["wait", ...words], {
    env,
    clock: systemClock,
    random: () => 0,
    colours: false,
    out() {},
    err: (text) => {
      err += text;
    },
  });
  return { code, err };
}

/** Answers /startup as a sidecar does: 503 with a reason, `times` times. */
function starting(port: number, times: number): void {
  let asked = 0;
  health = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request) => {
      if (new URL(request.url).pathname !== "/startup") return new Response(null, { status: 404 });
      if (asked++ >= times) return Response.json({ status: "started" });
      return Response.json({ status: "not started", reasons: ["listeners are being bound"] }, { status: 503 });
    },
  });
}

describe("outrigger wait", () => {
  test("ends with 0 when the sidecar has started, though it was not there at first", async () => {
    const port = freePort();
    const waiting = wait(["--port", String(port), "--timeout", "20s"]);
    await Bun.sleep(120);
    starting(port, 3);
    expect(await waiting).toEqual({ code: 0, err: "" });
  });

  test("finds the port in the configuration", async () => {
    const port = freePort();
    const folder = mkdtempSync(join(tmpdir(), "wait-"));
    folders.push(folder);
    writeFileSync(join(folder, "outrigger.yaml"), `health: ${port}\n`);
    starting(port, 0);
    expect((await wait([], { OUTRIGGER_CONFIG: join(folder, "outrigger.yaml") })).code).toBe(0);
  });

  test("says what the sidecar said last when the time is over", async () => {
    const port = freePort();
    const absent = await wait(["--port", String(port), "--timeout", "100ms"]);
    expect(absent).toEqual({
      code: 3,
      err: `the sidecar has not started within 0.1 s: http://127.0.0.1:${port}/startup refuses connections\n`,
    });
    starting(port, 1000);
    const slow = await wait(["--port", String(port), "--timeout", "100ms"]);
    expect([slow.code, slow.err]).toEqual([3, expect.stringContaining("answers 503: listeners are being bound")]);
  });

  test("refuses what is no port, no duration", async () => {
    expect((await wait(["--port", "70000"])).code).toBe(2);
    expect((await wait(["--port", "0"])).code).toBe(2);
    expect((await wait(["--timeout", "soon"])).code).toBe(2);
  });
});
