import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { FilterDefinition } from "../../src/contracts.ts";
import { UserError } from "../../src/errors.ts";
import { App, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { readAnswer, readHead } from "../kit/message.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const getAndGo = get.replace("\r\n\r\n", "\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n");
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

async function refusal(work: Promise<unknown>): Promise<UserError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("it worked");
}

describe("a reload", () => {
  test("changes what a connection gets between two of its requests", async () => {
    flow = await Flow.start([fixed("old")]);
    const client = await flow.connect();
    expect(await said(client)).toBe("old");
    const prepared = await flow.traffic.prepare(flow.config([fixed("new")]));
    expect(await said(client)).toBe("old");
    prepared.commit();
    expect(await said(client)).toBe("new");
    expect(flow.traffic.listeners).toHaveLength(1);
  });

  test("leaves an exchange that runs as it was", async () => {
    const slow = App.answering(async () => {
      await Bun.sleep(100);
      return ok("old app");
    });
    apps.push(slow);
    flow = await Flow.start([{ to: slow.port }]);
    const client = await flow.connect();
    await client.send(get + get);
    await until(() => slow.requests.length === 1);
    await flow.reload([fixed("new")]);
    expect((await readAnswer(client)).text).toBe("old app");
    expect((await readAnswer(client)).text).toBe("new");
  });

  test("believes a connected peer no longer than it is trusted", async () => {
    const app = App.answering(({ head }) => ok(head.all("x-forwarded-for").join()));
    apps.push(app);
    flow = await Flow.start([{ to: app.port, trust: ["127.0.0.0/8"] }]);
    const client = await flow.connect();
    expect(await said(client, getAndGo)).toBe("1.2.3.4, 127.0.0.1");
    await flow.reload([{ to: app.port }]);
    expect(await said(client, getAndGo)).toBe("127.0.0.1");
    await flow.reload([{ to: app.port, trust: ["127.0.0.1"] }]);
    expect(await said(client, getAndGo)).toBe("1.2.3.4, 127.0.0.1");
  });

  test("keeps the upstream's connections", async () => {
    const app = appSaying("x");
    flow = await Flow.start([{ to: app.port }]);
    const client = await flow.connect();
    for (let i = 0; i < 5; i++) {
      expect(await said(client)).toBe("x");
      await flow.reload([{ to: app.port }]);
    }
    expect(app.wires).toHaveLength(1);
  });

  test("two hundred of them while clients ask: nothing is dropped, nothing is mixed up", async () => {
    const [one, two] = [appSaying("one"), appSaying("two")];
    flow = await Flow.start([{ to: one.port }]);
    let ended = false;
    let asked = 0;
    const asking = async () => {
      const client = await flow.connect();
      while (!ended) {
        expect(["one", "two"]).toContain(await said(client));
        asked++;
      }
      client.close();
    };
    const clients = Array.from({ length: 8 }, asking);
    for (let i = 0; i < 200; i++) {
      await flow.reload([{ to: (i % 2 === 0 ? two : one).port }]);
      await Bun.sleep(1);
    }
    ended = true;
    await Promise.all(clients);
    expect(asked).toBeGreaterThan(200);
    expect(flow.named("request_failed")).toEqual([]);
    await flow.quiet();
  });

  test("that removes a listener closes its port; who is connected gets one more answer, which says so", async () => {
    flow = await Flow.start([fixed("a", { name: "a" }), fixed("b", { name: "b" })]);
    const port = flow.port("a");
    const client = await flow.connect("a");
    expect(await said(client)).toBe("a");
    await flow.reload([fixed("b2", { name: "b" })]);
    await client.send(get);
    const { head, text } = await readAnswer(client);
    expect([text, head.field("connection")]).toEqual(["a", "close"]);
    expect(await client.ending()).toBe("fin");
    expect(Wire.connect(port)).rejects.toThrow();
    expect(flow.named("listener_closed")).toEqual([{ listener: "a" }]);
    expect(await said(await flow.connect("b"))).toBe("b2");
  });

  test("that adds a listener answers there from the commit on", async () => {
    flow = await Flow.start([fixed("a", { name: "a" })]);
    await flow.reload([fixed("a", { name: "a" }), fixed("b", { name: "b" })]);
    expect(await said(await flow.connect("b"))).toBe("b");
    expect(await said(await flow.connect("a"))).toBe("a");
  });

  test("that cannot have a port changes nothing, gives back what it took, and says what stands in the way", async () => {
    const taken = appSaying("other");
    flow = await Flow.start([fixed("old", { name: "a" })]);
    const client = await flow.connect("a");
    const wanted = [
      fixed("new", { name: "a" }),
      fixed("b", { name: "b" }),
      fixed("c", { name: "c", port: taken.port }),
    ];
    const { message, exitCode } = await refusal(flow.reload(wanted));
    expect(message).toBe(
      `outrigger.yaml: inbound "c": cannot listen on 127.0.0.1:${taken.port}: the port is taken by another process; choose another port or stop that process`,
    );
    expect(exitCode).toBe(3);
    expect(await said(client)).toBe("old");
    expect(flow.traffic.listeners.map(({ name }) => name)).toEqual(["a"]);
    expect(flow.named("listener_bound")).toHaveLength(1);
  });

  test("that is given up gives its ports back", async () => {
    flow = await Flow.start([fixed("a", { name: "a" })]);
    const free = appSaying("free");
    const { port } = free;
    free.stop();
    const prepared = await flow.traffic.prepare(
      flow.config([fixed("a", { name: "a" }), fixed("b", { name: "b", port })]),
    );
    const early = await Wire.connect(port);
    expect(await said(early)).toBe("b");
    prepared.abort();
    expect(await early.ending()).toBe("fin");
    const { error } = await Wire.connect(port).then(
      () => ({ error: undefined }),
      (reason: unknown) => ({ error: reason }),
    );
    expect(error).toBeDefined();
    await flow.reload([fixed("a", { name: "a" }), fixed("b", { name: "b", port })]);
    expect(await said(await flow.connect("b"))).toBe("b");
  });

  test("that wants a body file that is gone changes nothing", async () => {
    flow = await Flow.start([fixed("old")]);
    const gone = { status: 200, headers: [], body: { file: "/nowhere/page.html" } } as const;
    const { message, exitCode } = await refusal(flow.reload([{ routes: [{ respond: gone }] }]));
    expect(message).toBe(
      "cannot read the body file /nowhere/page.html: ENOENT; make it readable or write the body into the configuration",
    );
    expect(exitCode).toBe(1);
    expect(await said(await flow.connect())).toBe("old");
  });
});

