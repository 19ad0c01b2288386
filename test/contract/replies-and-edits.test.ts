/** What a filter may say: replies instead of the upstream's answer, and edits of fields that cannot break the framing. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Exchange, Field, Reply } from "../../src/contracts.ts";
import { forwardTo } from "../kit/engine.ts";
import { closeScenes, filterOf, sceneOf } from "../kit/filters.ts";
import { answering, ask, ok, rawClient } from "../kit/raw.ts";
import { type StrictMessage, statusOf, strictAnswers, strictRequests, valuesOf } from "../kit/strict.ts";
import { until } from "../kit/until.ts";

afterEach(closeScenes);

const last = "Connection: close\r\n\r\n";
const get = `GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\nY: 3\r\n${last}`;

function onlyAnswer(received: string): StrictMessage {
  const { messages, rest, fault } = strictAnswers(received, [], true);
  expect({ rest, fault, count: messages.length }).toEqual({ rest: "", fault: undefined, count: 1 });
  return messages[0]!;
}

function codeOf(message: StrictMessage): unknown {
  return (JSON.parse(message.body) as { code?: unknown }).code;
}

describe("a reply to a request", () => {
  const denied: Reply = { status: 403, headers: [["X-Why", "no"]], body: "denied" };

  test.each([
    ["at once", (): Reply => denied],
    ["later", async (): Promise<Reply> => Bun.sleep(5).then(() => denied)],
  ])("is the answer, and the upstream never hears of it: %s", async (_, request) => {
    const { port, upstream } = await sceneOf([filterOf("deny", { request }, { phase: "admit" })], answering(ok()));
    const message = onlyAnswer(await ask(port, get));
    expect([statusOf(message), valuesOf(message, "x-why"), message.body]).toEqual([403, ["no"], "denied"]);
    expect(upstream.connections).toHaveLength(0);
  });

  test("leaves the body unread; later filters see the answer only", async () => {
    const called: string[] = [];
    const { port } = await sceneOf(
      [
        filterOf("deny", { request: () => denied }, { phase: "admit" }),
        filterOf("later", {
          request: () => void called.push("request"),
          requestBody: (chunk) => {
            called.push("body");
            return chunk;
          },
          response: () => void called.push("response"),
        }),
      ],
      answering(ok()),
    );
    const message = onlyAnswer(await ask(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\nhello"));
    expect([statusOf(message), valuesOf(message, "connection")]).toEqual([403, ["close"]]);
    expect(called).toEqual(["response"]);
  });

  test("passes response hooks, which may edit its head or replace it, once", async () => {
    const seen: number[] = [];
    const stamp = filterOf("stamp", {
      response: (x) => {
        seen.push(x.response!.status);
        x.response!.setHeader("x-stamp", "1");
        x.response!.removeHeader("x-why");
      },
    });
    const { port } = await sceneOf(
      [filterOf("deny", { request: () => denied }, { phase: "admit" }), stamp],
      answering(ok()),
    );
    const message = onlyAnswer(await ask(port, get));
    expect([statusOf(message), valuesOf(message, "x-stamp"), valuesOf(message, "x-why"), message.body]).toEqual([
      403,
      ["1"],
      [],
      "denied",
    ]);
    expect(seen).toEqual([403]);
  });

  test("passes response hooks when a failure is answered, and a hook that fails then ends it", async () => {
    const broken = filterOf("broken", {
      response: () => {
        throw new Error("no");
      },
    });
    const { port } = await sceneOf([broken], answering(ok()), { routes: [] });
    const message = onlyAnswer(await ask(port, get));
    expect([statusOf(message), JSON.parse(message.body).code]).toEqual([503, "filter_failed"]);
  });

  test("keeps the connection when there is no body left on it", async () => {
    const { port } = await sceneOf([filterOf("deny", { request: () => denied }, { phase: "admit" })], answering(ok()));
    const client = await rawClient(port);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
    await until(() => strictAnswers(client.received).messages.length === 3, { what: "three answers" });
    expect(client.ended).toBe(false);
    client.close();
  });

  test("may be of bytes, empty, or without a body by its status", async () => {
    const replies: Reply[] = [
      { status: 200, body: new Uint8Array([0, 255, 10]) },
      { status: 200 },
      { status: 204 },
      { status: 304, body: "x" },
    ];
    const { port } = await sceneOf(
      [filterOf("own", { request: () => replies.shift() }, { phase: "admit" })],
      answering(ok()),
    );
    expect(onlyAnswer(await ask(port, get)).body).toBe("\0\xff\n");
    expect(valuesOf(onlyAnswer(await ask(port, get)), "content-length")).toEqual(["0"]);
    expect(valuesOf(onlyAnswer(await ask(port, get)), "content-length")).toEqual([]);
    expect(statusOf(onlyAnswer(await ask(port, get)))).toBe(304);
  });

  test("to HEAD has the length and not the body", async () => {
    const { port } = await sceneOf([filterOf("deny", { request: () => denied }, { phase: "admit" })], answering(ok()));
    const received = await ask(port, get.replace("GET", "HEAD"));
    expect(received).toContain("\r\ncontent-length: 6\r\n");
    expect(received).toEndWith("\r\n\r\n");
  });

  test("to HTTP/1.0 can keep the connection", async () => {
    const { port } = await sceneOf([filterOf("deny", { request: () => denied }, { phase: "admit" })], answering(ok()));
    const once = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    const { messages } = strictAnswers(await ask(port, `${once}GET / HTTP/1.0\r\n\r\n`));
    expect(messages.map((message) => valuesOf(message, "connection"))).toEqual([["keep-alive"], ["close"]]);
  });
});

describe("a reply to an answer", () => {
  const instead: Reply = { status: 418, headers: [["X-New", "1"]], body: "mine" };

  test.each([
    ["at once", (): Reply => instead],
    ["later", async (): Promise<Reply> => Bun.sleep(5).then(() => instead)],
  ])("replaces it, and its connection is not used again: %s", async (_, response) => {
    const { port, upstream } = await sceneOf([filterOf("replace", { response })], answering(ok("theirs")));
    const client = await rawClient(port);
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => strictAnswers(client.received).messages.length === 2, { what: "two answers" });
    expect(strictAnswers(client.received).messages.map(({ body }) => body)).toEqual(["mine", "mine"]);
    expect(client.received).not.toContain("theirs");
    expect(upstream.connections).toHaveLength(2);
    client.close();
  });

  test("is not seen by hooks further out", async () => {
    const called: string[] = [];
    const { port } = await sceneOf(
      [
        filterOf("outer", { response: () => void called.push("outer") }, { order: 1 }),
        filterOf("inner", { response: () => instead }, { order: 2 }),
      ],
      answering(ok()),
    );
    expect(onlyAnswer(await ask(port, get)).body).toBe("mine");
    expect(called).toEqual([]);
  });
});

describe("a reply that would break the framing is refused as the filter's fault:", () => {
  const bad: Record<string, Reply> = {
    "a line break in a value": { status: 200, headers: [["X", "a\r\nSet-Cookie: b"]] },
    "a line break in a name": { status: 200, headers: [["X\r\nY", "a"]] },
    "NUL in a value": { status: 200, headers: [["X", "a\0"]] },
    "a character beyond Latin-1": { status: 200, headers: [["X", "漢"]] },
    "a length of its own": { status: 200, headers: [["Content-Length", "3"]], body: "hello" },
    "a coding": { status: 200, headers: [["Transfer-Encoding", "chunked"]] },
    "a connection field": { status: 200, headers: [["Connection", "keep-alive"]] },
    "an informational status": { status: 100 },
    "a switch of protocols": { status: 101 },
    "a status of four digits": { status: 2000 },
    "no status at all": { status: Number.NaN },
    "a status between numbers": { status: 200.5 },
  };
  for (const hook of ["request", "response"] as const) {
    test.each(Object.entries(bad))(`${hook}: %s`, async (_, reply) => {
      const { port, engine } = await sceneOf([filterOf("bad", { [hook]: () => reply })], answering(ok("theirs")));
      const message = onlyAnswer(await ask(port, get));
      expect([statusOf(message), codeOf(message)]).toEqual([503, "filter_failed"]);
      expect(engine.thread.events.map(({ event }) => event)).toContain("filter_failed");
    });
  }
});

/** The fields that the upstream is sent when a filter edits the request, without those that inbound adds. */
async function edited(change: (x: Exchange) => void): Promise<Field[]> {
  const { port, upstream } = await sceneOf([filterOf("edit", { request: change })], answering(ok()));
  onlyAnswer(await ask(port, get));
  const { messages, fault } = strictRequests(upstream.received);
  expect(fault).toBeUndefined();
  return messages[0]!.fields.filter(([name]) => !/^(?:x-forwarded-.*|via|x-request-id)$/.test(name));
}

