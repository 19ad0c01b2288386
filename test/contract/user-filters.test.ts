/** Filters as a user writes them: every hook, order, and what becomes of an exchange when one fails, by its policy. */
import { afterAll, describe, expect, test } from "bun:test";
import type { UserFilter } from "../../src/config/schema.ts";
import { mostFaults } from "../../src/user-filters/standing.ts";
import { doing, type Exchanged, exchange } from "../kit/filters.ts";
import { ok, type Script } from "../kit/raw.ts";
import { strictRequests } from "../kit/strict.ts";
import { FilterFolder, userScene } from "../kit/user-filters.ts";

const folder = new FilterFolder();
afterAll(() => folder.remove());

let made = 0;
/** One filter with this body, and what its entry says besides. */
async function filterOf(body: string, entry = ""): Promise<readonly UserFilter[]> {
  const name = `f${++made}`;
  folder.filter(`${name}.ts`, body);
  return folder.filters(`  - { use: ./${name}.ts${entry} }`);
}

const get = "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const hello: Script = doing((connection) => connection.send(ok("hello")));

function field({ message }: Exchanged, name: string): string | undefined {
  return message?.fields.find(([key]) => key.toLowerCase() === name)?.[1];
}

function codeOf({ body }: Exchanged): unknown {
  return JSON.parse(body ?? "{}").code;
}

describe("a hook", () => {
  test("request sees and edits the request, with the parsed options", async () => {
    const body = `phase: "shape", config: z.strictObject({ header: z.string(), value: z.string().default("yes") }),
      request(x, { header, value }) { x.setHeader(header, value + x.path); }`;
    using scene = await userScene(await filterOf(body, ", config: { header: x-mine }"), hello);
    await exchange(scene.port, get);
    expect(scene.upstream.received).toContain("\r\nx-mine: yes/a\r\n");
  });

  test("request may answer, with a promise or without", async () => {
    for (const how of ["request", "async request"]) {
      using scene = await userScene(
        await filterOf(`phase: "admit", ${how}() { return { status: 418, body: "no" }; }`),
        hello,
      );
      expect(await exchange(scene.port, get)).toMatchObject({ status: 418, body: "no" });
      expect(scene.upstream.received).toBe("");
    }
  });

  test("response edits the answer, or replaces it", async () => {
    const body = `phase: "shape", response(x) {
      if (x.path === "/replace") return { status: 404, body: "gone" };
      x.response.setHeader("x-status", String(x.response.status));
    }`;
    using scene = await userScene(await filterOf(body), hello);
    expect(field(await exchange(scene.port, get), "x-status")).toBe("200");
    expect(await exchange(scene.port, get.replace("/a?b", "/replace"))).toMatchObject({ status: 404, body: "gone" });
  });

  test("bodies are changed both ways, with a promise or without", async () => {
    for (const how of ["", "async "]) {
      const upper = "(chunk) { return Buffer.from(Buffer.from(chunk).toString().toUpperCase()); }";
      const body = `phase: "shape", ${how}requestBody${upper}, ${how}responseBody${upper}`;
      using scene = await userScene(await filterOf(body), hello);
      expect((await exchange(scene.port, post)).body).toBe("HELLO");
      expect(strictRequests(scene.upstream.received).messages[0]?.body).toBe("HELLO");
    }
  });

  test("attempt asks again", async () => {
    const body = `phase: "attempt", async attempt(x, send) {
      const first = await send();
      if ("status" in first && first.status === 503) await send();
    }`;
    const answers = [ok("busy").replace("200 OK", "503 Busy"), ok("fine")];
    using scene = await userScene(
      await filterOf(body),
      doing((c) => c.send(answers.shift()!)),
    );
    expect(await exchange(scene.port, get)).toMatchObject({ status: 200, body: "fine" });
  });

  test("done comes once, and create keeps what it made", async () => {
    const body = `phase: "observe", create(config, { listener }) {
      let seen = 0;
      return {
        response(x) { x.response.setHeader("x-seen", listener + seen); },
        done() { seen++; },
      };
    }`;
    using scene = await userScene(await filterOf(body), hello);
    expect(field(await exchange(scene.port, get), "x-seen")).toBe("web0");
    expect(field(await exchange(scene.port, get), "x-seen")).toBe("web1");
  });
});

