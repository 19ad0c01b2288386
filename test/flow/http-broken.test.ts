import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow, type FlowOptions, type ListenerWish } from "../kit/flow.ts";
import { type Answer, ask, readAnswer, readHead } from "../kit/message.ts";
import { sendPayload } from "../kit/payload.ts";
import { blackHole, deadPort } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let app: App | undefined;
let flow: Flow;

afterEach(() => {
  app?.stop();
  app = undefined;
  flow.stop();
});

async function through(behind: App, wish: ListenerWish = {}, options: FlowOptions = {}): Promise<Wire> {
  app = behind;
  flow = await Flow.start([{ to: behind.port, ...wish }], options);
  return flow.connect();
}

/** An app that reads a head and then does `then`. */
function after(then: (wire: Wire, index: number) => Promise<void> | void): App {
  return new App(async (wire, index) => {
    await readHead(wire);
    await then(wire, index);
  });
}

function problem(answer: Answer): Record<string, unknown> {
  expect(answer.head.field("content-type")).toBe("application/problem+json");
  return JSON.parse(answer.text);
}

describe("an upstream that is down", () => {
  test("is a 502 with its code, the id and where it was looked for; the connection stays", async () => {
    const port = deadPort();
    flow = await Flow.start([{ to: port }]);
    const client = await flow.connect();
    for (let i = 0; i < 2; i++) {
      const answer = await ask(client);
      expect(answer.head.status).toBe(502);
      expect(problem(answer)).toEqual({
        type: "https://outrigger.dev/errors/upstream_unreachable",
        title: "The upstream refused the connection or could not be reached.",
        status: 502,
        code: "upstream_unreachable",
        requestId: answer.head.field("x-request-id")!,
        detail: `127.0.0.1:${port}: ECONNREFUSED`,
      });
    }
    expect(flow.failures("upstream_unreachable")).toBe(2);
    expect(flow.named("request_failed")[0]).toMatchObject({
      code: "upstream_unreachable",
      fault: "upstream",
      listener: "web",
    });
  });

  test("is used again as soon as it is there, without a restart", async () => {
    const client = await through(App.answering(() => ok("back")));
    expect((await ask(client)).text).toBe("back");
    app!.stop();
    await until(async () => (await ask(client)).head.status === 502, { what: "502" });
    app!.restart();
    expect((await ask(client)).text).toBe("back");
  });

  test("does not get a POST that cannot be delivered, and the body is not waited for", async () => {
    flow = await Flow.start([{ to: deadPort() }]);
    const client = await flow.connect();
    const answer = await ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx");
    expect([answer.head.status, answer.head.field("connection")]).toEqual([502, "close"]);
    expect(await client.ending()).toBe("fin");
  });
});

test("an upstream that accepts no connection is a 504 upstream_connect_timeout, and its late yes does no harm", async () => {
  const hole = await blackHole();
  flow = await Flow.start([{ to: hole.port, timeouts: { connectMs: 200 } }]);
  const client = await flow.connect();
  const answer = await ask(client);
  expect(answer.head.status).toBe(504);
  expect(problem(answer)).toMatchObject({
    code: "upstream_connect_timeout",
    detail: `127.0.0.1:${hole.port}: no connection in time`,
  });
  hole.close();
  client.close();
  await flow.quiet();
});

