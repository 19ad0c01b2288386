/** Phase attempt: asking more than once, with a body kept up to 64 KiB, and settling on one outcome whatever happens. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Filter } from "../../src/contracts.ts";
import { attemptOf, closeScenes, doing, exchange, filterOf, saying, sceneOf } from "../kit/filters.ts";
import { ok, type RawConnection, rawClient } from "../kit/raw.ts";
import { statusOf, strictAnswers, strictRequests } from "../kit/strict.ts";
import { until } from "../kit/until.ts";

afterEach(closeScenes);

type Attempt = NonNullable<Filter["attempt"]>;
type Outcome = Awaited<ReturnType<Parameters<Attempt>[1]>>;

const failing = saying("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad");
const dying = (connection: RawConnection) => connection.reset();

/** Asks up to `times` times until the status is below 500. */
function untilGood(times: number, outcomes: Outcome[] = []): Attempt {
  return async (_, send) => {
    for (let i = 0; i < times; i++) {
      const outcome = await send();
      outcomes.push(outcome);
      if ("status" in outcome && outcome.status < 500) return;
    }
  };
}

function post(body: string): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a filter that asks again", () => {
  test.each([
    ["after a bad status", failing],
    ["after a connection that died", dying],
    ["after an answer that is none", saying("nonsense\r\n\r\n")],
  ])("gets the good answer through: %s", async (_, first) => {
    const outcomes: Outcome[] = [];
    const { port, upstream } = await sceneOf(
      [attemptOf("again", untilGood(3, outcomes))],
      doing(first, saying(ok("good"))),
    );
    expect(await exchange(port, get)).toMatchObject({ status: 200, body: "good" });
    expect(outcomes).toHaveLength(2);
    expect(upstream.connections).toHaveLength(2);
  });

  test("and never gets a good one passes the last one on", async () => {
    const outcomes: Outcome[] = [];
    const seen: unknown[] = [];
    const { port, engine } = await sceneOf(
      [
        attemptOf("again", untilGood(3, outcomes)),
        filterOf("look", { done: (x) => void seen.push(x.attempts, x.response?.status) }),
      ],
      doing(failing),
    );
    expect(await exchange(port, get)).toMatchObject({ status: 500, body: "bad" });
    expect(outcomes).toEqual([{ status: 500 }, { status: 500 }, { status: 500 }]);
    await until(() => engine.traffic.active.exchanges === 0, { what: "the end" });
    expect(seen).toEqual([3, 500]);
  });

  test("and never gets any passes the last failure on", async () => {
    const outcomes: Outcome[] = [];
    const { port, engine } = await sceneOf([attemptOf("again", untilGood(3, outcomes))], doing(dying));
    expect((await exchange(port, get)).status).toBe(502);
    expect(outcomes).toEqual([
      { failure: "upstream_closed" },
      { failure: "upstream_closed" },
      { failure: "upstream_closed" },
    ]);
    expect(engine.thread.codes).toEqual(["upstream_closed"]);
  });

  test("after a good answer gets the later one through", async () => {
    const twice: Attempt = async (_, send) => {
      await send();
      await send();
    };
    const { port } = await sceneOf([attemptOf("twice", twice)], doing(saying(ok("one")), saying(ok("two"))));
    expect((await exchange(port, get)).body).toBe("two");
  });

  test("may wait in between, and edit the head", async () => {
    const edit: Attempt = async (x, send) => {
      await send();
      await Bun.sleep(10);
      x.setHeader("x-try", "2");
      await send();
    };
    const { port, upstream } = await sceneOf([attemptOf("edit", edit)], doing(failing, saying(ok())));
    expect((await exchange(port, get)).status).toBe(200);
    expect(upstream.connections.map(({ received }) => received.includes("x-try: 2"))).toEqual([false, true]);
  });

  test("runs around those behind it", async () => {
    const trace: string[] = [];
    const around =
      (name: string, times: number): Attempt =>
      async (_, send) => {
        for (let i = 0; i < times; i++) {
          trace.push(`${name} asks`);
          await send();
        }
      };
    const outer = filterOf("outer", { attempt: around("outer", 2) }, { phase: "attempt", order: 1 });
    const inner = filterOf("inner", { attempt: around("inner", 2) }, { phase: "attempt", order: 2 });
    const { port, upstream } = await sceneOf([inner, outer], doing(saying(ok("x"))));
    expect((await exchange(port, get)).body).toBe("x");
    expect(trace).toEqual(["outer asks", "inner asks", "inner asks", "outer asks", "inner asks", "inner asks"]);
    expect(upstream.received.split("GET / ")).toHaveLength(5);
  });
});