test("filters run in the order of the configuration, by phase first; answers pass them in reverse", async () => {
  const note = (phase: string) => `phase: "${phase}", config: z.strictObject({ n: z.string() }),
    request(x, { n }) { x.setHeader("x-way", (x.header("x-way") ?? "") + n); },
    response(x, { n }) { x.response.setHeader("x-way", (x.response.header("x-way") ?? "") + n); }`;
  folder.filter("note.ts", note("shape"));
  folder.filter("early.ts", note("observe"));
  const { config } = await folder.load(`
filters:
  - { use: ./note.ts, config: { n: a } }
  - { use: ./early.ts, config: { n: o } }
inbound:
  - listen: 127.0.0.1:1
    filters: [{ use: ./note.ts, config: { n: b } }]
    routes:
      - { to: "http://127.0.0.1:2", filters: [{ use: ./note.ts, config: { n: c } }] }
`);
  using scene = await userScene(config.inbound[0]!.routes[0]!.filters, hello);
  const answer = await exchange(scene.port, get);
  expect(scene.upstream.received).toContain("x-way: oabc\r\n");
  expect(field(answer, "x-way")).toBe("cbao");
});

test("a filter of one direction is left out of the other where it stands for all", async () => {
  folder.filter("in.ts", `phase: "shape", directions: ["inbound"], request() {}`);
  const listener = (port: number) => `[{ listen: "127.0.0.1:${port}", to: "http://127.0.0.1:9" }]`;
  const { config } = await folder.load(`filters: [./in.ts]\ninbound: ${listener(1)}\noutbound: ${listener(2)}`);
  expect([config.inbound[0]!.filters.length, config.outbound[0]!.filters.length]).toEqual([1, 0]);
});

/** What goes wrong, in which hook, and the word for it. */
const faults: readonly (readonly [string, string, string])[] = [
  ["throws", `request(x) { x.setHeader("x-half", "1"); throw new Error("no"); }`, "threw"],
  ["rejects", `async request(x) { x.setHeader("x-half", "1"); await 1; throw new Error("no"); }`, "threw"],
  ["is late", `async request(x) { x.setHeader("x-half", "1"); await new Promise(() => {}); }`, "late"],
  ["returns no reply", "request() { return true; }", "wrong"],
  ["returns null", "request() { return null; }", "wrong"],
  [
    "returns a reply that would break the framing",
    `request() { return { status: 200, headers: [["a", "b\\r\\n"]] }; }`,
    "wrong",
  ],
  ["throws at the answer", `response(x) { x.response.setHeader("x-half", "1"); throw new Error("no"); }`, "threw"],
  ["is late at the answer", "async response() { await new Promise(() => {}); }", "late"],
];

describe.each(faults)("a filter that %s", (_, hook, word) => {
  test("and must not be passed over: 503, and the rest of the connection is fine", async () => {
    using scene = await userScene(await filterOf(`phase: "shape", ${hook}`, ", budget: 30ms"), hello);
    const answer = await exchange(scene.port, get);
    expect([answer.status, codeOf(answer)]).toEqual([503, "filter_failed"]);
    const said = scene.engine.thread.events.filter(({ event }) => event === "filter_failed");
    expect(said.map(({ fields }) => [fields.fault, fields.filter])).toEqual([[word, `f${made}`]]);
  });

  test("and may be: as if it were not there", async () => {
    const filters = await filterOf(`phase: "shape", ${hook}`, ", budget: 30ms, onError: skip");
    using scene = await userScene(filters, hello);
    const answer = await exchange(scene.port, get);
    expect([answer.status, answer.body, field(answer, "x-half")]).toEqual([200, "hello", undefined]);
    expect(scene.upstream.received).not.toContain("x-half");
  });
});