describe("edits of a request", () => {
  const host: Field = ["Host", "a"];
  test.each<[string, (x: Exchange) => void, Field[]]>([
    ["set replaces every line, in the first one's place", (x) => x.setHeader("X", "n"), [host, ["X", "n"], ["Y", "3"]]],
    ["set ignores case", (x) => x.setHeader("y", "n"), [host, ["X", "1"], ["x", "2"], ["y", "n"]]],
    ["set adds what is not there", (x) => x.setHeader("Z", ""), [host, ["X", "1"], ["x", "2"], ["Y", "3"], ["Z", ""]]],
    [
      "append adds a line",
      (x) => x.appendHeader("x", "\xff"),
      [host, ["X", "1"], ["x", "2"], ["Y", "3"], ["x", "\xff"]],
    ],
    ["remove takes every line", (x) => x.removeHeader("x"), [host, ["Y", "3"]]],
    ["remove of what is not there", (x) => x.removeHeader("z"), [host, ["X", "1"], ["x", "2"], ["Y", "3"]]],
    [
      "set of Host",
      (x) => x.setHeader("HOST", "b:80"),
      [
        ["HOST", "b:80"],
        ["X", "1"],
        ["x", "2"],
        ["Y", "3"],
      ],
    ],
  ])("%s", async (_, change, wanted) => {
    expect(await edited(change)).toEqual(wanted);
  });
});

