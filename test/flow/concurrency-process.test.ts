/** A whole sidecar with `concurrency`, as a container runs it. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { allottedCores } from "../../src/limits.ts";
import { App, ok } from "../kit/app.ts";
import { ask, readAnswer } from "../kit/message.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

// Other work may share these cores.
setDefaultTimeout(120_000);

const oddSidecar = join(import.meta.dirname, "../kit/odd-sidecar.ts");
const get = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

let pod: Pod;
const apps: App[] = [];
beforeEach(() => {
  pod = new Pod();
});
afterEach(async () => {
  await pod.remove();
  for (const app of apps.splice(0)) app.stop();
});

function appOf(answer: Parameters<typeof App.answering>[0]): App {
  const app = App.answering(answer);
  apps.push(app);
  return app;
}

/** A busy machine may take its time to accept a thousand connections. */
const patient = "timeouts: { connect: 30s }";

const forwarding = (app: App, more = "") =>
  `concurrency: 2\ninbound:\n  - { name: web, listen: "127.0.0.1:0", to: "http://127.0.0.1:${app.port}", ${patient} }\n${more}`;

const portOf = (sidecar: SidecarProcess) => Number(sidecar.address("web").split(":").at(-1));

async function connect(sidecar: SidecarProcess, count: number): Promise<Wire[]> {
  const wires: Wire[] = [];
  while (wires.length < count) wires.push(await Wire.connect(portOf(sidecar)));
  return wires;
}

describe("the access log of two threads", () => {
  test("has every request once, in lines that are whole, and the numbers agree", async () => {
    const app = appOf(() => ok("x"));
    const sidecar = await pod.start(forwarding(app).replace(" } }\n", " }, logAccess: true }\n"));
    const wires = await connect(sidecar, 20);
    await Promise.all(
      wires.map(async (wire) => {
        for (let i = 0; i < 200; i++) await ask(wire, get(`/${"long".repeat(i % 50)}`));
      }),
    );
    const labels = 'direction="inbound",listener="web",route="default",class="2xx"';
    expect(await sidecar.metric(`outrigger_requests_total{${labels}}`)).toBe(4000);
    expect(await sidecar.metric("outrigger_traffic_threads")).toBe(2);
    expect(await sidecar.stop()).toBe(0);
    const records = sidecar.records.map((line) => JSON.parse(line));
    expect(records).toHaveLength(4000);
    expect(new Set(records.map(({ id }) => id)).size).toBe(4000);
    expect([...new Set(records.map(({ id }) => id[0]))].sort()).toEqual(["1", "2"]);
    expect(sidecar.complaints).toEqual([]);
  });
});

describe("a reload under a thousand requests", () => {
  test("that are on their way breaks none of them", async () => {
    const held = Promise.withResolvers<void>();
    const app = appOf(async ({ head }) => {
      if (head.target === "/held") await held.promise;
      return ok(head.target);
    });
    const sidecar = await pod.start(forwarding(app));
    const wires = await connect(sidecar, 1000);
    for (const wire of wires) await wire.send(get("/held"));
    await until(() => app.requests.length === 1000, { what: "a thousand requests at the app", deadlineMs: 60_000 });
    for (let reloads = 0; reloads < 5; reloads++) {
      pod.write(forwarding(app, `shutdown: { grace: ${20 + reloads}s }`));
      sidecar.signal("SIGHUP");
      await sidecar.event("config_applied", { after: reloads });
    }
    held.resolve();
    for (const wire of wires) expect((await readAnswer(wire)).text).toBe("/held");
    const again = await Promise.all(wires.map((wire) => ask(wire, get("/again"))));
    expect(again.filter(({ text }) => text === "/again")).toHaveLength(1000);
    expect(sidecar.count("request_failed")).toBe(0);
    expect(sidecar.count("listener_bound")).toBe(1);
    expect(sidecar.count("listener_closed")).toBe(0);
    for (const wire of wires) wire.close();
    expect(await sidecar.stop()).toBe(0);
  });

  test("that follow each other breaks none of them", async () => {
    const app = appOf(() => ok("x"));
    const sidecar = await pod.start(forwarding(app));
    const wires = await connect(sidecar, 100);
    let ended = false;
    let answered = 0;
    const asking = wires.map(async (wire) => {
      while (!ended) {
        expect((await ask(wire, get())).head.status).toBe(200);
        answered++;
      }
    });
    for (let reloads = 0; reloads < 10; reloads++) {
      pod.write(forwarding(app, `shutdown: { grace: ${20 + reloads}s }`));
      sidecar.signal("SIGHUP");
      await sidecar.event("config_applied", { after: reloads });
    }
    ended = true;
    await Promise.all(asking);
    expect(answered).toBeGreaterThan(1000);
    expect(sidecar.count("request_failed")).toBe(0);
    expect(await sidecar.stop()).toBe(0);
  });
});

