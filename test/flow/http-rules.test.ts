import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Respond } from "../../src/config/schema.ts";
import type { Field } from "../../src/contracts.ts";
import { App, ok } from "../kit/app.ts";
import { Flow, type FlowOptions, type ListenerWish, type RouteWish } from "../kit/flow.ts";
import { ask, readAnswer } from "../kit/message.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const folder = mkdtempSync(join(tmpdir(), "http-rules-"));
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let app: App;
let flow: Flow;

afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  app?.stop();
  flow.stop();
});

async function start(wish: ListenerWish, options?: FlowOptions): Promise<Wire> {
  flow = await Flow.start([wish], options);
  return flow.connect();
}

async function behind(wish: ListenerWish = {}, answer = ok("x"), options?: FlowOptions): Promise<Wire> {
  app = App.answering(() => answer);
  return start({ to: app.port, ...wish }, options);
}

function names({ fields }: { fields: readonly Field[] }): string[] {
  return fields.map(([name]) => name);
}

describe("fixed replies", () => {
  const page = join(folder, "page.html");
  const routes: RouteWish[] = [
    {
      match: { path: { exact: "/hello" } },
      respond: {
        status: 200,
        headers: [["content-type", "text/html; charset=utf-8"]],
        body: { text: "<h1>héllo</h1>" },
      },
    },
    {
      match: { path: { exact: "/page" } },
      respond: {
        status: 203,
        headers: [
          ["X-A", "1"],
          ["X-A", "2"],
          ["Server", "mine"],
        ],
        body: { file: page },
      },
    },
    { match: { path: { exact: "/empty" } }, respond: { status: 200, headers: [], body: undefined } },
    { match: { path: { exact: "/none" } }, respond: { status: 204, headers: [], body: undefined } },
    { match: { path: { exact: "/odd" } }, respond: { status: 799, headers: [], body: { text: "odd" } } },
  ];

  test("have their status, fields, length and date, and nothing else", async () => {
    await Bun.write(page, "<p>from a file</p>");
    const client = await start({ routes });
    const hello = await ask(client, get.replace("/ ", "/hello?a=b "));
    expect(hello.head.start).toBe("HTTP/1.1 200 OK");
    expect(Buffer.from(hello.text, "latin1").toString()).toBe("<h1>héllo</h1>");
    expect(names(hello.head)).toEqual(["content-type", "server", "date", "content-length"]);
    expect(Math.abs(Date.parse(hello.head.field("date")!) - Date.now())).toBeLessThan(5000);
    const file = await ask(client, get.replace("/ ", "/page "));
    expect(file.head.fields.slice(0, 3)).toEqual([
      ["X-A", "1"],
      ["X-A", "2"],
      ["Server", "mine"],
    ]);
    expect([file.head.status, file.text, file.head.all("server")]).toEqual([203, "<p>from a file</p>", ["mine"]]);
    expect((await ask(client, get.replace("/ ", "/empty "))).head.field("content-length")).toBe("0");
    expect((await ask(client, get.replace("/ ", "/none "))).head.field("content-length")).toBeUndefined();
    expect((await ask(client, get.replace("/ ", "/odd "))).head.status).toBe(799);
  });

  test("answer HEAD with the length and without the body", async () => {
    const client = await start({ routes });
    for (let i = 0; i < 3; i++) {
      const { head } = await ask(client, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
      expect([head.status, head.field("content-length")]).toEqual([200, "15"]);
    }
    expect((await ask(client, get.replace("/ ", "/empty "))).head.status).toBe(200);
  });

  const post = (fields: string) => `POST /hello HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

  test.each([0, 4, 65_536])("drop a body of %i bytes, and the connection goes on", async (length) => {
    const client = await start({ routes });
    const body = "GET /page HTTP/1.1\r\n\r\n".repeat(3000).slice(0, length);
    await client.send(post(`Content-Length: ${length}\r\n`));
    expect((await readAnswer(client)).head.field("connection")).toBeUndefined(); // before any of the body
    await client.send(body.slice(0, 3));
    await Bun.sleep(5);
    await client.send(`${body.slice(3)}${post(`Content-Length: ${length}\r\n`)}${body}${get.replace("/ ", "/empty ")}`);
    expect((await readAnswer(client)).text).toBe("<h1>h\xc3\xa9llo</h1>");
    expect((await readAnswer(client)).head.field("content-length")).toBe("0");
    client.finish();
    expect(await client.rest()).toBe("");
  });

  test.each([
    ["larger than what is dropped", post("Content-Length: 65537\r\n")],
    ["of no declared length", `${post("Transfer-Encoding: chunked\r\n")}1\r\nx\r\n`],
    ["that may never come", post("Content-Length: 4\r\nExpect: 100-continue\r\n")],
  ])("leave a body unread that is %s, so the connection ends", async (_, request) => {
    const client = await start({ routes });
    const { head } = await ask(client, request);
    expect([head.status, head.field("connection")]).toEqual([200, "close"]);
    expect(await client.ending()).toBe("fin");
  });

  test("do not wait for ever for a body that is to be dropped", async () => {
    const client = await start({ routes, timeouts: { headMs: 200 } });
    await ask(client, `${post("Content-Length: 4\r\n")}bo`);
    expect(await client.ending(3000)).toBe("fin");
    const left = await flow.connect();
    await ask(left, `${post("Content-Length: 4\r\n")}bo`);
    left.finish();
    expect(await left.ending(3000)).toBe("fin");
    await flow.quiet();
  });
});

describe("routes", () => {
  const reply = (text: string): Respond => ({ status: 200, headers: [], body: { text } });
  const routes: RouteWish[] = [
    { match: { path: { exact: "/a" } }, respond: reply("exact") },
    { match: { path: { prefix: "/a/" } }, respond: reply("prefix") },
    { match: { path: { exact: "/m" }, methods: ["POST", "PUT"] }, respond: reply("method") },
    { match: { headers: [{ name: "x-b", equals: "1" }] }, respond: reply("equals") },
    {
      match: {
        headers: [
          { name: "x-b", present: true },
          { name: "x-c", present: false },
        ],
      },
      respond: reply("present"),
    },
    { match: { headers: [{ name: "x-d", matches: /^v[0-9]+$/ }] }, respond: reply("matches") },
    { match: { path: { exact: "/m" } }, respond: reply("second") },
  ];

  test.each([
    ["GET /a", "", "exact"],
    ["GET /a?b=/a/", "", "exact"],
    ["GET /a/", "", "prefix"],
    ["GET /a/b/c?d", "", "prefix"],
    ["GET /ab", "", 404],
    ["GET /A", "", 404],
    ["GET /", "", 404],
    ["GET //a", "", 404],
    ["GET http://b/a", "", "exact"],
    ["POST /m", "", "method"],
    ["GET /m", "", "second"],
    ["post /m", "", "second"],
    ["GET /b", "X-B: 1\r\n", "equals"],
    ["GET /b", "x-b:   1  \r\n", "equals"],
    ["GET /b", "X-B: 2\r\n", "present"],
    ["GET /b", "X-B: 1\r\nX-B: 1\r\n", "present"],
    ["GET /b", "X-B: 2\r\nX-C: \r\n", 404],
    ["GET /b", "X-D: v12\r\n", "matches"],
    ["GET /b", "X-D: v12x\r\n", 404],
    ["OPTIONS *", "", 404],
  ])("%s with %j is for %s", async (line, fields, expected) => {
    const client = await start({ routes });
    const { head, text } = await ask(client, `${line} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    expect(expected === 404 ? head.status : text).toBe(expected);
    expect((await ask(client, get.replace("/ ", "/a "))).text).toBe("exact");
  });

  test("without a match is 404 no_route, counted under no route", async () => {
    const client = await start({ routes });
    const { text, head } = await ask(client, get.replace("/ ", "/none?secret=1 "));
    expect(JSON.parse(text)).toMatchObject({ status: 404, code: "no_route", detail: "GET /none" });
    expect(head.field("connection")).toBeUndefined();
    expect(flow.values.get('outrigger_requests_total{direction="inbound",listener="web",route="-",class="4xx"}')).toBe(
      1,
    );
  });
});