describe("a reload with filters", () => {
  let open: Set<number>;
  let wrong: number;
  let made: number;
  const counting: FilterDefinition = {
    kind: "filter",
    name: "counting",
    doc: "Counts itself.",
    phase: "shape",
    order: 1,
    directions: ["inbound"],
    config: undefined as never,
    create() {
      const number = made++;
      const see = () => {
        if (!open.has(number)) wrong++;
      };
      open.add(number);
      return { request: see, done: see, close: () => void open.delete(number) };
    },
  };
  const policies = () => ({ counting: {} });

  beforeEach(() => {
    open = new Set();
    wrong = 0;
    made = 0;
  });

  test("closes the old ones when the last exchange of theirs is over, whatever else runs", async () => {
    const endless = new App(async (wire) => {
      await readHead(wire);
      await wire.ending();
    });
    apps.push(endless);
    const long = { to: endless.port, name: "long" };
    flow = await Flow.start([long, fixed("x", { name: "a", policies: policies() })], { filters: { counting } });
    const waiting = await flow.connect("long");
    await waiting.send(get);
    await until(() => endless.wires.length === 1);
    for (let i = 0; i < 5; i++) {
      expect(await said(await flow.connect("a"))).toBe("x");
      await flow.reload([long, fixed("x", { name: "a", policies: policies() })]);
    }
    await until(() => open.size === 1, { deadlineMs: 4000, what: "one filter left" });
    expect([...open]).toEqual([5]);
    expect(wrong).toBe(0);
  });

  test("keeps those of a running exchange", async () => {
    const slow = App.answering(async () => {
      await Bun.sleep(1500);
      return ok("done");
    });
    apps.push(slow);
    flow = await Flow.start([{ to: slow.port, policies: policies() }], { filters: { counting } });
    const client = await flow.connect();
    await client.send(get);
    await until(() => slow.requests.length === 1);
    await flow.reload([fixed("x", { policies: policies() })]);
    expect((await readAnswer(client)).text).toBe("done");
    await until(() => open.size === 1, { deadlineMs: 4000 });
    expect(wrong).toBe(0);
  });

  test("keeps those of a removed listener for who is still connected to it", async () => {
    flow = await Flow.start([fixed("x", { name: "a", policies: policies() }), fixed("b", { name: "b" })], {
      filters: { counting },
    });
    const client = await flow.connect("a");
    await said(client);
    await flow.reload([fixed("b", { name: "b" })]);
    await Bun.sleep(1500); // past the housekeeping
    expect(await said(client)).toBe("x");
    expect(wrong).toBe(0);
    client.close();
    await until(() => open.size === 0, { deadlineMs: 4000 });
  });

  test("closes those of a preparation that fails or is given up, and all of them at the stop", async () => {
    const taken = appSaying("other");
    flow = await Flow.start([fixed("x", { policies: policies() })], { filters: { counting } });
    const failing = fixed("x", { name: "c", port: taken.port, policies: policies() });
    await refusal(flow.reload([fixed("x", { policies: policies() }), failing]));
    expect([...open]).toEqual([0]);
    (await flow.traffic.prepare(flow.config([fixed("x", { policies: policies() })]))).abort();
    expect([...open]).toEqual([0]);
    stop();
    expect(open.size).toBe(0);
  });
});
