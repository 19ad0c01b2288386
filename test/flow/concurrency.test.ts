/** Traffic in several threads, each with listeners on the same addresses: as one part, as if it were one thread. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { exposition } from "../../src/admin/metrics.ts";
import { UserError } from "../../src/errors.ts";
import { spineMetrics } from "../../src/metrics.ts";
import { App, ok } from "../kit/app.ts";
import { forwardTo, type ListenerOptions, respond } from "../kit/engine.ts";
import { ask, readAnswer } from "../kit/message.ts";
import { Threads, type ThreadsOptions } from "../kit/threads.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const fixed = (text: string, more: Partial<ListenerOptions> = {}): ListenerOptions => ({
  routes: respond(200, text),
  ...more,
});

let threads: Threads;
const apps: App[] = [];
afterEach(async () => {
  await threads.stop();
  for (const app of apps.splice(0)) app.stop();
});

async function start(listeners: ListenerOptions | readonly ListenerOptions[], options?: ThreadsOptions) {
  threads = await Threads.start(listeners, options);
}

/** An app that answers with the id each request came with. */
function appTellingIds(): App {
  const app = App.answering(({ head }) => ok(String(head.field("x-request-id"))));
  apps.push(app);
  return app;
}

async function said(wire: Wire, path = "/"): Promise<string> {
  return (await ask(wire, get(path))).text;
}

async function refusal(work: Promise<unknown>): Promise<UserError> {
  const outcome = await work.then(
    () => "it worked",
    (error: unknown) => error,
  );
  if (outcome instanceof UserError) return outcome;
  throw new Error(`not refused: ${outcome}`);
}

/** One connection to each thread, told by the ids of their requests. */
async function oneToEach(count: number): Promise<Wire[]> {
  const found = new Map<string, Wire>();
  while (found.size < count) {
    const [wire] = await threads.connect(1);
    const number = (await said(wire!)).split("-")[0]!;
    if (found.has(number)) wire!.close();
    else found.set(number, wire!);
  }
  return [...found].sort(([a], [b]) => a.localeCompare(b)).map(([, wire]) => wire);
}

describe("connections", () => {
  test("are spread over all threads, and every request's id says which one has it", async () => {
    await start({ routes: forwardTo(appTellingIds().port) }, { count: 3 });
    const wires = await threads.connect(90);
    const ids = await Promise.all(wires.map((wire) => said(wire)));
    const numbers = ids.map((id) => id.split("-")[0]);
    expect([...new Set(numbers)].sort()).toEqual(["1", "2", "3"]);
    for (const number of ["1", "2", "3"]) expect(numbers.filter((one) => one === number).length).toBeGreaterThan(5);
    expect(new Set(ids).size).toBe(90);
    expect(threads.traffic.active.connections).toBe(90);
  });

  test("are limited over all threads together", async () => {
    await start(fixed("in"), { count: 3, maxConnections: 5 });
    const wires = await threads.connect(5);
    for (const wire of wires) expect(await said(wire)).toBe("in");
    for (let i = 0; i < 10; i++) {
      const refused = await Wire.connect(threads.port());
      expect((await readAnswer(refused)).head.status).toBe(503);
      await refused.ending();
    }
    wires[0]!.close();
    await until(() => threads.traffic.active.connections === 4, { what: "a free place" });
    const [next] = await threads.connect(1);
    expect(await said(next!)).toBe("in");
    expect(threads.total("outrigger_failures_total")).toBe(10);
  });

  test("are refused their requests by every thread when memory is short", async () => {
    let resident = 10;
    await start(fixed("in"), { count: 2, memoryLimitBytes: 100, residentBytes: () => resident });
    const statuses = async () => {
      const wires = await threads.connect(10);
      const answers = await Promise.all(wires.map((wire) => ask(wire, get("/"))));
      for (const wire of wires) wire.close();
      return answers.map(({ head }) => head.status);
    };
    expect(new Set(await statuses())).toEqual(new Set([200]));
    resident = 200;
    await until(async () => (await statuses()).every((status) => status === 503), { what: "refusals" });
    resident = 10;
    await until(async () => (await statuses()).every((status) => status === 200), { what: "answers" });
  });
});

