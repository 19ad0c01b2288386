import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testRegistry } from "../../test/drop-ins-for-config.ts";
import { findConfig, formatFaults, type Loaded, loadConfig, type Registry } from "./load.ts";

const root = mkdtempSync(join(tmpdir(), "outrigger-load-"));
const file = join(root, "outrigger.yaml");
afterAll(() => rmSync(root, { recursive: true }));

async function load(
  text: string,
  env: Record<string, string> = {},
  registry: Registry = testRegistry,
): Promise<Loaded> {
  const result = await loadConfig(file, { env: { OUTRIGGER_STATE_DIR: root, ...env }, text, registry });
  if (!result.ok) throw new Error(formatFaults(result.faults));
  return result;
}

async function faults(text: string, env: Record<string, string> = {}): Promise<string> {
  const result = await loadConfig(file, { env: { OUTRIGGER_STATE_DIR: root, ...env }, text, registry: testRegistry });
  return result.ok ? "" : formatFaults(result.faults).replaceAll(file, "f");
}

describe("a configuration", () => {
  test("that is empty has every default", async () => {
    const { config } = await load("");
    expect(config).toEqual({
      file,
      state: undefined,
      health: { host: undefined, port: 7411, text: "7411" },
      admin: "socket",
      shutdown: { graceMs: 25_000 },
      concurrency: 1,
      limits: { connections: undefined, headBytes: 65_536, headFields: 200, memory: { share: 0.7 } },
      logs: [],
      schedules: [],
      inbound: [],
      outbound: [],
    });
  });

  test("has its text as written, and the files it refers to", async () => {
    writeFileSync(join(root, "secret"), "s3cret\n");
    writeFileSync(join(root, "page.html"), "<h1>");
    const text =
      'inbound:\n  - listen: 1\n    routes:\n      - match: { path: /a, headers: { x-a: "${file:secret}" } }\n        respond: { bodyFile: page.html }\n';
    const loaded = await load(text);
    expect(loaded.text).toBe(text);
    expect(loaded.files).toEqual([join(root, "secret"), join(root, "page.html")]);
    expect(loaded.config.inbound[0]?.routes[0]?.match.headers).toEqual([{ name: "x-a", equals: "s3cret" }]);
    expect(loaded.config.inbound[0]?.routes[0]?.action).toMatchObject({
      respond: { body: { file: join(root, "page.html") } },
    });
  });

  test("is read from its file, and relative names start in the file's folder", async () => {
    writeFileSync(file, "state: ./here\n");
    const result = await loadConfig(file, { env: {}, registry: testRegistry });
    expect(result).toMatchObject({ ok: true, config: { state: join(root, "here") } });
  });

  test("that is no text, no file or a folder is a fault", async () => {
    writeFileSync(join(root, "bytes.yaml"), new Uint8Array([0xff, 0xfe, 0x00]));
    for (const [path, problem] of [
      ["bytes.yaml", "the file is not UTF-8 text"],
      ["none.yaml", "the file does not exist"],
      [".", "the file is a directory"],
    ] as const) {
      const result = await loadConfig(join(root, path), { env: {}, registry: testRegistry });
      expect(result).toMatchObject({ ok: false, faults: [{ line: 1, column: 1, path: "", problem }] });
    }
  });
});

describe("policies", () => {
  test("of a listener hold on its routes; a route's own win, and false switches one off", async () => {
    const { config } = await load(`
outbound:
  - listen: 1
    to: http://a
    logAccess: { sample: 0.5 }
    askAgain: { times: 2 }
    routes:
      - { match: { path: /a }, to: "http://a", logAccess: true }
      - { match: { path: /b }, to: "http://a", logAccess: false, askAgain: { times: 5 } }
`);
    const [listener] = config.outbound;
    expect(listener?.policies).toEqual({ "log-access": { sample: 0.5 }, "ask-again": { times: 2 } });
    expect(listener?.routes.map(({ name, policies }) => [name, policies])).toEqual([
      ["/a", { "log-access": { sample: 1 }, "ask-again": { times: 2 } }],
      ["/b", { "ask-again": { times: 5 } }],
      ["default", { "log-access": { sample: 0.5 }, "ask-again": { times: 2 } }],
    ]);
    // The engine makes one filter for all routes that share a policy.
    expect(listener?.routes[2]?.policies["log-access"]).toBe(listener?.policies["log-access"]);
  });

  test("load no drop-in that is not named", async () => {
    const loaded: string[] = [];
    const noting = <T>(name: string, read: () => T) => {
      return () => {
        loaded.push(name);
        return read();
      };
    };
    const watched = <T>(entries: Readonly<Record<string, () => Promise<T>>>) =>
      Object.fromEntries(Object.entries(entries).map(([name, read]) => [name, noting(name, read)])) as Record<
        string,
        () => Promise<T>
      >;
    const registry = {
      filters: watched(testRegistry.filters),
      logInputs: watched(testRegistry.logInputs),
      logTransforms: watched(testRegistry.logTransforms),
      logOutputs: watched(testRegistry.logOutputs),
    };
    await load("health: 1\n", {}, registry);
    expect(loaded).toEqual([]);
    await load("inbound: [{ listen: 1, to: 'http://a', logAccess: true }]\nlogs: [{ files: [/x/y] }]\n", {}, registry);
    expect(loaded.sort()).toEqual(["files", "log-access", "stdout"]);
  });
});

