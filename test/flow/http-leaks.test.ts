import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { App, chunkedOk, ok } from "../kit/app.ts";
import { Flow } from "../kit/flow.ts";
import { readAnswer, readHead, readRequestBody } from "../kit/message.ts";
import { sendPayload } from "../kit/payload.ts";
import { deadPort } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const exchanges = 5000;
function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** What the app does with a request, by its path. */
async function misbehave(wire: Wire): Promise<void> {
  for (;;) {
    const head = await readHead(wire);
    if (head === undefined) return wire.close();
    if (head.target === "/refuse") return wire.close();
    if (head.target === "/reset") return wire.reset();
    if (head.target === "/silent") return void (await wire.ending());
    await readRequestBody(wire, head);
    if (head.target === "/half") {
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      return wire.close();
    }
    if (head.target === "/endless") {
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
      await sendPayload(wire, 1_000_000_000, "length");
      return;
    }
    if (head.target === "/until-close") {
      await wire.send("HTTP/1.1 200 OK\r\n\r\nall");
      return wire.close();
    }
    await wire.send(head.target === "/chunked" ? chunkedOk(["a", "b"]) : ok(head.target));
  }
}

function get(path: string, fields = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

/** Each is one exchange, from a fresh connection to its end on the client's side. */
const scenes: ((client: Wire) => Promise<void>)[] = [
  async (client) => {
    await client.send(get("/plain"));
    expect((await readAnswer(client)).text).toBe("/plain");
    client.close();
  },
  async (client) => {
    await client.send(get("/chunked", "Connection: close\r\n"));
    expect((await readAnswer(client)).text).toBe("ab");
    expect(await client.ending()).toBe("fin");
    client.close();
  },
  async (client) => {
    await client.send("GET /until-close HTTP/1.0\r\n\r\n");
    expect((await readAnswer(client)).text).toBe("all");
    client.close();
  },
  async (client) => {
    await client.send("POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    expect((await readAnswer(client)).text).toBe("/post");
    client.reset();
  },
  async (client) => {
    await client.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome");
    client.close();
  },
  async (client) => {
    await client.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome");
    client.reset();
  },
  async (client) => {
    await client.send(get("/endless"));
    await client.some();
    client.reset();
  },
  async (client) => {
    await client.send(get("/half"));
    expect((await readAnswer(client)).complete).toBe(false);
    client.close();
  },
  ...["/refuse", "/reset", "/dead"].map((path) => async (client: Wire) => {
    await client.send(get(path));
    expect((await readAnswer(client)).head.status).toBe(502);
    client.close();
  }),
  async (client) => {
    await client.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    expect((await readAnswer(client)).head.status).toBe(400);
    client.close();
  },
  async (client) => {
    await client.send(`POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n`);
    expect((await readAnswer(client)).head.status).toBe(413);
    client.reset();
  },
  async (client) => {
    await client.send(get("/fixed"));
    expect((await readAnswer(client)).text).toBe("fixed");
    client.finish();
    expect(await client.ending()).toBe("fin");
  },
  async (client) => {
    await client.send("GET /nev");
    client.reset();
  },
  async (client) => {
    client.close();
  },
];

/** These take as long as a timeout: fewer of them. */
const slowScenes: typeof scenes = [
  async (client) => {
    await client.send(get("/silent"));
    expect((await readAnswer(client)).head.status).toBe(504);
    client.close();
  },
  async (client) => {
    await client.send("GET /nev");
    expect((await readAnswer(client)).head.status).toBe(408);
    client.close();
  },
  async (client) => {
    await client.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nsome");
    expect((await readAnswer(client)).head.status).toBe(408);
    client.close();
  },
];

test("5,000 exchanges of every kind leave nothing behind", async () => {
  const before = descriptors();
  const app = new App(misbehave);
  const timeouts = { headMs: 500, responseMs: 500, idleMs: 600 };
  const flow = await Flow.start([
    { name: "hasty", to: app.port, timeouts },
    {
      to: app.port,
      routes: [
        { match: { path: { exact: "/fixed" } }, respond: { status: 200, headers: [], body: { text: "fixed" } } },
        { match: { path: { exact: "/dead" } }, to: deadPort() },
        { match: { path: { exact: "/limited" } }, to: app.port, maxBodyBytes: 10 },
      ],
    },
  ]);
  let next = 0;
  const play = async () => {
    while (next < exchanges) {
      const number = next++;
      if (number % 40 === 39) await slowScenes[number % slowScenes.length]!(await flow.connect("hasty"));
      else await scenes[number % scenes.length]!(await flow.connect());
    }
  };
  await Promise.all(Array.from({ length: 32 }, play));
  await flow.quiet();
  expect(flow.values.get('outrigger_connections{direction="inbound",listener="web"}')).toBe(0);
  // The pool's idle connections have their own three seconds.
  await until(() => flow.traffic.engine.wheel.size === 0, { what: "an empty wheel" });
  await until(() => app.openConnections === 0, { what: "an end of the upstream's connections" });
  await until(() => descriptors() <= before + 3, { what: "as many descriptors as before" }); // and three listeners
  app.stop();
  flow.stop();
}, 30_000);

test("an exception in the engine ends its connection, is seen as what it is, and hurts nobody else", async () => {
  const kit = JSON.stringify(join(import.meta.dirname, "../kit"));
  const script = `
    const { Flow } = await import(${kit} + "/flow.ts");
    const { readAnswer } = await import(${kit} + "/message.ts");
    process.on("uncaughtException", (error) => process.stdout.write("uncaught: " + error.message + "\\n"));
    const flow = await Flow.start([{ routes: [{ respond: { status: 200, headers: [], body: { text: "fine" } } }] }]);
    const { engine } = flow.traffic;
    const [one, other] = [await flow.connect(), await flow.connect()];
    const { nextId } = engine;
    engine.nextId = () => {
      engine.nextId = nextId;
      throw new TypeError("a bug");
    };
    const get = "GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n";
    await one.send(get);
    process.stdout.write("one: " + (await one.ending()) + "\\n");
    await other.send(get);
    process.stdout.write("other: " + (await readAnswer(other)).text + "\\n");
    other.close();
    await flow.quiet();
    process.exit(0);
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  expect((await child.stdout.text()).split("\n").sort()).toEqual(["", "one: reset", "other: fine", "uncaught: a bug"]);
  expect(await child.exited).toBe(0);
});