describe("the body", () => {
  const limit = 64 * 1024;

  test.each([
    ["empty", 0],
    ["small", 5],
    ["of 64 KiB", limit],
  ])("is sent again: %s", async (_, size) => {
    const body = "x".repeat(size);
    const { port, upstream } = await sceneOf([attemptOf("again", untilGood(2))], doing(failing, saying(ok("good"))));
    expect((await exchange(port, post(body))).body).toBe("good");
    expect(upstream.connections.map(({ received }) => strictRequests(received).messages[0]?.body)).toEqual([
      body,
      body,
    ]);
  });

  test("is sent again chunked as it came", async () => {
    const { port, upstream } = await sceneOf([attemptOf("again", untilGood(2))], doing(failing, saying(ok("good"))));
    const request =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nY: z\r\n\r\n";
    expect((await exchange(port, request)).body).toBe("good");
    const sent = upstream.connections.map(({ received }) => strictRequests(received).messages[0]);
    expect(sent.map((message) => [message?.body, message?.trailers])).toEqual([
      ["abcde", [["Y", "z"]]],
      ["abcde", [["Y", "z"]]],
    ]);
  });

  test("of more than 64 KiB is not, and the filter is told", async () => {
    const outcomes: Outcome[] = [];
    const seen: boolean[] = [];
    const attempt: Attempt = async (x, send) => {
      seen.push(x.replayable);
      outcomes.push(await send());
      seen.push(x.replayable);
      outcomes.push(await send());
    };
    const { port, upstream } = await sceneOf([attemptOf("again", attempt)], doing(failing));
    expect(await exchange(port, post("x".repeat(limit + 1)))).toMatchObject({ status: 500, body: "bad" });
    expect(outcomes).toEqual([{ status: 500 }, { failure: "body_not_replayable" }]);
    expect(seen).toEqual([true, false]);
    expect(upstream.connections).toHaveLength(1);
  });

  test("that still comes goes to the try under way", async () => {
    let first = true;
    const { port, upstream } = await sceneOf([attemptOf("again", untilGood(2))], (connection) => {
      if (first && connection.received.endsWith("abc")) {
        first = false;
        connection.reset();
      } else if (strictRequests(connection.received).messages.length === 1) connection.send(ok("good"));
    });
    const client = await rawClient(port);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    await until(() => upstream.connections.length === 2, { what: "the second try" });
    client.send("def");
    await client.receives("good");
    expect(strictRequests(upstream.connections[1]!.received).messages[0]!.body).toBe("abcdef");
    client.close();
  });
});

describe("an answer that is held", () => {
  /** Waits a while after the head is known. */
  const slow: Attempt = async (_, send) => {
    await send();
    await Bun.sleep(60);
  };
  const slowHook = filterOf("slow", { response: () => Bun.sleep(60) });

  describe.each([
    ["by an attempt filter", [attemptOf("slow-attempt", slow)]],
    ["by a response hook", [slowHook]],
    ["by both", [slowHook, attemptOf("slow-attempt", slow)]],
  ])("%s", (_, filters) => {
    test.each([
      ["with a length", ok("whole"), "whole"],
      ["chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n", "whole"],
      ["until the end", "HTTP/1.1 200 OK\r\n\r\nwhole", "whole"],
      ["until the end, and empty", "HTTP/1.1 200 OK\r\n\r\n", ""],
    ])("comes whole when the upstream closes meanwhile: %s", async (_, answer, body) => {
      const { port } = await sceneOf(
        filters,
        doing((connection) => {
          connection.send(answer);
          connection.finish();
        }),
      );
      expect(await exchange(port, get)).toMatchObject({ status: 200, body });
    });

    test.each([
      ["by FIN", (connection: RawConnection) => connection.finish()],
      ["by a reset", (connection: RawConnection) => connection.reset()],
    ])("and is cut meanwhile is never taken for whole: %s", async (_, end) => {
      const { port, engine } = await sceneOf(
        filters,
        doing((connection) => {
          connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
          setTimeout(() => end(connection), 20);
        }),
      );
      const client = await rawClient(port);
      client.send(get);
      await until(() => client.closed || client.ended || client.received.includes("502"), { what: "an end" });
      expect(strictAnswers(client.received).messages.filter((message) => statusOf(message) === 200)).toEqual([]);
      expect(engine.thread.codes).toEqual(["upstream_body_broken"]);
      client.close();
    });

    test("is let go when the client leaves meanwhile", async () => {
      const { port, engine, upstream } = await sceneOf(filters, doing(saying(ok("x".repeat(100)))));
      const client = await rawClient(port);
      client.send(get);
      await until(() => upstream.received !== "", { what: "the request" });
      await Bun.sleep(20);
      client.reset();
      await until(() => upstream.connections[0]!.closed, { what: "the upstream's connection to close" });
      expect(engine.thread.codes).toEqual(["client_closed"]);
      expect(engine.traffic.active.exchanges).toBe(0);
    });
  });
});

describe("a filter that fails", () => {
  test.each<[string, Attempt]>([
    [
      "throws before it asks",
      async () => {
        throw new Error("no");
      },
    ],
    [
      "throws after it asked",
      async (_, send) => {
        await send();
        throw new Error("no");
      },
    ],
    ["never asks", async () => {}],
    [
      "does not wait for what it asked",
      async (_, send) => {
        void send();
      },
    ],
    [
      "throws without a promise",
      () => {
        throw new Error("no");
      },
    ],
  ])("gives 503 and lets nothing through: one that %s", async (_, attempt) => {
    const { port, engine } = await sceneOf([attemptOf("bad", attempt)], doing(saying(ok("secret"))));
    const { status, body } = await exchange(port, get);
    expect([status, body?.includes("filter_failed"), body?.includes("secret")]).toEqual([503, true, false]);
    expect(engine.thread.codes).toEqual(["filter_failed"]);
    expect(engine.traffic.active.exchanges).toBe(0);
  });

  test("asking twice at once settles both", async () => {
    const both: Attempt = async (_, send) => {
      await Promise.all([send(), send()]);
    };
    const { port } = await sceneOf([attemptOf("both", both)], doing(saying(ok("good"))));
    expect((await exchange(port, get)).body).toBe("good");
  });
});