describe("an address", () => {
  test("that another process has is refused, even one that would share it", async () => {
    const stranger = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      ...{ reusePort: true },
      socket: { open: (socket) => void socket.end("stranger"), data() {} },
    });
    await start(fixed("old", { name: "a" }));
    const wanted = [fixed("new", { name: "a" }), fixed("b", { name: "b", port: stranger.port })];
    const { message, exitCode } = await refusal(threads.apply(wanted));
    expect(message).toBe(
      `outrigger.yaml: inbound "b": cannot listen on 127.0.0.1:${stranger.port}: the port is taken by another process; choose another port or stop that process`,
    );
    expect(exitCode).toBe(3);
    for (const wire of await threads.connect(10)) expect(await said(wire)).toBe("old");
    stranger.stop(true);
    await threads.apply(wanted);
    for (const wire of await threads.connect(10, "b")) expect(await said(wire)).toBe("b");
  });

  test("on a port of our own needs a restart, which is said", async () => {
    await start(fixed("a"));
    const listen = { host: undefined, port: 0, text: "" };
    const port = threads.port();
    await threads.apply([]);
    await threads.apply(fixed("a", { port }));
    const everywhere = threads.config(fixed("a"));
    const changed = { ...everywhere.inbound[0]!, listen: { ...listen, port, text: `${port}` } };
    const { message } = await refusal(threads.traffic.prepare({ ...everywhere, inbound: [changed] }));
    expect(message).toContain(`the port is this sidecar's own, on 127.0.0.1:${port}; a change of address`);
  });
});

