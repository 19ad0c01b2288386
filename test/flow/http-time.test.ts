import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { type Answer, readAnswer, readHead, readRequestBody } from "../kit/message.ts";
import { sendPayload, sha256Of } from "../kit/payload.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
let app: App | undefined;
let flow: Flow;

afterEach(() => {
  app?.stop();
  app = undefined;
  flow.stop();
});

async function through(behind: App, wish: ListenerWish = {}): Promise<Wire> {
  app = behind;
  flow = await Flow.start([{ to: behind.port, ...wish }]);
  return flow.connect();
}

/** An app that reads heads and does nothing else, or what it is told. */
function idle(then: (wire: Wire) => Promise<void> | void = () => {}): App {
  return new App(async (wire) => {
    await readHead(wire);
    await then(wire);
  });
}

function codeOf(answer: Answer): unknown {
  return [answer.head.status, JSON.parse(answer.text).code];
}

/** Milliseconds a promise takes. */
async function timed(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

/** The wheel is one tick coarse, in both directions. */
const tickMs = 110;

describe("heads", () => {
  test("that come drop by drop are 408 after timeouts.head, however busy the client looks", async () => {
    const client = await through(idle(), { timeouts: { headMs: 300 } });
    const dripping = (async () => {
      for (const letter of `GET / HTTP/1.1\r\nX: ${"x".repeat(1000)}`) {
        if (client.closed || client.ended) return;
        await client.send(letter);
        await Bun.sleep(20);
      }
    })();
    const start = performance.now();
    expect(codeOf(await readAnswer(client))).toEqual([408, "head_timeout"]);
    expect(performance.now() - start).toBeGreaterThan(300 - tickMs);
    expect(await client.ending()).toBe("fin");
    client.close();
    await dripping;
    await flow.quiet();
    expect(app!.wires).toHaveLength(0);
  });

  test("that never begin end the new connection after timeouts.head, without an answer", async () => {
    const client = await through(idle(), { timeouts: { headMs: 300 } });
    const waited = await timed(client.ending());
    expect(client.receivedBytes).toBe(0);
    expect(waited).toBeGreaterThan(300 - tickMs);
    expect(waited).toBeLessThan(5000);
    await flow.quiet();
  });

  test("that do not come again end an idle connection after timeouts.keepAlive", async () => {
    const client = await through(
      App.answering(() => ok("x")),
      { timeouts: { keepAliveMs: 300 } },
    );
    for (let i = 0; i < 5; i++) {
      await client.send(get);
      expect((await readAnswer(client)).text).toBe("x");
      await Bun.sleep(100); // together longer than the limit
    }
    expect(await client.ending()).toBe("fin");
    await flow.quiet();
  });

  test("that begin late on a kept connection have timeouts.head again", async () => {
    const client = await through(
      App.answering(() => ok("x")),
      { timeouts: { headMs: 300 } },
    );
    await client.send(get);
    await readAnswer(client);
    await client.send("GET /");
    expect(codeOf(await readAnswer(client))).toEqual([408, "head_timeout"]);
  });
});

describe("timeouts.response", () => {
  test("is a 504 upstream_timeout, and the upstream is let go", async () => {
    let ending = "";
    const client = await through(
      idle(async (wire) => {
        ending = await wire.ending();
      }),
      { timeouts: { responseMs: 300 } },
    );
    await client.send(get);
    const start = performance.now();
    const answer = await readAnswer(client);
    expect(codeOf(answer)).toEqual([504, "upstream_timeout"]);
    expect(answer.head.field("connection")).toBeUndefined();
    expect(performance.now() - start).toBeGreaterThan(300 - tickMs);
    await until(() => ending === "reset");
  });

  test("starts when the request is whole: a slow upload does not use it up", async () => {
    const client = await through(
      new App(async (wire) => {
        await readRequestBody(wire, (await readHead(wire))!);
        await Bun.sleep(560);
        await wire.send(ok("in time"));
      }),
      { timeouts: { responseMs: 800 } },
    );
    await client.send(post);
    for (const letter of "body") {
      await Bun.sleep(360);
      await client.send(letter);
    }
    expect((await readAnswer(client)).text).toBe("in time");
  });

  test("does not limit the body of the answer", async () => {
    const client = await through(
      idle(async (wire) => {
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        for (const letter of "slow") {
          await Bun.sleep(150);
          await wire.send(letter);
        }
      }),
      { timeouts: { responseMs: 200 } },
    );
    await client.send(get);
    expect((await readAnswer(client)).text).toBe("slow");
  });
});

describe("timeouts.request", () => {
  test("is a 504 upstream_timeout when the upstream does not answer", async () => {
    const client = await through(idle(), { timeouts: { requestMs: 300 } });
    await client.send(get);
    expect(codeOf(await readAnswer(client))).toEqual([504, "upstream_timeout"]);
  });

  test("is a 408 body_timeout when the client does not send", async () => {
    const client = await through(idle(), { timeouts: { requestMs: 300 } });
    await client.send(`${post}b`);
    expect(codeOf(await readAnswer(client))).toEqual([408, "body_timeout"]);
    expect(await client.ending()).toBe("fin");
  });

  test("breaks an answer off that takes longer, however busy it is", async () => {
    const client = await through(
      idle(async (wire) => {
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while (!wire.closed) {
          await wire.send("x");
          await Bun.sleep(20);
        }
      }),
      { timeouts: { requestMs: 300 } },
    );
    await client.send(get);
    expect((await readAnswer(client)).complete).toBe(false);
    expect(await client.ending()).toBe("reset");
    expect(flow.failures("upstream_timeout")).toBe(1);
  });

  test("stands on a route, too", async () => {
    app = idle();
    flow = await Flow.start([
      { to: app.port, routes: [{ match: { path: { exact: "/" } }, to: app.port, timeouts: { requestMs: 200 } }] },
    ]);
    const client = await flow.connect();
    await client.send(get);
    expect(codeOf(await readAnswer(client))).toEqual([504, "upstream_timeout"]);
  });
});

describe("timeouts.idle", () => {
  test("is a 504 upstream_idle when the upstream says nothing", async () => {
    const client = await through(idle(), { timeouts: { idleMs: 300 } });
    await client.send(get);
    expect(codeOf(await readAnswer(client))).toEqual([504, "upstream_idle"]);
  });

  test("breaks an answer off that stops", async () => {
    const client = await through(
      idle((wire) => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")),
      { timeouts: { idleMs: 300 } },
    );
    await client.send(get);
    expect((await readAnswer(client)).complete).toBe(false);
    expect(await client.ending()).toBe("reset");
    expect(flow.failures("upstream_idle")).toBe(1);
  });

  test("does not break an answer off that goes on slowly", async () => {
    const client = await through(
      idle(async (wire) => {
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        for (const letter of "dripping") {
          await Bun.sleep(150);
          await wire.send(letter);
        }
      }),
      { timeouts: { idleMs: 400 } },
    );
    await client.send(get);
    expect((await readAnswer(client)).text).toBe("dripping");
  });

  test("is a 408 body_timeout when the client stops in its body", async () => {
    const client = await through(idle(), { timeouts: { idleMs: 300 } });
    await client.send(`${post}b`);
    expect(codeOf(await readAnswer(client))).toEqual([408, "body_timeout"]);
  });

  test("is a 504 upstream_idle when the upstream stops taking the body", async () => {
    const client = await through(
      idle((wire) => wire.stall()),
      { timeouts: { idleMs: 400 } },
    );
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * mebibyte}\r\n\r\n`);
    const uploading = sendPayload(client, 64 * mebibyte, "length");
    expect(codeOf(await readAnswer(client))).toEqual([504, "upstream_idle"]);
    client.reset();
    await uploading;
  });

  test("ends an exchange whose client stops taking the answer, and does not blame the upstream", async () => {
    const client = await through(
      idle(async (wire) => {
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * mebibyte}\r\n\r\n`);
        await sendPayload(wire, 64 * mebibyte, "length");
      }),
      { timeouts: { idleMs: 400 } },
    );
    client.stall();
    await client.send(get);
    await flow.quiet();
    expect([flow.failures("client_closed"), flow.failures("upstream_idle")]).toEqual([1, 0]);
  });

  test("lets a client go on that takes the answer slowly", async () => {
    const bytes = 16 * mebibyte;
    const client = await through(
      idle(async (wire) => {
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
        await sendPayload(wire, bytes, "length");
      }),
      { timeouts: { idleMs: 300 } },
    );
    await client.send(get);
    const head = await readHead(client);
    const hasher = new Bun.CryptoHasher("sha256");
    let length = 0;
    while (length < bytes) {
      const piece = await client.some();
      if (piece === undefined) break;
      hasher.update(piece);
      length += piece.length;
      await Bun.sleep(40);
    }
    expect([head!.status, length, hasher.digest("hex")]).toEqual([200, bytes, sha256Of(bytes)]);
  }, 20_000);
});