describe("limits on heads", () => {
  const limits = { headBytes: 2000, headFields: 10 };
  const fields = (count: number) => Array.from({ length: count }, (_, at) => `X-${at}: y\r\n`).join("");

  test.each([
    ["bytes", `X: ${"x".repeat(2000)}\r\n`, "head_too_large"],
    ["fields", fields(11), "head_too_large"],
  ])("in %s hold for requests", async (_, lines, code) => {
    const client = await behind({}, ok("x"), { limits });
    const { head, text } = await ask(client, `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    expect([head.status, JSON.parse(text).code]).toEqual([431, code]);
    expect(await client.ending()).toBe("fin");
  });

  test.each([
    ["bytes", `X: ${"x".repeat(2000)}\r\n`],
    ["fields", fields(11)],
  ])("in %s hold for answers", async (_, lines) => {
    const client = await behind({}, ok("x", lines), { limits });
    const { head, text } = await ask(client);
    expect([head.status, JSON.parse(text).code]).toEqual([502, "upstream_head_too_large"]);
  });
});

describe("bodies above maxBody", () => {
  const limited = { maxBodyBytes: 1000 };
  const post = (framing: string, body: string) => `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`;
  const chunks = (bytes: number, size: number) =>
    `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`.repeat(bytes / size);

  test("by Content-Length are refused before a byte is forwarded", async () => {
    const client = await behind(limited);
    const { head, text } = await ask(client, post("Content-Length: 1001", ""));
    expect([head.status, head.field("connection")]).toEqual([413, "close"]);
    expect(JSON.parse(text)).toMatchObject({
      code: "body_too_large",
      detail: "1001 bytes are declared; 1000 are allowed",
    });
    expect(await client.ending()).toBe("fin");
    expect(app.wires).toHaveLength(0);
  });

  test("by chunks are refused where they cross it, and the upstream sees a broken request", async () => {
    const client = await behind(limited);
    await client.send(post("Transfer-Encoding: chunked", chunks(900, 100)));
    await until(() => app.wires[0] !== undefined && app.wires[0].receivedBytes > 900);
    await client.send(chunks(200, 100));
    expect(JSON.parse((await readAnswer(client)).text)).toMatchObject({ code: "body_too_large" });
    expect(await client.ending()).toBe("fin");
    expect(await app.wires[0]!.ending()).toBe("reset");
    expect(app.requests).toHaveLength(0);
  });

  test("do not include those of exactly that size, however they are cut", async () => {
    const client = await behind(limited);
    expect((await ask(client, post("Content-Length: 1000", "x".repeat(1000)))).text).toBe("x");
    for (const size of [1000, 10, 1]) {
      expect(
        (await ask(client, post("Transfer-Encoding: chunked", `${chunks(1000, size)}0\r\nX-T: 1\r\n\r\n`))).text,
      ).toBe("x");
    }
    expect(app.requests.map(({ length }) => length)).toEqual([1000, 1000, 1000, 1000]);
  });
});

describe("overload", () => {
  test("refuses requests while memory is short, and takes them again", async () => {
    let resident = 0;
    app = App.answering(() => ok("x"));
    flow = await Flow.start([{ to: app.port }], { memoryLimitBytes: 100, residentBytes: () => resident });
    resident = 101;
    await until(async () => {
      const { head, text } = await ask(await flow.connect());
      if (head.status === 200) return false;
      expect([head.status, JSON.parse(text).code, head.field("connection")]).toEqual([503, "overloaded", "close"]);
      return true;
    });
    resident = 99;
    await until(async () => (await ask(await flow.connect())).head.status === 200);
  });

  test("refuses connections above the limit with 503, and takes them again", async () => {
    app = App.answering(() => ok("x"));
    flow = await Flow.start([{ to: app.port }], { maxConnections: 2 });
    const inside = [await flow.connect(), await flow.connect()];
    for (const client of inside) expect((await ask(client)).text).toBe("x");
    for (let i = 0; i < 3; i++) {
      const outside = await flow.connect();
      const { head, text } = await readAnswer(outside); // without having asked anything
      expect([head.status, JSON.parse(text).code]).toEqual([503, "overloaded"]);
      expect(await outside.ending()).toBe("fin");
    }
    expect(flow.named("connections_over_limit")).toEqual([{ listener: "web", limit: 2 }]);
    expect((await ask(inside[0]!)).text).toBe("x");
    inside[1]!.close();
    await until(() => flow.traffic.active.connections === 1);
    expect((await ask(await flow.connect())).text).toBe("x");
  });
});