describe("a body hook that fails", () => {
  const cases = [
    ["throws", `responseBody() { throw new Error("no"); }`],
    ["is late", "responseBody() { return new Promise(() => {}); }"],
    ["returns a text", `responseBody() { return "text"; }`],
    ["returns nothing", "responseBody() {}"],
  ] as const;

  test.each(cases)("and %s breaks the answer that has begun", async (_, hook) => {
    using scene = await userScene(await filterOf(`phase: "shape", ${hook}`, ", budget: 30ms"), hello);
    const answer = await exchange(scene.port, get);
    expect(answer.body).not.toBe("hello");
    expect(scene.engine.thread.codes).toEqual(["filter_failed"]);
  });

  test.each(cases)("and %s is passed over while it has changed nothing", async (_, hook) => {
    const filters = await filterOf(`phase: "shape", ${hook}`, ", budget: 30ms, onError: skip");
    using scene = await userScene(filters, hello);
    expect(await exchange(scene.port, get)).toMatchObject({ status: 200, body: "hello" });
  });

  /** An answer whose body comes in three pieces, far enough apart to be read one by one. */
  const inPieces: Script = doing((connection) => {
    const pieces = [ok("onetwosix").replace("onetwosix", "one"), "two", "six"];
    for (const [at, piece] of pieces.entries()) setTimeout(() => connection.send(piece), 30 * at);
  });

  test("in the middle is passed over from there on, if all before went as it came", async () => {
    const body = `phase: "shape", responseBody(chunk) {
      if (Buffer.from(chunk).includes("two")) throw new Error("no");
      return chunk;
    }`;
    using scene = await userScene(await filterOf(body, ", onError: skip"), inPieces);
    expect((await exchange(scene.port, get)).body).toBe("onetwosix");
  });

  test.each([
    ["changed a piece", `Buffer.from("ONE")`],
    ["held a piece back", "null"],
  ])("after it %s breaks the answer: never half of one form and half of another", async (_, first) => {
    const body = `phase: "shape", responseBody(chunk) {
      if (Buffer.from(chunk).includes("two")) throw new Error("no");
      return ${first};
    }`;
    using scene = await userScene(await filterOf(body, ", onError: skip"), inPieces);
    const answer = await exchange(scene.port, get);
    expect(answer.message?.body).toBeUndefined();
    expect(scene.engine.thread.codes).toEqual(["filter_failed"]);
  });
});

describe("an attempt hook that fails", () => {
  const cases = [
    ["before it sent", `async attempt() { throw new Error("no"); }`],
    ["after it sent", `async attempt(x, send) { await send(); throw new Error("no"); }`],
    ["while it sends", `async attempt(x, send) { void send(); throw new Error("no"); }`],
    ["by not sending", "async attempt() {}"],
  ] as const;

  test.each(cases)("%s: 503 where it must not be passed over", async (_, hook) => {
    using scene = await userScene(await filterOf(`phase: "attempt", ${hook}`), hello);
    expect((await exchange(scene.port, get)).status).toBe(503);
  });

  test.each(cases)("%s: one request is sent where it may be", async (_, hook) => {
    using scene = await userScene(await filterOf(`phase: "attempt", ${hook}`, ", onError: skip"), hello);
    expect(await exchange(scene.port, get)).toMatchObject({ status: 200, body: "hello" });
    expect(strictRequests(scene.upstream.received).messages).toHaveLength(1);
  });
});