describe("what a reference brings in", () => {
  test("is text, and a number or a boolean where one is wanted", async () => {
    const text =
      'limits: { headFields: "${N}" }\nschedules:\n  - every: ${T}\n    request: http://a/\n    ready: ${B}\n    name: "${N}"\n';
    const { config } = await load(text, { N: "42", T: "15s", B: "true" });
    expect(config.limits.headFields).toBe(42);
    expect(config.schedules[0]).toMatchObject({ when: { everyMs: 15_000 }, ready: true, name: "42" });
  });

  test("is never parsed again", async () => {
    const { config } = await load('inbound: [{ listen: 1, routes: [{ respond: { body: "${A}" } }] }]\n', {
      A: "${B}: [1]\n# x",
    });
    expect(config.inbound[0]?.routes[0]?.action).toMatchObject({ respond: { body: { text: "${B}: [1]\n# x" } } });
  });

  test("may be nothing, and one scalar may have several", async () => {
    const { config } = await load('inbound: [{ listen: 1, routes: [{ respond: { body: "a${E}b${X}$${X}" } }] }]\n', {
      E: "",
      X: "x",
    });
    expect(config.inbound[0]?.routes[0]?.action).toMatchObject({ respond: { body: { text: "abx${X}" } } });
  });

  test("loses one line end of a file, and only one", async () => {
    writeFileSync(join(root, "two"), "a\n\r\n");
    const { config } = await load('inbound: [{ listen: 1, routes: [{ respond: { body: "${file:two}" } }] }]\n');
    expect(config.inbound[0]?.routes[0]?.action).toMatchObject({ respond: { body: { text: "a\n" } } });
  });

  test("does not turn what was written in quotes into a number", async () => {
    expect(await faults('limits: { headFields: "42" }\n')).toBe(
      'f:1:23 limits.headFields: found the text "42"; write a number',
    );
  });
});

describe("faults", () => {
  test("stand where the value is, in files with CRLF, a byte order mark or an anchor", async () => {
    expect(await faults("health: 1\r\nlimits:\r\n  headFields: x\r\n")).toStartWith("f:3:15 limits.headFields:");
    expect(await faults("\ufeffzebra: 1\n")).toStartWith("f:1:2 zebra:");
    expect(await faults("limits: &l { headFields: x }\nshutdown: *l\n")).toContain("f:1:14 shutdown.headFields:");
  });

  test("come all at once, also from huge aliases", async () => {
    const tenfold = (from: string, to: string) => `${to}: &${to} [${Array(10).fill(`*${from}`).join(",")}]\n`;
    const text = `a: &a [1,1,1,1,1,1,1,1,1,1]\n${tenfold("a", "b")}${tenfold("b", "c")}${tenfold("c", "d")}${tenfold("d", "e")}${tenfold("e", "f")}`;
    expect(await faults(text)).toContain("the aliases make this document huge");
    expect(await faults("[".repeat(50_000))).toContain("nested too deeply");
  });

  test("tell of keys that look like members of every object", async () => {
    expect(await faults("__proto__: { a: 1 }\nconstructor: 1\ntoString: 1\n")).toContain('unknown key "__proto__"');
    expect(await faults("inbound: [{ listen: 1, to: 'http://a', hasOwnProperty: 1 }]\n")).toContain(
      'unknown key "hasOwnProperty"',
    );
  });
});

test("the configuration is the flag's, else the variable's, else this folder's", () => {
  expect(findConfig("a.yaml", { OUTRIGGER_CONFIG: "b.yaml" })).toBe("a.yaml");
  expect(findConfig(undefined, { OUTRIGGER_CONFIG: "b.yaml" })).toBe("b.yaml");
  expect(["outrigger.yaml", "/etc/outrigger/outrigger.yaml"]).toContain(
    findConfig(undefined, { OUTRIGGER_CONFIG: "" }),
  );
});