describe("a reload", () => {
  test("changes all threads, between two requests of a connection, and is said once", async () => {
    await start(fixed("old"), { count: 3 });
    const wires = await threads.connect(30);
    const prepared = await threads.traffic.prepare(threads.config([fixed("new"), fixed("more", { name: "more" })]));
    for (const wire of wires) expect(await said(wire)).toBe("old");
    await prepared.commit();
    for (const wire of wires) expect(await said(wire)).toBe("new");
    for (const wire of await threads.connect(30, "more")) expect(await said(wire)).toBe("more");
    expect(threads.said("listener_bound").map(({ listener }) => listener)).toEqual(["web", "more"]);
  });

  test("that fails in one thread changes none of them and gives back what the others took", async () => {
    await start(fixed("old"), { count: 3 });
    const port = threads.port();
    const memory = new SharedArrayBuffer(4);
    const failing = [fixed("new", { policies: { "fail-once": { memory } } }), fixed("other", { name: "other" })];
    const { message, exitCode } = await refusal(threads.apply(failing));
    expect([message, exitCode]).toEqual(["it fails in the second thread", 1]);
    expect(new Int32Array(memory)[0]).toBe(3);
    for (const wire of await threads.connect(30)) expect(await said(wire)).toBe("old");
    expect(threads.traffic.listeners.map(({ name }) => name)).toEqual(["web"]);
    // The cell has counted on: now it works everywhere, on the same listener.
    await threads.apply(failing);
    expect(threads.port("web")).toBe(port);
    for (const wire of await threads.connect(30)) expect(await said(wire)).toBe("new");
  });

  test("that a stuck thread does not answer is refused, and leaves nothing behind", async () => {
    await start(fixed("old", { policies: { obey: {} } }), { count: 2 });
    const [wire] = await threads.connect(1);
    await wire!.send(get("/stall"));
    await Bun.sleep(50);
    threads.preparingMs = 300;
    const prepared = threads.apply([fixed("new"), fixed("b", { name: "b" })]);
    expect(prepared).rejects.toThrow(/^traffic-[12] does not answer$/);
    await prepared.catch(() => {});
    threads.preparingMs = 60_000;
    expect((await readAnswer(wire!)).text).toBe("old");
    for (const other of await threads.connect(10)) expect(await said(other)).toBe("old");
    await threads.apply([fixed("new"), fixed("b", { name: "b" })]);
    for (const other of await threads.connect(10)) expect(await said(other)).toBe("new");
    for (const other of await threads.connect(10, "b")) expect(await said(other)).toBe("b");
  });

  test("that is given up gives its ports back", async () => {
    await start(fixed("a"));
    const free = appTellingIds();
    const { port } = free;
    free.stop();
    const prepared = await threads.traffic.prepare(threads.config([fixed("a"), fixed("b", { name: "b", port })]));
    await prepared.abort();
    await until(
      () =>
        Wire.connect(port).then(
          () => false,
          () => true,
        ),
      { what: "a closed port" },
    );
    expect(await said((await threads.connect(1))[0]!)).toBe("a");
  });

  test("that removes a listener closes it in every thread; who is connected gets one more answer", async () => {
    await start([fixed("a", { name: "a" }), fixed("b", { name: "b" })], { count: 3 });
    const port = threads.port("a");
    const wires = await threads.connect(20, "a");
    for (const wire of wires) expect(await said(wire)).toBe("a");
    await threads.apply(fixed("b2", { name: "b" }));
    for (const wire of wires) {
      const { head, text } = await ask(wire, get("/"));
      expect([text, head.field("connection")]).toEqual(["a", "close"]);
      expect(await wire.ending()).toBe("fin");
    }
    expect(Wire.connect(port)).rejects.toThrow();
    expect(threads.said("listener_closed")).toHaveLength(1);
  });

  test("a hundred of them while clients ask: nothing is dropped", async () => {
    await start(fixed("0"), { count: 2 });
    let ended = false;
    let asked = 0;
    const wires = await threads.connect(16);
    const asking = wires.map(async (wire) => {
      while (!ended) {
        expect(await said(wire)).toMatch(/^\d+$/);
        asked++;
      }
    });
    for (let i = 1; i <= 100; i++) await threads.apply(fixed(String(i)));
    ended = true;
    await Promise.all(asking);
    expect(asked).toBeGreaterThan(200);
    for (const wire of wires) expect(await said(wire)).toBe("100");
    expect(threads.total("outrigger_failures_total")).toBe(0);
  });

  test("whose options are more than data is refused, with their place", async () => {
    await start(fixed("a"));
    const policies = { obey: { parse: () => 1 } };
    const { message, exitCode } = await refusal(threads.apply(fixed("b", { policies })));
    expect(message).toBe(
      'outrigger.yaml: inbound "web": the options of obey hold more than plain data, and so cannot be used with concurrency above 1; remove concurrency',
    );
    expect(exitCode).toBe(1);
    expect(await said((await threads.connect(1))[0]!)).toBe("a");
  });

  test("carries regular expressions and ranges of addresses to the threads", async () => {
    const app = App.answering(({ head }) => ok(String(head.field("x-forwarded-for"))));
    apps.push(app);
    const match = { headers: [{ name: "x-v", matches: /^v[0-9]+$/u }] };
    await start({
      trust: [{ text: "127.0.0.0/8", base: 0xffff7f000000n, bits: 104 }],
      routes: [{ match, action: forwardTo(app.port) }, { action: respond(404, "no") }],
    });
    const asked = (version: string) =>
      `GET / HTTP/1.1\r\nHost: a\r\nX-V: ${version}\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n`;
    for (const wire of await threads.connect(10)) {
      expect((await ask(wire, asked("v17"))).text).toBe("9.9.9.9, 127.0.0.1");
      expect((await ask(wire, asked("x"))).text).toBe("no");
    }
  });
});

describe("filters", () => {
  test("run in the thread that has the connection, also over pieces of bodies", async () => {
    const app = App.answering(() => ok("quiet"));
    apps.push(app);
    await start({ routes: forwardTo(app.port), policies: { shout: {} } });
    for (const wire of await threads.connect(10)) expect(await said(wire)).toBe("QUIET");
  });

  test("leave records in a ring of their thread, whole and in order", async () => {
    await start(fixed("x", { policies: { keep: {} } }), { count: 2 });
    const wires = await threads.connect(20);
    for (let i = 0; i < 10; i++) await Promise.all(wires.map((wire, at) => said(wire, `/${at}/${i}`)));
    const records = threads.takeRecords();
    expect(records.flat()).toHaveLength(200);
    expect(records.every((one) => one.length > 0)).toBe(true);
    for (const [at, one] of records.entries()) {
      const sequence = one.map((record) => Number.parseInt(record.split(" ")[0]!.split("-")[2]!, 16));
      expect(one.every((record) => record.startsWith(`${at + 1}-`))).toBe(true);
      expect(sequence).toEqual([...sequence].sort((a, b) => a - b));
    }
  });
});