describe("a filter that fails again and again", () => {
  const failing = `phase: "shape", request(x) { if (x.path !== "/fine") throw new Error("no"); x.setHeader("x-ran", "1"); }`;
  const fine = get.replace("/a?b", "/fine");

  async function failOften(port: number, times: number): Promise<void> {
    for (let i = 0; i < times; i++) await exchange(port, get);
  }

  test("is stopped: its requests are answered 503 also where it would not fail, and no code of it runs", async () => {
    using scene = await userScene(await filterOf(failing), hello);
    await failOften(scene.port, mostFaults);
    const answer = await exchange(scene.port, fine);
    expect([answer.status, codeOf(answer)]).toEqual([503, "filter_failed"]);
    expect(scene.upstream.received).toBe("");
    const { events, counted } = scene.engine.thread;
    expect(events.filter(({ event }) => event === "filter_failed")).toHaveLength(mostFaults);
    expect(events.filter(({ event }) => event === "filter_stopped")).toHaveLength(1);
    expect(counted.get(`outrigger_filter_stopped{filter=f${made},listener=web}`)).toBe(1);
  });

  test("is switched off where it may be passed over", async () => {
    using scene = await userScene(await filterOf(failing, ", onError: skip"), hello);
    await failOften(scene.port, mostFaults);
    expect(await exchange(scene.port, fine)).toMatchObject({ status: 200, body: "hello" });
    expect(scene.upstream.received).not.toContain("x-ran");
  });

  test("is not stopped by faults with calls between them that go well", async () => {
    using scene = await userScene(await filterOf(failing), hello);
    for (let i = 0; i < 3; i++) {
      await failOften(scene.port, mostFaults - 1);
      expect((await exchange(scene.port, fine)).status).toBe(200);
    }
  });

  test("stays stopped over a reload that does not change it, and starts again with one that does", async () => {
    const filters = await filterOf(failing);
    using scene = await userScene(filters, hello);
    await failOften(scene.port, mostFaults);
    const [route] = [{ kind: "respond", respond: { status: 200, headers: [], body: undefined } } as const];
    await scene.engine.apply({ routes: route, filters });
    expect((await exchange(scene.port, fine)).status).toBe(503);
    folder.filter(`f${made}.ts`, `${failing}, doc: "Another version."`);
    const changed = await folder.filters(`  - ./f${made}.ts`);
    await scene.engine.apply({ routes: route, filters: changed });
    expect((await exchange(scene.port, fine)).status).toBe(200);
  });

  test("is stopped by its answers too, without a request hook", async () => {
    using scene = await userScene(await filterOf(`phase: "shape", response() { throw new Error("no"); }`), hello);
    await failOften(scene.port, mostFaults);
    const before = scene.upstream.received.length;
    expect((await exchange(scene.port, get)).status).toBe(503);
    expect(scene.upstream.received.length).toBe(before);
  });

  test("in done changes no answer, and is stopped too", async () => {
    using scene = await userScene(await filterOf(`phase: "observe", done() { throw new Error("no"); }`), hello);
    for (let i = 0; i < mostFaults; i++) expect((await exchange(scene.port, get)).status).toBe(200);
    expect((await exchange(scene.port, get)).status).toBe(503);
  });
});

test("a client that leaves while a hook waits is no fault of the filter", async () => {
  const body = `phase: "shape", request(x) {
    return new Promise((_, reject) => x.signal.addEventListener("abort", () => reject(new Error("left"))));
  }`;
  using scene = await userScene(await filterOf(body), hello);
  const socket = await Bun.connect({ hostname: "127.0.0.1", port: scene.port, socket: { data() {} } });
  socket.write(get);
  await Bun.sleep(50);
  socket.terminate();
  await Bun.sleep(100);
  expect(scene.engine.thread.events.filter(({ event }) => event === "filter_failed")).toEqual([]);
});

test("a filter whose create fails refuses the whole change", async () => {
  const filters = await filterOf(`phase: "shape", create() { throw new Error("no disk"); }`);
  expect(userScene(filters, hello)).rejects.toThrow(
    `filter f${made} (${folder.folder}/f${made}.ts) could not be made: no disk`,
  );
});
