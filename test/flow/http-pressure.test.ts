import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { FlowProcess } from "../kit/flow-process.ts";
import { ask, readAnswer, readHead, readRequestBody } from "../kit/message.ts";
import { type Framing, framingField, sendPayload, sha256Of } from "../kit/payload.ts";
import { blackHole, deadPort } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
const bytes = 256 * mebibyte;
const most = 64 * mebibyte;
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let app: App | undefined;
let flow: FlowProcess;

afterEach(async () => {
  app?.stop();
  app = undefined;
  expect(await flow.stop()).toBe(0);
});

/** Fifty requests on ten connections. */
async function others(): Promise<void> {
  const one = async () => {
    const client = await flow.connect("quick");
    for (let i = 0; i < 5; i++) expect((await ask(client)).text).toBe("quick");
    client.close();
  };
  await Promise.all(Array.from({ length: 10 }, one));
}

/** Waits until a count stands still: everybody's buffers are full. */
async function standstill(count: () => number): Promise<void> {
  let before = -1;
  await until(
    async () => {
      await Bun.sleep(100);
      const now = count();
      const still = now > 0 && now === before;
      before = now;
      return still;
    },
    { what: "a standstill" },
  );
}

/** The most resident memory beyond the start, while `work` runs. */
async function growth(work: Promise<unknown>): Promise<number> {
  let done = false;
  let highest = 0;
  const finished = work.finally(() => {
    done = true;
  });
  while (!done) {
    const { rssBytes } = await flow.figures();
    highest = Math.max(highest, rssBytes - flow.start.rssBytes);
    await Promise.race([finished.catch(() => {}), Bun.sleep(20)]);
  }
  await finished;
  return highest;
}

async function withQuick(port: number): Promise<void> {
  flow = await FlowProcess.start({
    listeners: [
      { to: port },
      { name: "quick", routes: [{ respond: { status: 200, headers: [], body: { text: "quick" } } }] },
    ],
    options: {},
  });
}