describe("numbers and events", () => {
  test("of all threads are one series, and one log", async () => {
    await start(fixed("x", { policies: { obey: {} } }), { count: 3 });
    const wires = await threads.connect(30);
    await Promise.all(wires.map((wire) => said(wire, "/say/1")));
    const scrape = () => exposition(spineMetrics, [threads.metrics, ...threads.traffic.metricsSources()]);
    const labels = 'direction="inbound",listener="web"';
    // A client has its answer a moment before the exchange counts as ended.
    await until(() => scrape().includes(`outrigger_request_duration_seconds_count{${labels}} 30\n`), {
      what: "the end",
    });
    const text = scrape();
    expect(text).toContain(`outrigger_requests_total{${labels},route="default",class="2xx"} 30\n`);
    expect(text).toContain(`outrigger_connections{${labels}} 30\n`);
    expect(text).toContain(`outrigger_request_duration_seconds_count{${labels}} 30\n`);
    expect(text.match(/^outrigger_connections\{/gm)).toHaveLength(1);
    expect(threads.total("obeyed_total")).toBe(30);
    await until(() => threads.said("obeyed").length === 30, { what: "all lines" });
  });

  test("more than the ring takes are dropped and counted; the rest is in order", async () => {
    await start({ routes: respond(200, "x"), policies: { obey: {} } }, { count: 1 });
    const [wire] = await threads.connect(1);
    await wire!.send(get("/say/20000"));
    Bun.sleepSync(1000); // main reads nothing meanwhile
    await readAnswer(wire!);
    const dropped = () => threads.total("outrigger_log_lines_dropped_total");
    expect(dropped()).toBeGreaterThan(0);
    await until(() => threads.said("obeyed").length + dropped() === 20_000, { what: "the other lines" });
    const numbers = threads.said("obeyed").map(({ number }) => Number(number));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    await said(wire!, "/say/1");
    await until(() => threads.said("log_lines_dropped").length === 1, { what: "the event" });
    expect(threads.said("log_lines_dropped")[0]).toMatchObject({ level: "warn", count: dropped() });
  });

  test("a loop that is late, or stuck, shows under its thread", async () => {
    await start({ routes: forwardTo(appTellingIds().port), policies: { obey: {} } }, { count: 2 });
    const [, second] = await oneToEach(2);
    const lags = () =>
      Object.fromEntries(threads.traffic.takeLoopLags().map(({ thread, seconds }) => [thread, seconds]));
    await until(() => lags()["traffic-2"]! < 0.5, { what: "a loop in time" });
    await second!.send(get("/stall"));
    await Bun.sleep(3300);
    const stuck = lags();
    expect(stuck["traffic-2"]).toBeGreaterThan(0.2);
    expect(stuck["traffic-1"]).toBeLessThan(stuck["traffic-2"]!);
    await until(() => lags()["traffic-2"]! > 2, { what: "the lag, told afterwards" });
    await until(() => lags()["traffic-2"]! < 0.5, { what: "a loop in time again" });
  });
});

describe("a request of our own", () => {
  test("goes out from main, without a listener", async () => {
    const app = App.answering(({ head }) => ok(head.target));
    apps.push(app);
    await start([]);
    const url = `http://127.0.0.1:${app.port}/hello`;
    const answer = await threads.traffic.request({
      url,
      method: "GET",
      headers: [],
      timeoutMs: 5000,
      maxBodyBytes: 100,
    });
    expect(answer).toMatchObject({ status: 200, body: Buffer.from("/hello") });
  });
});

describe("leaving", () => {
  test("an announcement ends connections in every thread, and can be taken back", async () => {
    await start(fixed("x"), { count: 3 });
    const fields = async () => {
      const wires = await threads.connect(15);
      const answers = await Promise.all(wires.map((wire) => ask(wire, get("/"))));
      for (const wire of wires) wire.close();
      return new Set(answers.map(({ head }) => head.field("connection")));
    };
    threads.traffic.announce();
    await until(async () => (await fields()).has("close"), { what: "the announcement" });
    expect(await fields()).toEqual(new Set(["close"]));
    threads.traffic.recant();
    await until(async () => !(await fields()).has("close"), { what: "the end of it" });
  });

  test("waits for what runs in any thread, and tells how much was left", async () => {
    const held = Promise.withResolvers<void>();
    const app = App.answering(async ({ head }) => {
      if (head.target === "/held") await held.promise;
      return ok("done");
    });
    apps.push(app);
    await start({ routes: forwardTo(app.port) }, { count: 2 });
    const wires = await threads.connect(12);
    for (const wire of wires) await wire.send(get("/held"));
    await until(() => app.requests.length === 12, { what: "all requests at the app" });
    threads.traffic.announce();
    await until(() => threads.traffic.active.exchanges === 12, { what: "what runs" });
    expect(await threads.traffic.drain(100)).toEqual({ cut: 12 });
    const drained = threads.traffic.drain(20_000);
    held.resolve();
    for (const wire of wires) expect((await readAnswer(wire)).text).toBe("done");
    expect(await drained).toEqual({ cut: 0 });
    await until(() => threads.traffic.active.exchanges === 0, { what: "the end" });
  });

  test("cuts what is left when it stops", async () => {
    const app = App.answering(() => new Promise<string>(() => {}));
    apps.push(app);
    await start({ routes: forwardTo(app.port) }, { count: 2 });
    const wires = await threads.connect(6);
    for (const wire of wires) await wire.send(get("/"));
    await until(() => app.requests.length === 6, { what: "all requests at the app" });
    const port = threads.port();
    await threads.stop();
    for (const wire of wires) await wire.ending();
    expect(Wire.connect(port)).rejects.toThrow();
    const cut = threads.said("exchanges_cut").reduce((sum, { count }) => sum + Number(count), 0);
    expect(cut).toBe(6);
    expect(threads.total("outrigger_exchanges_cut_total")).toBe(6);
    expect(threads.failures).toBe(0);
  });
});

describe("the unexpected end of a thread", () => {
  test("is an event, a metric and a failure; the other threads answer everybody", async () => {
    await start({ routes: forwardTo(appTellingIds().port), policies: { obey: {} } }, { count: 3 });
    const [first, second, third] = await oneToEach(3);
    await second!.send(get("/say/3"));
    await readAnswer(second!);
    await second!.send(get("/exit"));
    await until(() => threads.failures === 1, { what: "the failure" });
    expect(threads.events.filter(({ event }) => event === "traffic_thread_failed")).toEqual([
      { event: "traffic_thread_failed", fields: { thread: "traffic-2", error: "it ended by itself" } },
    ]);
    expect(totalOfMain("outrigger_traffic_threads")).toBe(2);
    await second!.ending();
    // What it had said before is not lost.
    expect(threads.said("obeyed")).toHaveLength(3);
    for (const wire of [first!, third!]) expect(await said(wire)).toMatch(/^[13]-/);
    for (const wire of await threads.connect(30)) expect(await said(wire)).toMatch(/^[13]-/);
    expect(threads.total("outrigger_connections")).toBe(32);
    expect(threads.traffic.active.connections).toBe(32);
    expect(await threads.traffic.drain(1000)).toEqual({ cut: 0 });
    await first!.send(get("/exit"));
    await first!.ending();
    await until(() => totalOfMain("outrigger_traffic_threads") === 1, { what: "the second failure" });
    expect(threads.failures).toBe(1);
  });
});

function totalOfMain(metric: string): number {
  const { metrics } = threads;
  return metrics.series.filter(({ name }) => name === metric).reduce((sum, { slot }) => sum + metrics.values[slot]!, 0);
}
