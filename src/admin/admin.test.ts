import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAdmin } from "../config/admin.ts";
import type { LogSourceState } from "../contracts.ts";
import type { TapFilter } from "../logs/tap.ts";
import { AdminListener, type AdminSource } from "./admin.ts";

let folder: string;
const opened: AdminListener[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "admin-"));
});
afterEach(async () => {
  for (const listener of opened.splice(0)) await listener.stop();
  rmSync(folder, { recursive: true });
});

const nothing: AdminSource = { logFiles: async () => undefined, tailLogs: () => undefined, quit: () => false };
const events: string[] = [];

async function open(place: string, source: Partial<AdminSource> = {}, stateDir = folder): Promise<AdminListener> {
  const parsed = parseAdmin(place);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const emit = (event: string, fields = {}) => void events.push(`${event} ${JSON.stringify(fields)}`);
  const listener = await AdminListener.open({ place: parsed.value, stateDir, source: { ...nothing, ...source }, emit });
  if (listener === undefined) throw new Error("there is no listener");
  opened.push(listener);
  return listener;
}

const path = () => join(folder, "admin.sock");
const get = (page: string, method = "GET") => fetch(`http://localhost${page}`, { unix: path(), method });

const row: LogSourceState = {
  id: "a1",
  input: "app",
  path: "/var/log/app.log",
  state: "live",
  sizeBytes: 100,
  outputs: {
    stdout: { readBytes: 80, acknowledgedBytes: 60, waitingMs: 1_234.4 },
    central: { readBytes: 100, acknowledgedBytes: 100 },
  },
};

describe("the admin socket", () => {
  test("is its user's alone, and gone when the listener is", async () => {
    const listener = await open("socket");
    expect(listener.address).toBe(`unix:${path()}`);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    await listener.stop();
    expect(existsSync(path())).toBe(false);
  });

  test("leaves the mask for new files as it was", async () => {
    await open("socket");
    writeFileSync(join(folder, "a"), "");
    expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(process.umask()).not.toBe(0o177);
  });

  test("replaces that of a process that was killed", async () => {
    const dead = Bun.spawn([
      process.execPath,
      "-e",
      `Bun.serve({ unix: ${JSON.stringify(path())}, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL")`,
    ]);
    await dead.exited;
    expect(existsSync(path())).toBe(true);
    await open("socket");
    expect((await get("/")).status).toBe(404);
  });

  test("is not taken from a process that answers, nor is a file of that name", async () => {
    await open("socket");
    events.length = 0;
    const error = "another sidecar has it; give each its own `state:`";
    const taken = `admin_unavailable ${JSON.stringify({ path: path(), error })}`;
    await expect(open("socket")).rejects.toThrow("there is no listener");
    expect(events).toEqual([taken]);
    expect((await get("/")).status).toBe(404);
    await opened.pop()?.stop();
    writeFileSync(path(), "somebody's");
    await expect(open("socket")).rejects.toThrow("there is no listener");
    expect(events).toEqual([taken, taken]);
  });

  test("that cannot be made is an event, and no reason not to start", async () => {
    events.length = 0;
    const missing = join(folder, "missing");
    await expect(open("socket", {}, missing)).rejects.toThrow("there is no listener");
    expect(events).toEqual([`admin_unavailable {"path":"${missing}/admin.sock","error":"ENOENT"}`]);
    const deep = join(folder, "x".repeat(110));
    await expect(open("socket", {}, deep)).rejects.toThrow("there is no listener");
    expect(events[1]).toContain("ENAMETOOLONG");
  });

  test("stops the sidecar on POST /quit, where that is allowed", async () => {
    let allowed = false;
    let asked = 0;
    await open("socket", { quit: () => allowed && ++asked > 0 });
    expect((await get("/quit")).status).toBe(405);
    const refused = await get("/quit", "POST");
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining("quit: true")]);
    allowed = true;
    expect((await get("/quit", "POST")).status).toBe(202);
    expect(asked).toBe(1);
  });

  test("answers other paths with what there is, other methods with 405", async () => {
    await open("socket");
    const lost = await get("/nothing");
    expect([lost.status, await lost.text()]).toEqual([
      404,
      '{"error":"nothing is here; there are /logs/files, /logs/tail, /quit"}\n',
    ]);
    const posted = await get("/logs/files", "POST");
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET"]);
  });
});

