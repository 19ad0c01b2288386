import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { freePort } from "../kit/free-port.ts";
import { readAnswer } from "../kit/message.ts";
import { until } from "../kit/until.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let flow: Flow;
const apps: App[] = [];

afterEach(() => {
  flow.stop();
  for (const app of apps.splice(0)) app.stop();
});

function appAt(port: number): App {
  const app = App.answering(({ text }) => ok(`got ${text.length}`), port);
  apps.push(app);
  return app;
}

/** A sidecar whose app has not started yet; `startMs` is how long requests wait for it. */
async function withoutApp(startMs: number, wish: ListenerWish = {}): Promise<number> {
  const port = freePort();
  flow = await Flow.start([{ to: port, timeouts: { startMs }, ...wish }]);
  return port;
}

describe("a request to an app that has not started yet", () => {
  test("waits for it, body and all, and reaches it once", async () => {
    const port = await withoutApp(20_000);
    const client = await flow.connect();
    const body = "x".repeat(300_000);
    const sent = client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await Bun.sleep(300);
    const app = appAt(port);
    expect((await readAnswer(client)).text).toBe("got 300000");
    await sent;
    expect(app.requests).toHaveLength(1);
    expect(flow.failures("upstream_unreachable") + flow.failures("app_not_started")).toBe(0);
  });

  test("gets 503 with Retry-After when the time for that is over", async () => {
    await withoutApp(300);
    const client = await flow.connect();
    const startedAt = performance.now();
    await client.send(get);
    const { head, text } = await readAnswer(client);
    expect(performance.now() - startedAt).toBeGreaterThan(250);
    expect([head.status, head.field("retry-after")]).toEqual([503, "1"]);
    expect(JSON.parse(text).code).toBe("app_not_started");
    expect(flow.failures("app_not_started")).toBe(1);
  });

  test("is forgotten when its client leaves", async () => {
    const port = await withoutApp(20_000);
    const client = await flow.connect();
    await client.send(get);
    await until(() => flow.traffic.active.exchanges === 1);
    client.reset();
    await flow.quiet();
    const app = appAt(port);
    await Bun.sleep(300);
    expect(app.wires).toHaveLength(0);
  });

  test("that speaks HTTP/2 waits, too", async () => {
    const port = freePort();
    const upstream = { scheme: "h2c", host: "127.0.0.1", port, authority: `127.0.0.1:${port}`, text: "h2c" } as const;
    flow = await Flow.start([{ upstream, timeouts: { startMs: 300 } }]);
    const client = await flow.connect();
    await client.send(get);
    const { head, text } = await readAnswer(client);
    expect([head.status, JSON.parse(text).code]).toEqual([503, "app_not_started"]);
  });

  test("waits no longer than its own limits allow", async () => {
    await withoutApp(20_000, { timeouts: { startMs: 20_000, requestMs: 300 } });
    const client = await flow.connect();
    await client.send(get);
    expect((await readAnswer(client)).head.status).toBe(504);
  });
});

describe("nobody waits", () => {
  test("for an app that was there once: it has ended", async () => {
    const port = await withoutApp(20_000);
    const app = appAt(port);
    const client = await flow.connect();
    await client.send(get);
    expect((await readAnswer(client)).head.status).toBe(200);
    app.stop();
    await client.send(get);
    expect(JSON.parse((await readAnswer(client)).text).code).toBe("upstream_unreachable");
  });

  test("for what the app calls", async () => {
    await withoutApp(20_000, { direction: "outbound" });
    const client = await flow.connect();
    await client.send(get);
    expect(JSON.parse((await readAnswer(client)).text).code).toBe("upstream_unreachable");
  });

  test("while the sidecar leaves: the app is gone, and the connection ends", async () => {
    await withoutApp(20_000);
    flow.traffic.announce();
    const client = await flow.connect();
    await client.send(get);
    const { head, text } = await readAnswer(client);
    expect([head.status, JSON.parse(text).code, head.field("retry-after")]).toEqual([503, "app_gone", "1"]);
    expect(await client.ending()).toBe("fin");
  });
});
