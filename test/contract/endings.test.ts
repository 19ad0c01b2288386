/** However an exchange ends, every filter is told once; and nothing of it stays behind. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Exchange, FilterDefinition } from "../../src/contracts.ts";
import { filters as builtIn } from "../../src/registry.gen.ts";
import { forwardTo, registryOf, respond, TestEngine } from "../kit/engine.ts";
import { closeScenes, filterOf, sceneOf } from "../kit/filters.ts";
import { answering, ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { statusOf, strictAnswers } from "../kit/strict.ts";
import { until } from "../kit/until.ts";
import { atUpstream, cases, get } from "./ending-cases.ts";

afterEach(closeScenes);

interface Ended {
  readonly failure: string | undefined;
  readonly status: number | undefined;
  readonly aborted: boolean;
}

/** A filter that counts how often it is told of each end. */
function ledger(): { filter: FilterDefinition; ends: Ended[]; started: () => number } {
  const ends: Ended[] = [];
  const seen = new Set<string>();
  let begun = 0;
  const filter = filterOf(
    "ledger",
    {
      request(x) {
        begun++;
        x.signal.addEventListener("abort", () => {});
      },
      done(x) {
        if (seen.has(x.id)) throw new Error(`done twice for ${x.id}`);
        seen.add(x.id);
        expect(x.durationMs).toBeGreaterThanOrEqual(0);
        ends.push({ failure: x.failure, status: x.response?.status, aborted: x.signal.aborted });
      },
    },
    { phase: "observe", order: 1 },
  );
  return { filter, ends, started: () => begun };
}

describe("done is called once, with what became of it, and the signal is aborted:", () => {
  test.each(Object.entries(cases))(
    "%s",
    async (_, { script = () => {}, others = [], client: act, failure, status }) => {
      const { filter, ends } = ledger();
      const scene = await sceneOf([filter, ...others], script);
      const client = await rawClient(scene.port);
      await act(client, scene);
      await until(() => ends.length > 0, { what: "done" });
      await Bun.sleep(10); // time in which a second call could come
      client.reset();
      await until(() => scene.engine.traffic.active.connections === 0, { what: "the connection to be let go" });
      expect(ends).toEqual([{ failure, status, aborted: true }]);
      expect(scene.engine.traffic.active).toEqual({ connections: 0, exchanges: 0 });
    },
  );

  test("for every request on a connection, also when done itself throws", async () => {
    const { filter, ends } = ledger();
    const bad = filterOf(
      "bad",
      {
        done: () => {
          throw new Error("no");
        },
      },
      { phase: "observe", order: 0 },
    );
    const scene = await sceneOf([bad, filter], answering(ok()));
    const client = await rawClient(scene.port);
    client.send(get.repeat(10));
    await until(() => strictAnswers(client.received).messages.length === 10, { what: "ten answers" });
    expect(ends).toHaveLength(10);
    expect(scene.engine.thread.events.filter(({ event }) => event === "filter_failed")).toHaveLength(10);
    client.close();
  });
});

test("the signal is aborted as soon as the client leaves", async () => {
  let aborted: Promise<unknown> | undefined;
  const filter = filterOf("wait", {
    request(x) {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      x.signal.addEventListener("abort", resolve);
      aborted = promise;
      return promise as Promise<undefined>;
    },
  });
  const scene = await sceneOf([filter], answering(ok()));
  const client = await rawClient(scene.port);
  client.send(get);
  await until(() => aborted !== undefined, { what: "the hook" });
  client.reset();
  await aborted;
  await until(() => scene.engine.traffic.active.exchanges === 0, { what: "the end" });
  expect(scene.upstream.connections).toHaveLength(0);
});

test("a filter that fails stays closed: every further request gets 503 as well", async () => {
  const bad = filterOf(
    "bad",
    {
      request: () => {
        throw new Error("secret detail");
      },
    },
    { phase: "admit" },
  );
  const scene = await sceneOf([bad], answering(ok()));
  const client = await rawClient(scene.port);
  client.send(get.repeat(20));
  await until(() => strictAnswers(client.received).messages.length === 20, { what: "twenty answers" });
  expect(new Set(strictAnswers(client.received).messages.map(statusOf))).toEqual(new Set([503]));
  expect(scene.upstream.connections).toHaveLength(0);
  client.close();
});

test("a filter is closed once, when no exchange can use it any more", async () => {
  const calls: string[] = [];
  const filter = filterOf("closing", () => ({
    done: () => void calls.push("done"),
    close: () => void calls.push("close"),
  }));
  const scene = await sceneOf([filter], () => {});
  const client = await rawClient(scene.port);
  client.send(get);
  await atUpstream(scene);
  await scene.engine.apply({ routes: respond(200) });
  await Bun.sleep(1200); // longer than the housekeeping's interval
  expect(calls).toEqual([]);
  scene.upstream.connections[0]!.send(ok());
  await until(() => calls.includes("close"), { what: "close" });
  expect(calls).toEqual(["done", "close"]);
  client.close();
});

/** All built-in filters with the options of their short form, and one of our own that looks at everything. */
async function everything(refs: WeakRef<Exchange>[]): Promise<FilterDefinition[]> {
  const look = filterOf("look", {
    request(x) {
      refs.push(new WeakRef(x));
      x.signal.addEventListener("abort", () => {});
      x.notes.set("x", x);
    },
    requestBody: async (chunk) => chunk,
    response: async () => {},
    responseBody: (chunk) => chunk,
    attempt: async (_, send) => void (await send()),
    done() {},
  });
  return [look, ...(await Promise.all(Object.values(builtIn).map(async (load) => (await load()).default)))];
}

test("nothing survives 1,000 exchanges: no exchange, no timer, no connection", async () => {
  const refs: WeakRef<Exchange>[] = [];
  const filters = await everything(refs);
  const policies = Object.fromEntries(filters.map(({ name, config }) => [name, config.safeParse({}).data]));
  const upstream = new RawUpstream(answering(ok("fine"), "0\r\n\r\n"));
  const engine = await TestEngine.start(
    { routes: forwardTo(upstream.port), policies },
    { registry: registryOf(...filters) },
  );
  const request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  for (let round = 0; round < 20; round++) {
    const client = await rawClient(engine.port());
    client.send(request.repeat(50));
    await until(() => client.received.split("fine").length === 51, { what: "fifty answers" });
    client.reset();
  }
  await until(() => engine.traffic.active.connections === 0, { what: "the connections to be let go" });
  expect(refs).toHaveLength(1000);
  await until(
    () => {
      Bun.gc(true);
      return refs.filter((ref) => ref.deref() !== undefined).length < 20;
    },
    { what: "the exchanges to be forgotten" },
  );
  engine.stop();
  expect(Reflect.get(engine.traffic.engine.wheel, "count")).toBe(0);
  upstream.stop();
}, 20_000);

test("every built-in filter leaves an exchange as it is, and a refusal too", async () => {
  for (const load of Object.values(builtIn)) {
    const definition = (await load()).default;
    const policies = { [definition.name]: definition.config.safeParse({}).data };
    for (const direction of definition.directions) {
      const scene = await sceneOf([definition], answering(ok("fine")), { policies, direction });
      const client = await rawClient(scene.port);
      client.send(`${get}GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n`);
      await client.over();
      expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([200, 400]);
      client.close();
    }
  }
});
