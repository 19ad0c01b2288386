import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import type { Respond } from "../../src/config/schema.ts";
import type { Field, FilterDefinition } from "../../src/contracts.ts";
import { App, chunkedOk, ok } from "../kit/app.ts";
import { Flow, type FlowOptions, type ListenerWish, type RouteWish } from "../kit/flow.ts";
import { type Answer, type Head, readAnswer } from "../kit/message.ts";
import { deadPort } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

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

async function ask(client: Wire, request = get): Promise<Answer> {
  await client.send(request);
  return readAnswer(client, request.split(" ")[0]);
}

/** The head the app received, in answer to a request with these fields. */
async function asSeen(client: Wire, fields: string, line = "GET / HTTP/1.1"): Promise<Head> {
  await ask(client, `${line}\r\n${fields}\r\n`);
  return app.requests.at(-1)!.head;
}

function names({ fields }: { fields: readonly Field[] }): string[] {
  return fields.map(([name]) => name);
}

describe("fixed replies", () => {
  const page = join(folder, "page.html");
  const routes: RouteWish[] = [
    { match: { path: { exact: "/hello" } }, respond: { status: 200, headers: [["content-type", "text/html; charset=utf-8"]], body: { text: "<h1>héllo</h1>" } } },
    { match: { path: { exact: "/page" } }, respond: { status: 203, headers: [["X-A", "1"], ["X-A", "2"], ["Server", "mine"]], body: { file: page } } },
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
    expect(file.head.fields.slice(0, 3)).toEqual([["X-A", "1"], ["X-A", "2"], ["Server", "mine"]]);
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

  test("leave a request's body unread, so the connection ends", async () => {
    const client = await start({ routes });
    const { head } = await ask(client, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    expect([head.status, head.field("connection")]).toEqual([200, "close"]);
    expect(await client.ending()).toBe("fin");
  });
});

describe("routes", () => {
  const reply = (text: string): Respond => ({ status: 200, headers: [], body: { text } });
  const routes: RouteWish[] = [
    { match: { path: { exact: "/a" } }, respond: reply("exact") },
    { match: { path: { prefix: "/a/" } }, respond: reply("prefix") },
    { match: { path: { exact: "/m" }, methods: ["POST", "PUT"] }, respond: reply("method") },
    { match: { headers: [{ name: "x-b", equals: "1" }] }, respond: reply("equals") },
    { match: { headers: [{ name: "x-b", present: true }, { name: "x-c", present: false }] }, respond: reply("present") },
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
    expect(flow.values.get('outrigger_requests_total{direction="inbound",listener="web",route="-",class="4xx"}')).toBe(1);
  });
});

describe("requests in", () => {
  test("keep Host and every field in its place and spelling, and say where they come from", async () => {
    const client = await behind();
    const head = await asSeen(client, "HOST: Shop.example:81\r\nX-UPPER: a\r\naccept:  b \r\nX-Upper: c\r\nEmpty:\r\n");
    expect(head.start).toBe("GET / HTTP/1.1");
    expect(head.fields).toEqual([
      ["HOST", "Shop.example:81"],
      ["X-UPPER", "a"],
      ["accept", "b"],
      ["X-Upper", "c"],
      ["Empty", ""],
      ["x-forwarded-for", "127.0.0.1"],
      ["x-forwarded-proto", "http"],
      ["via", "1.1 outrigger"],
      ["x-request-id", expect.stringMatching(/^0-[0-9a-f]+-1$/)],
    ]);
  });

  const claims =
    "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Request-ID: theirs\r\nVia: 1.0 cache\r\n";

  test("lose what an untrusted peer claims", async () => {
    const head = await asSeen(await behind(), `Host: a\r\n${claims}X: y\r\n`);
    expect(head.fields.slice(0, 6)).toEqual([
      ["Host", "a"],
      ["Via", "1.0 cache"],
      ["X", "y"],
      ["x-forwarded-for", "127.0.0.1"],
      ["x-forwarded-proto", "http"],
      ["via", "1.1 outrigger"],
    ]);
    expect(head.fields).toHaveLength(7);
    expect(head.field("x-request-id")).not.toBe("theirs");
  });

  test("keep what a trusted peer claims, and add the peer", async () => {
    const client = await behind({ trust: ["127.0.0.1"] });
    const head = await asSeen(client, `Host: a\r\n${claims}`);
    expect(head.field("x-forwarded-for")).toBe("6.6.6.6, 7.7.7.7, 127.0.0.1");
    expect(head.field("x-forwarded-proto")).toBe("https");
    expect(head.field("x-forwarded-host")).toBe("evil");
    expect(head.field("forwarded")).toBe("for=6.6.6.6");
    expect(head.field("x-request-id")).toBe("theirs");
    expect(head.all("via")).toEqual(["1.0 cache", "1.1 outrigger"]);
  });

  test("from a trusted peer without claims are treated as anybody's; an id that is too long is replaced", async () => {
    const client = await behind({ trust: ["127.0.0.1"] });
    const plain = await asSeen(client, "Host: a\r\n");
    expect([plain.field("x-forwarded-for"), plain.field("x-forwarded-proto")]).toEqual(["127.0.0.1", "http"]);
    const long = await asSeen(client, `Host: a\r\nX-Request-ID: ${"i".repeat(129)}\r\n`);
    expect(long.field("x-request-id")).toMatch(/^0-/);
  });

  test("are trusted by range, not by what looks like it", async () => {
    for (const range of ["127.0.0.2", "128.0.0.0/8", "::1"]) {
      const client = await behind({ trust: [range] });
      expect((await asSeen(client, `Host: a\r\n${claims}`)).field("x-forwarded-for")).toBe("127.0.0.1");
      app.stop();
      flow.stop();
    }
    expect((await asSeen(await behind({ trust: ["127.0.0.0/30"] }), `Host: a\r\n${claims}`)).field("x-forwarded-for")).toContain("6.6.6.6");
  });

  test("in absolute form go on in origin form, with that authority for Host", async () => {
    const client = await behind();
    const head = await asSeen(client, "Host: other\r\nX: y\r\n", "GET http://shop.example:81?q HTTP/1.1");
    expect(head.start).toBe("GET /?q HTTP/1.1");
    expect(head.all("host")).toEqual(["shop.example:81"]);
  });

  test("lose what concerns one hop only", async () => {
    const head = await asSeen(
      await behind(),
      "Host: a\r\nConnection: close, X-Mine\r\nConnection: te\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Mine: 1\r\nX-Yours: 2\r\n",
    );
    expect(names(head).slice(0, -4)).toEqual(["Host", "X-Yours"]);
  });

  test("cannot have framing or Host taken out by Connection", async () => {
    const client = await behind();
    await ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: content-length, host\r\n\r\nbody");
    expect(app.requests[0]!.text).toBe("body");
    expect(app.requests[0]!.head.field("host")).toBe("a");
  });
});

describe("calls out", () => {
  test("go under the target's name, with nothing added", async () => {
    const client = await behind({ direction: "outbound" });
    const head = await asSeen(client, "X-A: 1\r\nHost: 127.0.0.1:7979\r\nX-Forwarded-For: 9.9.9.9\r\nX-Request-ID: mine\r\n");
    expect(head.fields).toEqual([
      ["Host", `127.0.0.1:${app.port}`],
      ["X-A", "1"],
      ["X-Forwarded-For", "9.9.9.9"],
      ["X-Request-ID", "mine"],
    ]);
  });

  test("in absolute form and without Host, too", async () => {
    const client = await behind({ direction: "outbound" });
    expect((await asSeen(client, "Host: b\r\n", "GET http://b/x HTTP/1.1")).fields).toEqual([["Host", `127.0.0.1:${app.port}`]]);
    expect((await asSeen(client, "Connection: keep-alive\r\n", "GET /x HTTP/1.0")).fields).toEqual([["Host", `127.0.0.1:${app.port}`]]);
  });
});

describe("a filter that sets Host", () => {
  const naming: FilterDefinition = {
    kind: "filter",
    name: "naming",
    doc: "Sets Host.",
    phase: "shape",
    order: 1,
    directions: ["inbound", "outbound"],
    config: undefined as never,
    create: () => ({ request: (x) => x.setHeader("host", "named") }),
  };

  test.each([
    ["inbound", "GET / HTTP/1.1", "Host: a\r\n"],
    ["inbound", "GET http://b/ HTTP/1.1", "Host: a\r\n"],
    ["inbound", "GET / HTTP/1.0", ""],
    ["outbound", "GET / HTTP/1.1", "Host: a\r\n"],
  ] as const)("leaves one of it (%s, %s)", async (direction, line, fields) => {
    const client = await behind({ direction, policies: { naming: {} } }, ok("x"), { filters: { naming } });
    expect((await asSeen(client, fields, line)).all("host")).toEqual(["named"]);
  });
});

describe("answers", () => {
  test("come as they are, without what concerns one hop only", async () => {
    const client = await behind(
      {},
      ok("x", "Server: app\r\nX-A: 1\r\nConnection: keep-alive, x-b\r\nX-B: 2\r\nKeep-Alive: timeout=9\r\nUpgrade: h2c\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n", "299 Fine  by me"),
    );
    const { head } = await ask(client);
    expect(head.start).toBe("HTTP/1.1 299 Fine  by me");
    expect(head.fields).toEqual([
      ["Server", "app"],
      ["X-A", "1"],
      ["Set-Cookie", "a"],
      ["Set-Cookie", "b"],
      ["Content-Length", "1"],
    ]);
  });

  test("keep octets that are not ASCII", async () => {
    const client = await behind({}, ok("x", "X-A: caf\xe9 \xff\r\n"));
    const { head } = await ask(client, "GET / HTTP/1.1\r\nHost: a\r\nX-B: \xfcber\r\n\r\n");
    expect(head.field("x-a")).toBe("caf\xe9 \xff");
    expect(app.requests[0]!.head.field("x-b")).toBe("\xfcber");
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

describe("bytes of body", () => {
  const seen: (readonly [number, number])[] = [];
  const counting: FilterDefinition = {
    kind: "filter",
    name: "counting",
    doc: "Sees how much there was.",
    phase: "observe",
    order: 1,
    directions: ["inbound"],
    config: undefined as never,
    create: () => ({ done: (x) => void seen.push([x.bytesIn, x.bytesOut]) }),
  };

  test.each([
    ["GET", "", "", ok("four"), [0, 4]],
    ["HEAD", "", "", ok("four"), [0, 0]],
    ["POST", "Content-Length: 3\r\n", "abc", chunkedOk(["fo", "ur"]), [3, 4]],
    ["POST", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n2;x\r\nbc\r\n0\r\nT: 1\r\n\r\n", ok("four"), [3, 4]],
  ] as const)("are counted without framing: %s %s", async (method, fields, body, answer, counts) => {
    seen.length = 0;
    const client = await behind({ policies: { counting: {} } }, answer, { filters: { counting } });
    await ask(client, `${method} / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`);
    await until(() => seen.length === 1);
    expect(seen).toEqual([counts]);
  });
});

describe("failures", () => {
  test("for gRPC are a trailers-only answer", async () => {
    const client = await start({ to: deadPort() });
    const { head, length } = await ask(client, "POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc+proto\r\nContent-Length: 0\r\n\r\n");
    expect([head.status, length]).toEqual([200, 0]);
    expect(head.fields.slice(0, 3)).toEqual([
      ["content-type", "application/grpc"],
      ["grpc-status", "14"],
      ["grpc-message", "The upstream refused the connection or could not be reached."],
    ]);
  });

  test("carry the id of a trusted peer's request", async () => {
    const client = await start({ to: deadPort(), trust: ["127.0.0.1"] });
    const { head, text } = await ask(client, 'GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: a"b\r\n\r\n');
    expect(head.field("x-request-id")).toBe('a"b');
    expect(JSON.parse(text).requestId).toBe('a"b');
  });

  test("answer HEAD without a body", async () => {
    const client = await start({ to: deadPort() });
    for (let i = 0; i < 2; i++) expect((await ask(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")).head.status).toBe(502);
  });

  const elsewhere = Object.values(networkInterfaces())
    .flat()
    .filter((found) => found !== undefined && !found.internal && found.family === "IPv4")
    .map((found) => found!.address);

  // A machine that has only its loopback has no stranger to offer.
  test.each(elsewhere)("hide their detail from a stranger (%s)", async (address) => {
    flow = await Flow.start([{ to: deadPort(), everywhere: true }]);
    const stranger = await ask(await Wire.connect(flow.port(), address));
    expect(JSON.parse(stranger.text)).toMatchObject({ code: "upstream_unreachable" });
    expect(JSON.parse(stranger.text).detail).toBeUndefined();
    await flow.reload([{ to: deadPort(), everywhere: true, trust: [`${address}/32`] }]);
    expect(JSON.parse((await ask(await Wire.connect(flow.port(), address))).text).detail).toContain("ECONNREFUSED");
    const home = await ask(await Wire.connect(flow.port(), "127.0.0.1"));
    expect(JSON.parse(home.text).detail).toContain("ECONNREFUSED");
  });
});

describe("bodies above maxBody", () => {
  const limited = { maxBodyBytes: 1000 };
  const post = (framing: string, body: string) => `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`;
  const chunks = (bytes: number, size: number) => `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`.repeat(bytes / size);

  test("by Content-Length are refused before a byte is forwarded", async () => {
    const client = await behind(limited);
    const { head, text } = await ask(client, post("Content-Length: 1001", ""));
    expect([head.status, head.field("connection")]).toEqual([413, "close"]);
    expect(JSON.parse(text)).toMatchObject({ code: "body_too_large", detail: "1001 bytes are declared; 1000 are allowed" });
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
      expect((await ask(client, post("Transfer-Encoding: chunked", `${chunks(1000, size)}0\r\nX-T: 1\r\n\r\n`))).text).toBe("x");
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
