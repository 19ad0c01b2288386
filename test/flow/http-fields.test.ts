import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import type { Field, FilterDefinition } from "../../src/contracts.ts";
import { App, chunkedOk, ok } from "../kit/app.ts";
import { Flow, type FlowOptions, type ListenerWish } from "../kit/flow.ts";
import { ask, type Head } from "../kit/message.ts";
import { deadPort } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

const folder = mkdtempSync(join(tmpdir(), "http-rules-"));
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

/** The head the app received, in answer to a request with these fields. */
async function asSeen(client: Wire, fields: string, line = "GET / HTTP/1.1"): Promise<Head> {
  await ask(client, `${line}\r\n${fields}\r\n`);
  return app.requests.at(-1)!.head;
}

function names({ fields }: { fields: readonly Field[] }): string[] {
  return fields.map(([name]) => name);
}

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
      ["x-request-id", expect.stringMatching(/^0-[0-9a-f]+-01$/)],
    ]);
  });

  test.each([1, 4000, 65_300, 65_480])("arrive whole with a field of %d bytes, of any characters", async (size) => {
    const value = "\xe9\xff!~\t"
      .repeat(size / 5 + 1)
      .slice(0, size - 1)
      .concat("x");
    const head = await asSeen(await behind(), `Host: a\r\nX: ${value}\r\n`);
    expect(head.fields.find(([name]) => name === "X")?.[1]).toBe(value);
    expect(names(head)).toEqual(["Host", "X", "x-forwarded-for", "x-forwarded-proto", "via", "x-request-id"]);
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
    expect(
      (await asSeen(await behind({ trust: ["127.0.0.0/30"] }), `Host: a\r\n${claims}`)).field("x-forwarded-for"),
    ).toContain("6.6.6.6");
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
    await ask(
      client,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: content-length, host\r\n\r\nbody",
    );
    expect(app.requests[0]!.text).toBe("body");
    expect(app.requests[0]!.head.field("host")).toBe("a");
  });
});

describe("calls out", () => {
  test("go under the target's name, with nothing added", async () => {
    const client = await behind({ direction: "outbound" });
    const head = await asSeen(
      client,
      "X-A: 1\r\nHost: 127.0.0.1:7979\r\nX-Forwarded-For: 9.9.9.9\r\nX-Request-ID: mine\r\n",
    );
    expect(head.fields).toEqual([
      ["Host", `127.0.0.1:${app.port}`],
      ["X-A", "1"],
      ["X-Forwarded-For", "9.9.9.9"],
      ["X-Request-ID", "mine"],
    ]);
  });

  test("in absolute form and without Host, too", async () => {
    const client = await behind({ direction: "outbound" });
    expect((await asSeen(client, "Host: b\r\n", "GET http://b/x HTTP/1.1")).fields).toEqual([
      ["Host", `127.0.0.1:${app.port}`],
    ]);
    expect((await asSeen(client, "Connection: keep-alive\r\n", "GET /x HTTP/1.0")).fields).toEqual([
      ["Host", `127.0.0.1:${app.port}`],
    ]);
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
      ok(
        "x",
        "Server: app\r\nX-A: 1\r\nConnection: keep-alive, x-b\r\nX-B: 2\r\nKeep-Alive: timeout=9\r\nUpgrade: h2c\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n",
        "299 Fine  by me",
      ),
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

describe("failures", () => {
  test("for gRPC are a trailers-only answer", async () => {
    const client = await start({ to: deadPort() });
    const { head, length } = await ask(
      client,
      "POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc+proto\r\nContent-Length: 0\r\n\r\n",
    );
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
