/** What every filter may rely on: phases and their order, synchronous hooks, replies, edits. */
import { afterEach, describe, expect, test } from "bun:test";
import { type FilterDefinition, type Phase, phases, type Reply } from "../../src/contracts.ts";
import { filters as builtIn } from "../../src/registry.gen.ts";
import { registryOf, respond } from "../kit/engine.ts";
import { FakeNetwork } from "../kit/fake-network.ts";
import { closeScenes, filterOf, policiesOf, sceneOf } from "../kit/filters.ts";
import { answering, ask, bytesOf, ok } from "../kit/raw.ts";
import { statusOf, strictAnswers } from "../kit/strict.ts";

afterEach(closeScenes);

const last = "Connection: close\r\n\r\n";
const get = `GET /a?b HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\n${last}`;

function answerOf(received: string) {
  const { messages, rest, fault } = strictAnswers(received);
  expect({ rest, fault }).toEqual({ rest: "", fault: undefined });
  const message = messages.at(-1)!;
  return { status: statusOf(message), body: message.body, message };
}

describe("a built-in filter", () => {
  test.each(Object.entries(builtIn))("%s declares what it is", async (key, load) => {
    const definition = (await load()).default;
    expect(definition).toMatchObject({ kind: "filter", name: key });
    expect(definition.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(definition.doc).toMatch(/^[A-Z].*\.$/);
    expect(phases).toContain(definition.phase);
    expect(Number.isFinite(definition.order)).toBe(true);
    expect(definition.directions.length).toBeGreaterThan(0);
  });

  test.each(Object.entries(builtIn))(
    "%s reads its defaults into data that other threads can be given",
    async (_, load) => {
      const read = (await load()).default.config.safeParse({});
      if (read.success) expect(structuredClone(read.data)).toEqual(read.data);
      else expect(read.error.issues[0]!.path.length).toBeGreaterThan(0); // it needs options: no defaults to look at
    },
  );

  test("has a place of its own within its phase", async () => {
    const places = await Promise.all(
      Object.values(builtIn).map(async (load) => {
        const { phase, order } = (await load()).default;
        return `${phase} ${order}`;
      }),
    );
    expect(new Set(places).size).toBe(places.length);
  });
});

describe("order", () => {
  function traced(trace: string[], name: string, phase: Phase, order: number): FilterDefinition {
    return filterOf(
      name,
      {
        request: () => void trace.push(`request ${name}`),
        response: () => void trace.push(`response ${name}`),
        requestBody: (chunk, isLast) => {
          if (isLast) trace.push(`requestBody ${name}`);
          return chunk;
        },
        responseBody: (chunk, isLast) => {
          if (isLast) trace.push(`responseBody ${name}`);
          return chunk;
        },
        done: () => void trace.push(`done ${name}`),
      },
      { phase, order },
    );
  }

  test("phases come in their order, then numbers; answers go the other way", async () => {
    const trace: string[] = [];
    const { port } = await sceneOf(
      [
        traced(trace, "shape-2", "shape", 2),
        traced(trace, "attempt-1", "attempt", 1),
        traced(trace, "shape-1", "shape", 1),
        traced(trace, "observe-9", "observe", 9),
        traced(trace, "admit-5", "admit", 5),
      ],
      answering(ok(), "hello"),
    );
    await ask(port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n${last}hello`);
    const there = ["observe-9", "admit-5", "shape-1", "shape-2", "attempt-1"];
    const back = [...there].reverse();
    const steps = (hook: string, names: string[]) => names.map((name) => `${hook} ${name}`);
    expect(trace).toEqual([
      ...steps("request", there),
      ...steps("requestBody", there),
      ...steps("response", back),
      ...steps("responseBody", back),
      ...steps("done", there),
    ]);
  });

  test("two filters with the same options object stay two, on every route", async () => {
    const trace: string[] = [];
    const shared = {};
    const action = respond(200);
    const { port } = await sceneOf(
      [traced(trace, "one", "shape", 1), traced(trace, "two", "shape", 2)],
      answering(ok()),
      {
        policies: { one: shared, two: shared },
        routes: [{ name: "a", match: { path: { exact: "/x" } }, action }, { action }],
      },
    );
    await ask(port, get);
    expect(trace).toEqual(["request one", "request two", "response two", "response one", "done one", "done two"]);
  });

  test("routes with the same options share one filter", async () => {
    let made = 0;
    const counted = filterOf("counted", () => {
      made++;
      return {};
    });
    const options = {};
    const action = respond(200);
    await sceneOf([counted], () => {}, {
      policies: { counted: options },
      routes: [{ name: "a", match: { path: { exact: "/x" } }, action }, { action }],
    });
    expect(made).toBe(1);
  });
});

describe("synchronous hooks", () => {
  test("cost no turn of the loop: an exchange runs from end to end in one call", async () => {
    const seen: string[] = [];
    const all = filterOf("all", {
      request: () => void seen.push("request"),
      response: () => void seen.push("response"),
      requestBody: (chunk) => chunk,
      responseBody: (chunk) => chunk,
      done: () => void seen.push("done"),
    });
    const network = await FakeNetwork.start({ policies: policiesOf([all]) }, {}, registryOf(all));
    network.upstream = (socket) => ({
      onBytes: (bytes) => {
        if (bytes.toString("latin1").endsWith("0\r\n\r\n")) socket.deliver([bytesOf(ok("fine"))]);
      },
      onFin() {},
      onReset() {},
    });
    const { end, socket } = network.client();
    socket.deliver([bytesOf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")]);
    network.run(); // promises have no turn before this returns
    expect(seen).toEqual(["request", "response", "done"]);
    expect(answerOf(end.received).body).toBe("fine");
    network.stop();
  });

  test("and asynchronous ones are waited for, each before the next", async () => {
    const trace: string[] = [];
    const slow = (name: string, order: number) =>
      filterOf(
        name,
        {
          async request() {
            await Bun.sleep(5);
            trace.push(`request ${name}`);
          },
          async response() {
            await Bun.sleep(5);
            trace.push(`response ${name}`);
          },
        },
        { order },
      );
    const { port } = await sceneOf([slow("one", 1), slow("two", 2)], answering(ok("fine")));
    expect(answerOf(await ask(port, get)).body).toBe("fine");
    expect(trace).toEqual(["request one", "request two", "response two", "response one"]);
  });
});

describe("what a filter sees", () => {
  test("of a request and its answer", async () => {
    let seen: Record<string, unknown> = {};
    const look = filterOf("look", {
      request(x) {
        expect(x.response).toBeUndefined();
        x.notes.set("caller", "me");
      },
      done(x) {
        const { direction, listener, route, method, target, path, authority, scheme, attempts, failure } = x;
        const response = { status: x.response?.status, reason: x.response?.reason, y: x.response?.header("Y") };
        seen = { direction, listener, route, method, target, path, authority, scheme, attempts, failure, response };
        seen = { ...seen, x: x.header("X"), bytesIn: x.bytesIn, bytesOut: x.bytesOut, caller: x.notes.get("caller") };
        expect(x.peer.address).toBe("127.0.0.1");
        expect(x.durationMs).toBeGreaterThan(0);
      },
    });
    const { port, upstream } = await sceneOf([look], answering(ok("fine", "Y: 1\r\nY: 2\r\n"), "hello"));
    await ask(port, get.replace("GET", "PUT").replace(last, `Content-Length: 5\r\n${last}hello`));
    expect(seen).toEqual({
      ...{ direction: "inbound", listener: "web", route: "default", method: "PUT", target: "/a?b", path: "/a" },
      ...{ authority: "a", scheme: "http", attempts: 1, failure: undefined, x: "1, 2", bytesIn: 5, bytesOut: 4 },
      ...{ response: { status: 200, reason: "OK", y: "1, 2" }, caller: "me" },
    });
    expect(upstream.connections).toHaveLength(1);
  });

  test("of a refusal, a missing route and a bad head too", async () => {
    const seen: unknown[] = [];
    const look = filterOf(
      "look",
      { done: (x) => void seen.push([x.route, x.response?.status, x.failure]) },
      { phase: "observe" },
    );
    const refuse = filterOf("refuse", { request: (): Reply => ({ status: 403 }) }, { phase: "admit" });
    const filters = [look, refuse];
    const { port } = await sceneOf(filters, () => {}, {
      routes: [
        {
          name: "only",
          match: { path: { exact: "/a" } },
          action: respond(200),
        },
      ],
    });
    await ask(port, get);
    await ask(port, get.replace("/a", "/other"));
    await ask(port, "GET / HTTP/1.1\r\n\r\n");
    expect(seen).toEqual([
      ["only", 403, undefined],
      ["-", 403, undefined],
      ["-", 400, "bad_host"],
    ]);
  });

  test.each([
    ["whole", "à".repeat(3)],
    ["at its end", "x à"],
    ["at its beginning", "\xa0x"],
  ])("of bytes beyond ASCII, and does not change them by looking: %s", async (_, text) => {
    const value = Buffer.from(text).toString("latin1");
    const seen: unknown[] = [];
    const edit = filterOf("edit", {
      request(x) {
        seen.push(x.header("y"));
        x.setHeader("z", "1");
        seen.push(x.header("y"), x.headers().find(([name]) => name === "Y")?.[1]);
      },
    });
    const { port, upstream } = await sceneOf([edit], answering(ok()));
    await ask(port, bytesOf(`GET / HTTP/1.1\r\nHost: a\r\nY: ${value}\r\n${last}`));
    expect(seen).toEqual([value, value, value]);
    expect(upstream.received).toContain(`\r\nY: ${value}\r\n`);
  });
});
