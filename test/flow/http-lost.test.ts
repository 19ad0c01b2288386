import { afterEach, describe, expect, test } from "bun:test";
import type { FilterDefinition } from "../../src/contracts.ts";
import { App, ok } from "../kit/app.ts";
import { Flow, type FlowOptions, type ListenerWish } from "../kit/flow.ts";
import { type Answer, ask, readHead } from "../kit/message.ts";
import { sendPayload } from "../kit/payload.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

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

describe("a client that leaves", () => {
  test.each(["close", "reset"] as const)("in its body (%s) takes the upstream's request with it", async (how) => {
    let ending = "";
    const client = await through(
      after(async (wire) => {
        ending = await wire.ending();
      }),
    );
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome");
    await until(() => app!.wires[0] !== undefined && app!.wires[0].receivedBytes > 60);
    client[how]();
    await until(() => ending !== "");
    expect(ending).toBe("reset");
    await flow.quiet();
    expect(flow.failures("client_closed")).toBe(1);
  });

  test("in the answer stops the upstream", async () => {
    let ending = "";
    const client = await through(
      after(async (wire) => {
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        await sendPayload(wire, 1_000_000_000, "length");
        ending = await wire.ending();
      }),
    );
    await client.send(get);
    await client.some();
    client.reset();
    await until(() => ending !== "");
    await flow.quiet();
    expect(flow.failures("client_closed")).toBe(1);
    expect(app!.wires[0]!.closed).toBe(true);
  });

  test("while the upstream thinks aborts it, once the reset is seen", async () => {
    let ending = "";
    const client = await through(
      after(async (wire) => {
        ending = await wire.ending();
      }),
    );
    await client.send(get);
    await until(() => app!.wires.length === 1);
    client.reset();
    await until(() => ending !== "");
    await flow.quiet();
    expect(flow.failures("client_closed")).toBe(1);
  });
});

describe("a stale pooled connection", () => {
  /** Answers the first request of each connection, and closes at the second without a word. */
  function closingOnReuse(seen: string[]): App {
    return new App(async (wire) => {
      for (let i = 0; ; i++) {
        const head = await readHead(wire);
        if (head === undefined) return;
        seen.push(head.start.split(" ").slice(0, 2).join(" "));
        if (i === 1) break;
        await wire.send(ok(head.target));
      }
      wire.reset();
    });
  }

  test("costs a GET nothing but a second try", async () => {
    const seen: string[] = [];
    const client = await through(closingOnReuse(seen));
    expect((await ask(client)).text).toBe("/");
    expect((await ask(client, get.replace("/ ", "/again "))).text).toBe("/again");
    expect(seen).toEqual(["GET /", "GET /again", "GET /again"]);
    expect(flow.events.filter(({ name }) => name === "request_failed")).toEqual([]);
  });

  test("is not tried a third time", async () => {
    const client = await through(
      new App(async (wire, index) => {
        await readHead(wire);
        if (index > 0) return wire.reset();
        await wire.send(ok("x"));
        await readHead(wire);
        wire.reset();
      }),
    );
    expect((await ask(client)).text).toBe("x");
    expect((await ask(client)).head.status).toBe(502);
    expect(app!.wires).toHaveLength(2);
  });

  test.each([
    ["POST", ""],
    ["POST", "body"],
    ["PUT", "body"],
    ["PATCH", ""],
  ])("is a 502 for a %s with body %j, which is never sent twice", async (method, body) => {
    const seen: string[] = [];
    const client = await through(closingOnReuse(seen));
    await ask(client);
    const answer = await ask(
      client,
      `${method} /once HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(problem(answer)).toMatchObject({ status: 502, code: "upstream_closed" });
    expect(seen).toEqual(["GET /", `${method} /once`]);
  });

  test("an answer that has begun is not asked for again", async () => {
    const client = await through(
      new App(async (wire, index) => {
        await readHead(wire);
        await wire.send(ok("x"));
        await readHead(wire);
        await wire.send(index === 0 ? "HTTP/1.1 200" : ok("never"));
        wire.reset();
      }),
    );
    await ask(client);
    expect((await ask(client)).head.status).toBe(502);
    expect(app!.wires).toHaveLength(1);
  });

  test("one that was closed while idle is not used at all, not even by a POST", async () => {
    const client = await through(
      after(async (wire) => {
        await wire.send(ok("x"));
        wire.close();
      }),
    );
    for (let i = 0; i < 3; i++) {
      expect((await ask(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).text).toBe("x");
      await until(() => app!.wires.every(({ ended, closed }) => ended || closed));
    }
  });

  test("one that says something unasked is not used again", async () => {
    const client = await through(
      new App(async (wire) => {
        await readHead(wire);
        await wire.send(`${ok("x")}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
        await readHead(wire);
        await wire.send(ok("never"));
      }),
    );
    for (let i = 0; i < 3; i++) expect((await ask(client)).text).toBe("x");
    expect(app!.wires).toHaveLength(3);
  });
});

describe("while a filter thinks about the answer", () => {
  const slowly: FilterDefinition = {
    kind: "filter",
    name: "slowly",
    doc: "Takes its time.",
    phase: "shape",
    order: 1,
    directions: ["inbound"],
    config: undefined as never,
    create: () => ({
      async response() {
        await Bun.sleep(30);
      },
    }),
  };
  const filtered = { wish: { policies: { slowly: {} } }, options: { filters: { slowly } } };

  test.each([
    ["an empty body that ends with the connection", "HTTP/1.1 200 OK\r\n\r\n", true],
    ["a whole body that ends with the connection", "HTTP/1.1 200 OK\r\n\r\nwhole", true],
    ["a whole body of known length", ok("whole"), true],
    ["no more than the head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false],
    ["half a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha", false],
    ["no chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false],
  ])("the upstream may close behind %s", async (_, bytes, whole) => {
    const client = await through(
      after(async (wire) => {
        await wire.send(bytes);
        wire.close();
      }),
      filtered.wish,
      filtered.options,
    );
    const { complete } = await ask(client);
    expect(complete).toBe(whole);
  });

  test("the client may leave", async () => {
    const client = await through(
      App.answering(() => ok("x")),
      filtered.wish,
      filtered.options,
    );
    await client.send(get);
    await until(() => app!.requests.length === 1);
    client.reset();
    await flow.quiet();
  });
});

test("bytes behind a whole body are nobody's, also while a filter is at its last piece", async () => {
  const lasts: boolean[] = [];
  const pensive: FilterDefinition = {
    kind: "filter",
    name: "pensive",
    doc: "Thinks about each piece of an answer.",
    phase: "shape",
    order: 1,
    directions: ["inbound"],
    config: undefined as never,
    create: () => ({
      async responseBody(chunk, last) {
        lasts.push(last);
        await Bun.sleep(60);
        return chunk;
      },
    }),
  };
  const client = await through(
    after(async (wire) => {
      await wire.send(ok("whole"));
      await Bun.sleep(20);
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    }),
    { policies: { pensive: {} } },
    { filters: { pensive } },
  );
  expect((await ask(client)).text).toBe("whole");
  await Bun.sleep(100); // for a second last piece, if there were one
  expect(lasts).toEqual([true]);
  expect((await ask(client)).text).toBe("whole");
  expect(app!.wires).toHaveLength(2);
});