describe("admin on a port", () => {
  test("answers those who name it, and no page of a name that points here", async () => {
    const { address } = await open("127.0.0.1:0");
    expect((await fetch(`http://${address}/logs/files`)).status).toBe(404);
    const foreign = await fetch(`http://${address}/logs/files`, { headers: { host: "evil.test" } });
    expect([foreign.status, await foreign.text()]).toEqual([
      403,
      '{"error":"the host \\"evil.test\\" is not this listener"}\n',
    ]);
  });

  test("that is taken is an error that names the key", async () => {
    const { address } = await open("127.0.0.1:0");
    await expect(open(address)).rejects.toThrow(
      `admin: cannot listen on ${address}: the port is taken by another process; set the key "admin" to a free one, or to off`,
    );
  });
});

test("files are shown a row for each output, with how far it is behind", async () => {
  await open("socket", { logFiles: async () => [row] });
  const common = { input: "app", path: "/var/log/app.log", id: "a1", state: "live", sizeBytes: 100 };
  expect(await (await get("/logs/files")).json()).toEqual({
    files: [
      { ...common, output: "stdout", readBytes: 80, acknowledgedBytes: 60, lagBytes: 40, lagSeconds: 1.234 },
      { ...common, output: "central", readBytes: 100, acknowledgedBytes: 100, lagBytes: 0, lagSeconds: 0 },
    ],
  });
});

test("where nothing is collected both pages say so in a sentence", async () => {
  await open("socket");
  for (const page of ["/logs/files", "/logs/tail"]) {
    const answer = await get(page);
    expect([answer.status, await answer.json()]).toEqual([
      404,
      { error: "no logs: is configured, so there are no lines and no files to show" },
    ]);
  }
});

describe("a tail", () => {
  test("hands on what it is asked for, and its chunks as they come", async () => {
    const filters: TapFilter[] = [];
    const chunks = ["one\n", "two\n"];
    let closed = 0;
    const next = async () => (chunks.length > 0 ? Buffer.from(chunks.shift()!) : undefined);
    const tailLogs = (filter: TapFilter) => {
      filters.push(filter);
      return { next, close: () => void closed++ };
    };
    await open("socket", { tailLogs });
    const answer = await get("/logs/tail?input=app&path=*.log&format=text");
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await answer.text()).toBe("one\ntwo\n");
    expect(filters).toEqual([{ input: "app", path: "*.log", format: "text" }]);
  });

  test("is closed when its client leaves", async () => {
    const gone = Promise.withResolvers<void>();
    const first = Promise.withResolvers<void>();
    let calls = 0;
    const next = () => (calls++ === 0 ? Promise.resolve(Buffer.from("a\n")) : gone.promise.then(() => undefined));
    await open("socket", { tailLogs: () => ({ next, close: () => gone.resolve() }) });
    const abort = new AbortController();
    const answer = await fetch("http://localhost/logs/tail", { unix: path(), signal: abort.signal });
    void answer.body
      ?.getReader()
      .read()
      .then(() => first.resolve());
    await first.promise;
    abort.abort();
    await gone.promise;
  });

  test("refuses what it does not know, and one too many", async () => {
    await open("socket", { tailLogs: () => "crowded" });
    const misspelt = await get("/logs/tail?inptu=app");
    expect([misspelt.status, await misspelt.json()]).toEqual([
      400,
      { error: '"inptu" is no parameter; there are input, output, path, format' },
    ]);
    expect((await get("/logs/tail?format=xml")).status).toBe(400);
    expect((await get("/logs/tail")).status).toBe(503);
  });
});