test("edits of an answer", async () => {
  const filter = filterOf("edit", {
    response({ response }) {
      response!.setHeader("X", "n");
      response!.appendHeader("Set-Cookie", "a");
      response!.appendHeader("Set-Cookie", "b");
      response!.removeHeader("y");
    },
  });
  const { port } = await sceneOf([filter], answering(ok("ok", "X: 1\r\nx: 2\r\nY: 3\r\n")));
  expect(onlyAnswer(await ask(port, get)).fields).toEqual([
    ["Content-Length", "2"],
    ["X", "n"],
    ["Set-Cookie", "a"],
    ["Set-Cookie", "b"],
    ["connection", "close"],
  ]);
});

describe("Host set by a filter goes on once:", () => {
  const named = filterOf("name", { request: (x) => x.setHeader("host", "named") });
  test.each([
    ["inbound", "inbound", get],
    ["inbound, absolute target", "inbound", get.replace("/ ", "http://b/ ")],
    ["inbound, HTTP/1.0 without one", "inbound", "GET / HTTP/1.0\r\n\r\n"],
    ["outbound", "outbound", get],
  ] as const)("%s", async (_, direction, request) => {
    const { port, upstream } = await sceneOf([named], answering(ok()), { direction });
    onlyAnswer(await ask(port, request));
    expect(valuesOf(strictRequests(upstream.received).messages[0]!, "host")).toEqual(["named"]);
  });
});

describe("an edit that would break the framing throws in the filter:", () => {
  const bad: Record<string, (x: Exchange) => void> = {
    "a line break in a value": (x) => x.setHeader("X", "a\r\nY: b"),
    "LF in a value": (x) => x.appendHeader("X", "a\nY: b"),
    "NUL in a value": (x) => x.setHeader("X", "\0"),
    "beyond Latin-1": (x) => x.setHeader("X", "漢"),
    "a space in a name": (x) => x.setHeader("X Y", "a"),
    "a colon in a name": (x) => x.setHeader("X:", "a"),
    "no name": (x) => x.setHeader("", "a"),
    "a bad Host": (x) => x.setHeader("host", "a/b"),
    "an empty Host": (x) => x.setHeader("host", ""),
    "a second Host": (x) => x.appendHeader("Host", "b"),
    "no Host": (x) => x.removeHeader("host"),
    ...Object.fromEntries(
      [
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
      ].flatMap((name): [string, (x: Exchange) => void][] => [
        [`set ${name}`, (x) => x.setHeader(name, "5")],
        [`append ${name}`, (x) => x.appendHeader(name, "5")],
        [`remove ${name}`, (x) => x.removeHeader(name)],
      ]),
    ),
  };
  test.each(Object.entries(bad))("%s", async (_, change) => {
    const { port, upstream } = await sceneOf([filterOf("bad", { request: change })], answering(ok()), {
      routes: forwardTo(1),
    });
    const message = onlyAnswer(await ask(port, get));
    expect([statusOf(message), codeOf(message)]).toEqual([503, "filter_failed"]);
    expect(upstream.connections).toHaveLength(0);
  });
});