describe("a change of concurrency", () => {
  test("needs a restart, which is said; until then everything goes on", async () => {
    const app = appOf(() => ok("x"));
    const sidecar = await pod.start(forwarding(app));
    pod.write(forwarding(app).replace("concurrency: 2", "concurrency: 3"));
    sidecar.signal("SIGHUP");
    expect(await sidecar.event("config_restart_needed")).toMatchObject({ keys: ["concurrency"] });
    expect(await sidecar.metric("outrigger_traffic_threads")).toBe(2);
    expect((await ask((await connect(sidecar, 1))[0]!)).text).toBe("x");
    expect(await sidecar.stop()).toBe(0);
  });
});

test("auto is a thread for each core, and main alone where there is one", async () => {
  const sidecar = await pod.start(forwarding(appOf(() => ok("x"))).replace("concurrency: 2", "concurrency: auto"));
  const cores = allottedCores();
  expect(await sidecar.metric("outrigger_traffic_threads")).toBe(cores === 1 ? 0 : cores);
  expect((await ask((await connect(sidecar, 1))[0]!)).text).toBe("x");
  expect(await sidecar.stop()).toBe(0);
});

describe("a start with two threads", () => {
  test("on a taken port ends with 3 and says who stands in the way", async () => {
    const taken = appOf(() => ok("x"));
    const config = forwarding(appOf(() => ok("x"))).replace("127.0.0.1:0", `127.0.0.1:${taken.port}`);
    const sidecar = pod.spawn(config);
    expect(await sidecar.exited).toBe(3);
    expect(sidecar.errorText).toBe(
      `${pod.configPath}: inbound "web": cannot listen on 127.0.0.1:${taken.port}: the port is taken by another process; choose another port or stop that process`,
    );
  });

  test("of a sidecar whose address another one like it has fails, too", async () => {
    const app = appOf(() => ok("x"));
    const first = await pod.start(forwarding(app));
    const config = forwarding(app).replace("127.0.0.1:0", first.address("web"));
    const second = pod.spawn(config);
    expect(await second.exited).toBe(3);
    expect(second.errorText).toContain("the port is taken by another process");
    for (const wire of await connect(first, 10)) expect((await ask(wire)).text).toBe("x");
    expect(await first.stop()).toBe(0);
  });
});

describe("SIGTERM with two threads", () => {
  test("in the middle of requests: all are answered, each on its last connection", async () => {
    const held = Promise.withResolvers<void>();
    const app = appOf(async () => {
      await held.promise;
      return ok("x");
    });
    const sidecar = await pod.start(forwarding(app, "shutdown: { grace: 8s }"));
    const wires = await connect(sidecar, 20);
    for (const wire of wires) await wire.send(get());
    await until(() => app.requests.length === 20, { what: "all requests at the app" });
    sidecar.signal("SIGTERM");
    expect(await sidecar.event("draining")).toMatchObject({ exchanges: 20 });
    held.resolve();
    for (const wire of wires) {
      const { head, text } = await readAnswer(wire);
      expect([text, head.field("connection")]).toEqual(["x", "close"]);
    }
    expect(await sidecar.exited).toBe(0);
    expect(sidecar.count("exchanges_cut")).toBe(0);
  });

  test("cuts what never ends within the grace, and counts it", async () => {
    const app = appOf(() => new Promise<string>(() => {}));
    const sidecar = await pod.start(forwarding(app, "shutdown: { grace: 2s }"));
    const wires = await connect(sidecar, 10);
    for (const wire of wires) await wire.send(get());
    await until(() => app.requests.length === 10, { what: "all requests at the app" });
    sidecar.signal("SIGTERM");
    expect(await sidecar.exited).toBe(0);
    const cut = sidecar.entries.filter(({ event }) => event === "exchanges_cut").map(({ count }) => Number(count));
    expect(cut.reduce((sum, count) => sum + count, 0)).toBe(10);
    for (const wire of wires) expect(await wire.ending()).toBe("fin");
  });
});

