import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { readAnswer, readHead } from "../kit/message.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let flow: Flow;
let stopped = false;
const apps: App[] = [];

afterEach(() => {
  if (!stopped) flow.stop();
  stopped = false;
  for (const app of apps.splice(0)) app.stop();
});

function stop(): void {
  stopped = true;
  flow.stop();
}

function appSaying(text: string): App {
  const app = App.answering(() => ok(text));
  apps.push(app);
  return app;
}

function fixed(text: string, wish: ListenerWish = {}): ListenerWish {
  return { routes: [{ respond: { status: 200, headers: [], body: { text } } }], ...wish };
}

async function said(client: Wire, request = get): Promise<string> {
  await client.send(request);
  return (await readAnswer(client)).text;
}

describe("a drain", () => {
  test("announces: every answer ends its connection, and new connections are still served", async () => {
    const app = appSaying("x");
    flow = await Flow.start([{ to: app.port, name: "a" }, fixed("f", { name: "f" })]);
    const [kept, fixedOne] = [await flow.connect("a"), await flow.connect("f")];
    expect([await said(kept), await said(fixedOne)]).toEqual(["x", "f"]);
    flow.traffic.announce();
    for (const client of [kept, fixedOne, await flow.connect("a"), await flow.connect("f")]) {
      await client.send(get);
      const { head, complete } = await readAnswer(client);
      expect([head.field("connection"), complete]).toEqual(["close", true]);
      expect(await client.ending()).toBe("fin");
    }
    await flow.quiet();
    flow.traffic.recant();
    const client = await flow.connect("a");
    for (let i = 0; i < 3; i++) expect(await said(client)).toBe("x");
  });

  test("waits for what runs, and answers what comes meanwhile", async () => {
    const app = App.answering(async ({ head }) => {
      if (head.target === "/slow") await Bun.sleep(300);
      return ok(head.target);
    });
    apps.push(app);
    flow = await Flow.start([{ to: app.port }]);
    const slow = await flow.connect();
    await slow.send(get.replace("/ ", "/slow "));
    await until(() => app.requests.length === 1);
    let drained: { cut: number } | undefined;
    const draining = flow.traffic.drain(10_000).then((result) => {
      drained = result;
    });
    expect(await said(await flow.connect(), get.replace("/ ", "/new "))).toBe("/new");
    expect(drained).toBeUndefined();
    expect((await readAnswer(slow)).text).toBe("/slow");
    await draining;
    expect(drained).toEqual({ cut: 0 });
  });

  test("waits until a slow client has its answer, which the stop then leaves whole", async () => {
    const bytes = 12 * mebibyte;
    flow = await Flow.start([fixed("x".repeat(bytes))]);
    const client = await flow.connect();
    client.stall();
    await client.send(get);
    await until(() => flow.values.get('outrigger_sent_bytes_total{direction="inbound",listener="web"}')! > bytes);
    const draining = flow.traffic.drain(10_000);
    await Bun.sleep(200);
    client.read();
    const answer = readAnswer(client);
    expect(await draining).toEqual({ cut: 0 });
    stop(); // the last mebibytes are still in the kernel
    const { length, complete } = await answer;
    expect({ length, complete }).toEqual({ length: bytes, complete: true });
  });

  test("that runs out of time counts what it cuts; the stop says so to who has no answer yet, and breaks begun ones off", async () => {
    const app = new App(async (wire) => {
      const head = await readHead(wire);
      if (head?.target === "/begun") await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
    apps.push(app);
    flow = await Flow.start([{ to: app.port }]);
    const [silent, begun] = [await flow.connect(), await flow.connect()];
    await silent.send(get);
    await begun.send(get.replace("/ ", "/begun "));
    await until(() => begun.receivedBytes > 0 && app.wires.length === 2);
    expect(await flow.traffic.drain(50)).toEqual({ cut: 2 });
    stop();
    const answer = await readAnswer(silent);
    expect([answer.head.status, JSON.parse(answer.text).code]).toEqual([503, "stopped"]);
    expect(await silent.ending()).toBe("fin");
    expect((await readAnswer(begun)).complete).toBe(false);
    expect(await begun.ending()).toBe("reset");
    expect(flow.named("exchanges_cut")).toEqual([{ count: 2 }]);
    expect(flow.failures("stopped")).toBe(2);
    expect(flow.traffic.active).toEqual({ connections: 0, exchanges: 0 });
    await until(() => app.wires.every((wire) => wire.closed));
  });

  test("the stop closes idle connections and ports", async () => {
    const app = appSaying("x");
    flow = await Flow.start([{ to: app.port }]);
    const port = flow.port();
    const client = await flow.connect();
    await said(client);
    stop();
    expect(await client.ending()).toBe("fin");
    expect(Wire.connect(port)).rejects.toThrow();
    await until(() => app.openConnections === 0);
    expect(flow.named("exchanges_cut")).toEqual([]);
  });
});
