import { afterEach, describe, expect, test } from "bun:test";
import { App, chunkedOk, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { readAnswer, readHead, readRequestBody } from "../kit/message.ts";
import { type Framing, framingField, sendPayload, sha256Of } from "../kit/payload.ts";
import type { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
let app: App;
let flow: Flow;

afterEach(() => {
  app.stop();
  flow.stop();
});

async function through(behind: App, wish: ListenerWish = {}): Promise<Wire> {
  app = behind;
  flow = await Flow.start([{ to: app.port, ...wish }]);
  return flow.connect();
}

/** An app that says what it got. */
function echoing(): App {
  return App.answering(({ length, sha256 }) => ok(`${length} ${sha256}`));
}

/** An app that sends a payload in answer to everything. */
function sending(bytes: number, framing: Framing): App {
  return App.answering(() => async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\n${framingField(framing, bytes)}\r\n`);
    await sendPayload(wire, bytes, framing);
    if (framing === "close") wire.close();
  });
}

describe("bodies arrive byte for byte", () => {
  const sizes = [1, 2, 1023, 65_536, 524_288, mebibyte + 1, 64 * mebibyte];

  test.each(sizes.flatMap((bytes) => (["length", "chunked"] as const).map((framing) => [bytes, framing] as const)))(
    "up: %d bytes, framing %s",
    async (bytes, framing) => {
      const client = await through(echoing());
      await client.send(`POST /up HTTP/1.1\r\nHost: a\r\n${framingField(framing, bytes)}\r\n`);
      await sendPayload(client, bytes, framing);
      expect((await readAnswer(client)).text).toBe(`${bytes} ${sha256Of(bytes)}`);
      expect(app.requests[0]!.head.field("content-length")).toBe(framing === "length" ? String(bytes) : undefined);
    },
  );

  test.each(
    sizes.flatMap((bytes) => (["length", "chunked", "close"] as const).map((framing) => [bytes, framing] as const)),
  )("down: %d bytes, framing %s", async (bytes, framing) => {
    const client = await through(sending(bytes, framing));
    await client.send("GET /down HTTP/1.1\r\nHost: a\r\n\r\n");
    const { length, sha256, complete, head } = await readAnswer(client);
    expect({ length, sha256, complete }).toEqual({ length: bytes, sha256: sha256Of(bytes), complete: true });
    expect(head.field("transfer-encoding")).toBe(framing === "length" ? undefined : "chunked");
    expect(head.field("connection")).toBeUndefined();
  });

  test("both ways at once: the answer begins while the request is still sent", async () => {
    const bytes = 8 * mebibyte;
    const client = await through(
      new App(async (wire) => {
        const head = await readHead(wire);
        await wire.send(`HTTP/1.1 200 OK\r\n${framingField("chunked", bytes)}\r\n`);
        const [request] = await Promise.all([readRequestBody(wire, head!), sendPayload(wire, bytes, "chunked")]);
        expect(request.sha256).toBe(sha256Of(bytes));
      }),
    );
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framingField("length", bytes)}\r\n`);
    const [answer] = await Promise.all([readAnswer(client), sendPayload(client, bytes, "length")]);
    expect({ sha256: answer.sha256, complete: answer.complete }).toEqual({ sha256: sha256Of(bytes), complete: true });
  });

  test("trailers go both ways, and chunk extensions end here", async () => {
    const client = await through(
      App.answering(({ trailers }) => chunkedOk(["x"], "", `X-Sum: ${trailers.join()}\r\n`)),
    );
    await client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0;c\r\nX-Check: 1\r\n\r\n",
    );
    const answer = await readAnswer(client);
    expect(app.requests[0]!.text).toBe("abc");
    expect(answer.trailers).toEqual(["X-Sum: X-Check: 1"]);
  });
});

describe("answers without a body", () => {
  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5"],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", undefined],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n", undefined],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n", "5"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", undefined],
    ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0"],
  ])("%s %j", async (method, bytes, length) => {
    const client = await through(App.answering(() => bytes));
    for (let i = 0; i < 3; i++) {
      await client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const { head } = await readAnswer(client, method);
      expect(head.field("content-length")).toBe(length);
    }
    expect(app.wires).toHaveLength(1);
  });
});