describe("a thread that", () => {
  const odd = (app: App, more = "") =>
    pod.start(forwarding(app, more).replace(" } }\n", " }, logAccess: true }\n"), { program: oddSidecar });

  test("is stuck does not keep the sidecar from stopping in time", async () => {
    const sidecar = await odd(
      appOf(() => ok("x")),
      "shutdown: { grace: 2s }",
    );
    const [wire] = await connect(sidecar, 1);
    await wire!.send(get("/stall-for-long"));
    await Bun.sleep(100);
    const startedAt = performance.now();
    sidecar.signal("SIGTERM");
    expect(await sidecar.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(8000);
  });

  test("throws what nobody catches goes on, and says it", async () => {
    const sidecar = await odd(appOf(() => ok("x")));
    const [wire] = await connect(sidecar, 1);
    expect((await ask(wire!, get("/throw-later"))).text).toBe("x");
    expect(await sidecar.event("unexpected_error")).toMatchObject({ error: "Error: nobody catches this" });
    expect(await sidecar.metric("outrigger_unexpected_errors_total")).toBe(1);
    expect((await ask(wire!)).text).toBe("x");
    expect(sidecar.count("traffic_thread_failed")).toBe(0);
  });

  test("ends by itself ends the sidecar in good order: what runs in the others is answered, the exit code is 70", async () => {
    const held = Promise.withResolvers<void>();
    const app = appOf(async ({ head }) => {
      if (head.target === "/held") await held.promise;
      return ok("x");
    });
    const sidecar = await odd(app);
    const wires = await connect(sidecar, 20);
    for (const wire of wires) await wire.send(get("/held"));
    await until(() => app.requests.length === 20, { what: "all requests at the app" });
    const [last] = await connect(sidecar, 1);
    await last!.send(get("/exit"));
    expect(await sidecar.event("traffic_thread_failed")).toMatchObject({ level: "error" });
    expect(await sidecar.metric("outrigger_traffic_thread_failures_total")).toBe(1);
    expect((await fetch(`${sidecar.healthUrl}/ready`)).status).toBe(503);
    held.resolve();
    const outcomes = await Promise.all(
      wires.map((wire) =>
        readAnswer(wire).then(
          ({ text }) => text,
          () => "lost",
        ),
      ),
    );
    const answered = outcomes.filter((text) => text === "x").length;
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(20);
    expect(await sidecar.exited).toBe(70);
    expect(sidecar.count("stopped")).toBe(1);
  });
});

test("one thread is main: no other thread is started", async () => {
  const app = appOf(() => ok("x"));
  const sidecar = await pod.start(forwarding(app).replace("concurrency: 2", "concurrency: 1"));
  const [wire] = await connect(sidecar, 1);
  expect((await ask(wire!)).text).toBe("x");
  expect(await sidecar.metric("outrigger_traffic_threads")).toBe(0);
  const text = await (await fetch(`${sidecar.healthUrl}/metrics`)).text();
  expect(text.match(/^outrigger_event_loop_lag_seconds.*thread="([^"]+)"/gm)).toHaveLength(1);
  writeFileSync(pod.configPath, "");
  expect(await sidecar.stop()).toBe(0);
});