describe("an upstream that dies", () => {
  const broken = [
    ["Content-Length, by FIN", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "close"],
    ["Content-Length, by reset", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "reset"],
    ["chunked, by FIN", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "close"],
    ["chunked, by reset", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "reset"],
    ["chunked, in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", "close"],
    ["chunked, before the end of the trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "close"],
    ["until close, by reset", "HTTP/1.1 200 OK\r\n\r\nhalf", "reset"],
  ] as const;

  test.each(broken)("in its body (%s) leaves a visibly broken one", async (_, bytes, how) => {
    const client = await through(
      after(async (wire) => {
        await wire.send(bytes);
        await Bun.sleep(20); // so that it has left before the reset
        wire[how]();
      }),
    );
    await client.send(get);
    const { complete } = await readAnswer(client);
    expect(complete).toBe(false);
    expect(await client.ending()).toBe("reset");
    await flow.quiet();
    expect(flow.failures("client_closed")).toBe(0);
    expect(flow.failures("upstream_body_broken") + flow.failures("upstream_bad_response")).toBe(1);
  });

  test.each(broken)(
    "in its body (%s) leaves an HTTP/1.0 client no way to take it for the whole",
    async (_, bytes, how) => {
      const client = await through(
        after(async (wire) => {
          await wire.send(bytes);
          await Bun.sleep(20);
          wire[how]();
        }),
      );
      await client.send("GET / HTTP/1.0\r\n\r\n");
      expect((await readAnswer(client)).complete).toBe(false);
      expect(await client.ending()).toBe("reset");
    },
  );

  test("by rubbish in its body leaves a visibly broken one", async () => {
    const client = await through(
      after(async (wire) => {
        await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        await Bun.sleep(20);
        await wire.send("xx\r\n");
      }),
    );
    await client.send(get);
    expect((await readAnswer(client)).complete).toBe(false);
    expect(await client.ending()).toBe("reset");
    expect(flow.failures("upstream_bad_response")).toBe(1);
  });

  test("in its body: what the client had sent behind is not carried out", async () => {
    const client = await through(
      after(async (wire) => {
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        await Bun.sleep(20);
        wire.close();
      }),
    );
    await client.send(get + get.replace("/ ", "/second "));
    expect((await readAnswer(client)).complete).toBe(false);
    await client.ending();
    await flow.quiet();
    expect(app!.wires).toHaveLength(1);
  });

  test.each([
    ["without a word", "", "upstream_closed"],
    ["in its head", "HTTP/1.1 200 OK\r\nContent-", "upstream_closed"],
    ["after a 1xx", "HTTP/1.1 100 Continue\r\n\r\n", "upstream_closed"],
    ["talking something else", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "upstream_bad_response"],
    ["switching protocols unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "upstream_bad_response"],
    ["with two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "upstream_bad_response"],
    [
      "with length and coding",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "upstream_bad_response",
    ],
    [
      "with a broken body at once",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxx\r\n",
      "upstream_bad_response",
    ],
    ["with an endless head", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}\r\n\r\n`, "upstream_head_too_large"],
  ] as const)("%s is a 502", async (_, bytes, code) => {
    const client = await through(
      after(async (wire) => {
        await wire.send(bytes);
        wire.close();
      }),
    );
    const answer = await ask(client);
    expect(answer.head.status).toBe(502);
    expect(problem(answer)).toMatchObject({ code });
    expect((await ask(client)).head.status).toBe(502); // the client's connection is as good as before
  });
});

test("an app that closes behind an answer until close is closed, not reset", async () => {
  let ending = "";
  const client = await through(
    after(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\n\r\nwhole");
      wire.finish();
      ending = await wire.ending();
    }),
  );
  expect(await ask(client)).toMatchObject({ text: "whole", complete: true });
  await until(() => ending !== "");
  expect(ending).toBe("fin");
});

test("an app that answers early, and takes nothing any more, loses its connection", async () => {
  const client = await through(
    after(async (wire) => {
      wire.stall();
      let before = -1;
      await until(async () => {
        await Bun.sleep(50);
        const bytes = received();
        const full = bytes === before;
        before = bytes;
        return full;
      });
      await wire.send(ok("early"));
    }),
  );
  const received = () => flow.values.get('outrigger_received_bytes_total{direction="inbound",listener="web"}') ?? 0;
  await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * mebibyte}\r\n\r\n`);
  const uploading = sendPayload(client, 64 * mebibyte, "length");
  expect((await readAnswer(client)).text).toBe("early");
  client.reset();
  await uploading;
  await until(() => app!.wires[0]!.closed, { what: "the end of the upstream's connection", deadlineMs: 3000 });
});