describe("answers before the answer", () => {
  test("100 Continue both ways: the body is sent only when the app asked for it", async () => {
    let asked = false;
    const client = await through(
      new App(async (wire) => {
        const head = await readHead(wire);
        expect(head!.field("expect")).toBe("100-continue");
        asked = true;
        await wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        await wire.send(ok((await readRequestBody(wire, head!)).text));
      }),
    );
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    expect((await readHead(client))!.start).toBe("HTTP/1.1 100 Continue");
    expect(asked).toBe(true);
    await client.send("body");
    expect((await readAnswer(client)).text).toBe("body");
  });

  test("a refusal instead of 100 Continue ends the connection, for the body may come all the same", async () => {
    const client = await through(
      new App(async (wire) => {
        await readHead(wire);
        await wire.send(ok("no", "", "417 Expectation Failed"));
      }),
    );
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    const { head } = await readAnswer(client);
    expect(head.status).toBe(417);
    expect(head.field("connection")).toBe("close");
    expect(await client.ending()).toBe("fin");
  });

  test("103 Early Hints, several times, without this hop's fields", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: timeout=5\r\n\r\n";
    const client = await through(App.answering(() => hints + hints + ok("x")));
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const { informed, text } = await readAnswer(client);
    expect(informed.map(({ start, fields }) => [start, fields])).toEqual([
      ["HTTP/1.1 103 Early Hints", [["Link", "</a>"]]],
      ["HTTP/1.1 103 Early Hints", [["Link", "</a>"]]],
    ]);
    expect(text).toBe("x");
  });

  test("thirty thousand of them in one piece are not too many to take, and HTTP/1.0 sees none", async () => {
    const client = await through(App.answering(() => "HTTP/1.1 103 E\r\n\r\n".repeat(30_000) + ok("x")));
    await client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    expect(await readAnswer(client)).toMatchObject({ informed: [], text: "x" });
  });
});

describe("HTTP/1.0", () => {
  test("a client without keep-alive: one answer, then the end", async () => {
    const client = await through(App.answering(() => ok("x")));
    await client.send("GET / HTTP/1.0\r\n\r\n");
    const { head, text } = await readAnswer(client);
    expect([text, head.field("connection")]).toEqual(["x", "close"]);
    expect(await client.ending()).toBe("fin");
    expect(app.requests[0]!.head.start).toBe("GET / HTTP/1.1");
    expect(app.requests[0]!.head.field("host")).toBe(`127.0.0.1:${app.port}`);
  });

  test("a client with keep-alive is told that it may go on", async () => {
    const client = await through(App.answering(() => ok("x")));
    for (let i = 0; i < 3; i++) {
      await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      const { head, text } = await readAnswer(client);
      expect([text, head.field("connection")]).toEqual(["x", "keep-alive"]);
    }
  });

  test.each(["chunked", "close"] as const)(
    "a body of unknown length (%s) ends with the connection",
    async (framing) => {
      const client = await through(sending(300_000, framing));
      await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      const { head, sha256, complete } = await readAnswer(client);
      expect([head.field("transfer-encoding"), head.field("connection")]).toEqual([undefined, "close"]);
      expect([sha256, complete]).toEqual([sha256Of(300_000), true]);
    },
  );

  test("an app that speaks it: its connection is used once", async () => {
    const answer = "HTTP/1.0 200 OK\r\n\r\nold";
    const client = await through(
      new App(async (wire) => {
        await readHead(wire);
        await wire.send(answer);
        wire.close();
      }),
    );
    for (let i = 0; i < 3; i++) {
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      expect(await readAnswer(client)).toMatchObject({ text: "old", complete: true });
    }
    expect(app.wires).toHaveLength(3);
  });

  test("an app that speaks it with keep-alive: its connection stays", async () => {
    const client = await through(
      App.answering(() => "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold"),
    );
    for (let i = 0; i < 3; i++) {
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      expect(await readAnswer(client)).toMatchObject({ text: "old", complete: true });
    }
    expect(app.wires).toHaveLength(1);
  });
});

describe("connections", () => {
  test("one serves a thousand requests, from two clients", async () => {
    const client = await through(App.answering(({ head }) => ok(head.target)));
    const other = await flow.connect();
    for (let i = 0; i < 1000; i++) {
      const wire = i % 2 === 0 ? client : other;
      await wire.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect((await readAnswer(wire)).text).toBe(`/${i}`);
    }
    expect(app.wires).toHaveLength(1);
  });

  test("requests sent all at once are answered in order, whatever their bodies", async () => {
    const client = await through(App.answering(({ head, text }) => ok(`${head.target} ${text}`)));
    const count = 300;
    let all = "";
    for (let i = 0; i < count; i++) {
      if (i % 3 === 0) all += `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`;
      else if (i % 3 === 1) all += `POST /${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`;
      else all += `POST /${i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n`;
    }
    await client.send(all);
    for (let i = 0; i < count; i++) expect((await readAnswer(client)).text).toBe(`/${i} ${["", "abc", "de"][i % 3]}`);
    expect(app.requests).toHaveLength(count);
  });

  test("requests sent all at once by a client that then closes its half are all answered", async () => {
    const client = await through(App.answering(({ head }) => ok(head.target)));
    await client.send([1, 2, 3].map((i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    client.finish();
    for (const i of [1, 2, 3]) expect((await readAnswer(client)).text).toBe(`/${i}`);
    expect(await client.ending()).toBe("fin");
  });

  test("a client that closes its half gets its answer", async () => {
    const client = await through(
      App.answering(async () => {
        await Bun.sleep(50);
        return ok("late");
      }),
    );
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.finish();
    expect((await readAnswer(client)).text).toBe("late");
    expect(await client.ending()).toBe("fin");
    await flow.quiet();
  });
});
