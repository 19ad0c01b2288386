import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { readAnswer, readHead } from "../kit/message.ts";
import { sendPayload } from "../kit/payload.ts";
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

async function through(behind: App, wish: ListenerWish = {}): Promise<Wire> {
  app = behind;
  flow = await Flow.start([{ to: behind.port, ...wish }]);
  return flow.connect();
}

describe("an answer that ends its connection", () => {
  const bytes = 12 * mebibyte;
  const body = "x".repeat(bytes);
  const fixed = (wish: ListenerWish = {}): ListenerWish => ({
    routes: [{ respond: { status: 200, headers: [], body: { text: body } } }],
    ...wish,
  });
  const getAndClose = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

  test("reaches a client that takes its time: in our memory, in the kernel's, and when it has closed its half", async () => {
    const small = 1_500_000; // fits into the kernel's buffers
    app = App.answering(() => ok("x".repeat(small)));
    flow = await Flow.start([fixed(), { name: "forwarded", to: app.port }]);
    const clients = [await flow.connect(), await flow.connect(), await flow.connect("forwarded")] as const;
    for (const client of clients) client.stall();
    await clients[0].send(getAndClose);
    await clients[1].send(get);
    clients[1].finish();
    await clients[2].send(getAndClose);
    await Bun.sleep(2500); // longer than the second we linger
    const got: unknown[] = [];
    for (const client of clients) {
      client.read();
      const { length, complete } = await readAnswer(client);
      got.push({ length, complete });
      expect(await client.ending()).toBe("fin");
    }
    expect(got).toEqual([bytes, bytes, small].map((length) => ({ length, complete: true })));
  });

  test("does not hold a connection for ever that takes nothing", async () => {
    flow = await Flow.start([fixed({ timeouts: { keepAliveMs: 300, idleMs: 300 } })]);
    for (const request of [getAndClose, get]) {
      const client = await flow.connect();
      client.stall();
      await client.send(request);
    }
    await flow.quiet();
  });

  test("does not wait long for a client that does not close", async () => {
    const client = await through(App.answering(() => ok("x")));
    await client.send(getAndClose);
    expect((await readAnswer(client)).text).toBe("x");
    await flow.quiet(); // the client has sent no FIN
  });
});

describe("an answer that comes before the request is whole", () => {
  const refusal = ok("too much", "Connection: close\r\n", "413 Content Too Large");

  test("reaches the client, which learns that the connection ends", async () => {
    const client = await through(
      new App(async (wire) => {
        await readHead(wire);
        await wire.send(refusal);
        wire.close();
      }),
    );
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * mebibyte}\r\n\r\n`);
    const uploading = sendPayload(client, 64 * mebibyte, "length");
    const { head, text } = await readAnswer(client);
    expect([head.status, text, head.field("connection")]).toEqual([413, "too much", "close"]);
    client.reset();
    await uploading;
    await flow.quiet();
  });

  test("reaches a client that sends everything before it reads", async () => {
    const bytes = 16 * mebibyte;
    const client = await through(
      new App(async (wire) => {
        await readHead(wire);
        await wire.send(refusal);
        wire.close();
      }),
    );
    client.stall();
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
    await sendPayload(client, bytes, "length");
    client.read();
    expect((await readAnswer(client)).text).toBe("too much");
  });

  test("does not put a connection with an unsent request into the pool", async () => {
    const client = await through(
      new App(async (wire) => {
        await readHead(wire);
        await wire.send(ok("early"));
        wire.stall(); // takes nothing more
      }),
    );
    const bytes = 4 * mebibyte;
    await client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
    expect((await readAnswer(client)).text).toBe("early");
    client.reset();
    const other = await flow.connect();
    await other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect((await readAnswer(other)).text).toBe("early");
  });
});