describe("256 MiB take little memory", () => {
  test.each(["length", "chunked", "close"] as const)(
    "down to a client that stalls, framing %s",
    async (framing: Framing) => {
      app = new App(async (wire) => {
        await readHead(wire);
        await wire.send(`HTTP/1.1 200 OK\r\n${framingField(framing, bytes)}\r\n`);
        await sendPayload(wire, bytes, framing);
        if (framing === "close") wire.close();
      });
      await withQuick(app.port);
      const work = async () => {
        const client = await flow.connect();
        await client.send(get);
        await readHead(client).then((head) =>
          client.unread(
            Buffer.from(`${head!.start}\r\n${head!.fields.map((field) => field.join(": ")).join("\r\n")}\r\n\r\n`),
          ),
        );
        client.stall();
        await others();
        await Bun.sleep(300);
        client.read();
        const { sha256, complete } = await readAnswer(client);
        expect({ sha256, complete }).toEqual({ sha256: sha256Of(bytes), complete: true });
      };
      expect(await growth(work())).toBeLessThan(most);
    },
    20_000,
  );

  test.each(["length", "chunked"] as const)(
    "up to an app that stalls, framing %s",
    async (framing: Framing) => {
      let upstream: Wire | undefined;
      app = new App(async (wire) => {
        const head = await readHead(wire);
        wire.stall();
        upstream = wire;
        const { sha256 } = await readRequestBody(wire, head!);
        await wire.send(ok(sha256));
      });
      await withQuick(app.port);
      const work = async () => {
        const client = await flow.connect();
        await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framingField(framing, bytes)}\r\n`);
        const sending = sendPayload(client, bytes, framing);
        await until(() => upstream !== undefined);
        await others();
        await Bun.sleep(300);
        upstream!.read();
        await sending;
        expect((await readAnswer(client)).text).toBe(sha256Of(bytes));
      };
      expect(await growth(work())).toBeLessThan(most);
    },
    20_000,
  );

  test("in 1xx answers that the client does not take", async () => {
    const hint = `HTTP/1.1 103 Early Hints\r\nLink: ${"x".repeat(60_000)}\r\n\r\n`;
    let sent = 0;
    app = new App(async (wire) => {
      await readHead(wire);
      for (; sent < bytes; sent += hint.length) await wire.send(hint);
      await wire.send(ok("at last"));
    });
    await withQuick(app.port);
    const client = await flow.connect();
    client.stall();
    await client.send(get);
    expect(await growth(standstill(() => sent))).toBeLessThan(most);
    expect(sent).toBeLessThan(bytes);
    client.read();
    expect((await readAnswer(client)).text).toBe("at last");
  }, 20_000);

  test("in requests sent ahead by a client that takes no answers", async () => {
    app = App.answering(() => ok("x".repeat(10_000)));
    await withQuick(app.port);
    const client = await flow.connect();
    client.stall();
    let sent = 0;
    let ended = false;
    const asking = (async () => {
      for (; !ended; sent += 100) await client.send(get.repeat(100));
    })();
    expect(await growth(standstill(() => sent))).toBeLessThan(most);
    await others();
    ended = true;
    client.read();
    for (let i = 0; i < 1000; i++) expect((await readAnswer(client)).length).toBe(10_000);
    client.reset();
    await asking;
  }, 20_000);
});

describe("descriptors", () => {
  test("that run short cost 503 overloaded above the limit, and all is well afterwards", async () => {
    app = App.answering(() => ok("x"));
    flow = await FlowProcess.start({ listeners: [{ to: app.port }], options: { maxConnections: 60 } }, 256);
    const inside = await Promise.all(Array.from({ length: 60 }, () => flow.connect()));
    await Promise.all(inside.map(async (client) => expect((await ask(client)).text).toBe("x")));
    const { cpuMs } = await flow.figures();
    const outside = await Promise.all(Array.from({ length: 500 }, () => flow.connect()));
    const refused = outside.map(async (client) => {
      const { head, text } = await readAnswer(client);
      expect([head.status, JSON.parse(text).code]).toEqual([503, "overloaded"]);
    });
    await Promise.all(refused);
    // Without descriptors to accept with, the runtime spins: a core for each second that refused clients linger.
    expect((await flow.figures()).cpuMs - cpuMs).toBeLessThan(1500);
    await Promise.all(inside.map(async (client) => expect((await ask(client)).text).toBe("x")));
    for (const client of [...outside, ...inside]) client.close();
    await until(async () => (await flow.figures()).connections === 0);
    expect((await ask(await flow.connect())).text).toBe("x");
    expect((await flow.figures()).failures).toEqual({ overloaded: 500 });
  }, 20_000);

  test("that are gone for good are outlived", async () => {
    app = App.answering(() => ok("x"));
    // More connections are allowed than there are descriptors for.
    const options = { maxConnections: 10_000, memoryLimitBytes: 2 ** 40 };
    flow = await FlowProcess.start({ listeners: [{ to: app.port }], options }, 128);
    const clients = await Promise.all(Array.from({ length: 300 }, () => flow.connect()));
    await Bun.sleep(1500); // the memory is looked at each second
    expect(flow.running).toBe(true);
    for (const client of clients) client.reset();
    await until(async () => {
      const client = await flow.connect();
      const { head } = await ask(client).catch(() => ({ head: undefined }));
      client.close();
      return head?.status === 200;
    });
  }, 20_000);

  test("are not used up by an upstream that accepts nothing, which is used again once it does", async () => {
    const hole = await blackHole();
    flow = await FlowProcess.start({ listeners: [{ to: hole.port, timeouts: { connectMs: 200 } }], options: {} });
    const before = await flow.figures();
    const clients = await Promise.all(Array.from({ length: 60 }, () => flow.connect()));
    for (let round = 0; round < 8; round++) {
      const codes = clients.map(async (client) => JSON.parse((await ask(client)).text).code);
      expect(new Set(await Promise.all(codes))).toEqual(new Set(["upstream_connect_timeout"]));
    }
    // 480 were asked for; the kernel keeps each for two minutes.
    const held = (await flow.figures()).descriptors - before.descriptors - clients.length;
    expect(held).toBeLessThan(200);
    hole.close();
    app = App.answering(() => ok("back"), hole.port);
    await until(async () => (await ask(clients[0]!)).text === "back");
    for (const client of clients) client.close();
  }, 20_000);

  test("of a thousand failed connects to the upstream are given back", async () => {
    flow = await FlowProcess.start({ listeners: [{ to: deadPort() }], options: {} });
    const before = (await flow.figures()).descriptors;
    const client = await flow.connect();
    for (let i = 0; i < 1000; i++) expect((await ask(client)).head.status).toBe(502);
    client.close();
    await until(async () => (await flow.figures()).descriptors <= before);
  });
});

test("10,000 idle connections are held, and new ones are served", async () => {
  app = App.answering(() => ok("x"));
  flow = await FlowProcess.start({
    listeners: [{ to: app.port, timeouts: { headMs: 60_000 } }],
    options: { maxConnections: 11_000 },
  });
  const before = await flow.figures(true);
  const idle: Wire[] = [];
  while (idle.length < 10_000) {
    idle.push(...(await Promise.all(Array.from({ length: 250 }, () => flow.connect()))));
  }
  await until(async () => (await flow.figures()).connections === 10_000, { what: "10,000 connections" });
  expect((await ask(await flow.connect())).text).toBe("x");
  // Every one of them still works.
  for (let i = 0; i < 10_000; i += 97) expect((await ask(idle[i]!)).text).toBe("x");
  const after = await flow.figures(true);
  const each = (after.rssBytes - before.rssBytes) / 10_000;
  expect(each).toBeLessThan(8 * 1024);
  for (const client of idle) client.close();
  await until(async () => (await flow.figures()).connections <= 1);
}, 30_000);
