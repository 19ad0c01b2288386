import { describe, expect, test } from "bun:test";
import type { Filter, Reply } from "../contracts.ts";
import { buildChain, runBody, runDone, runRequest, runResponse } from "./chain.ts";
import type { HttpExchange } from "./exchange.ts";

/** As much of an exchange as a chain touches. */
function exchange(filters: readonly Filter[]) {
  const told: string[] = [];
  const x = {
    stage: "admitting",
    plan: { chain: buildChain(filters) },
    filterFailed: (error: Error) => void told.push(`failed ${error.message}`),
    reportFilter: (error: Error) => void told.push(`reported ${error.message}`),
  } as unknown as HttpExchange;
  const then = (_: HttpExchange, reply: Reply | undefined) =>
    void told.push(reply === undefined ? "on" : `reply ${reply.status}`);
  return { x, told, then };
}

function text(piece: Uint8Array | null): string | null {
  return piece === null ? null : Buffer.from(piece).toString("latin1");
}

const bytes = (value: string) => Buffer.from(value, "latin1");

test("a chain sorts filters by hook; answers pass them in reverse", () => {
  const one: Filter = { request() {}, response() {}, responseBody: (chunk) => chunk };
  const two: Filter = {
    request() {},
    response() {},
    done() {},
    requestBody: (chunk) => chunk,
    responseBody: (chunk) => chunk,
  };
  const three: Filter = { attempt: async () => {} };
  expect(buildChain([one, two, three])).toEqual({
    request: [one, two],
    response: [two, one],
    requestBody: [two],
    responseBody: [two, one],
    attempt: [three],
    done: [two],
  });
});

test("hooks of classes are hooks too", () => {
  class Watch implements Filter {
    readonly seen: string[] = [];
    request(): void {
      this.seen.push("request");
    }
  }
  const watch = new Watch();
  const { x, then } = exchange([watch]);
  runRequest(x, then);
  expect(watch.seen).toEqual(["request"]);
});

describe("heads", () => {
  test("without hooks go on at once", () => {
    const { x, told, then } = exchange([]);
    runRequest(x, then);
    runResponse(x, then);
    expect(told).toEqual(["on", "on"]);
  });

  test("pass synchronous hooks within the call", () => {
    const { x, told, then } = exchange([
      { request: () => void told.push("1") },
      { request: () => void told.push("2") },
    ]);
    runRequest(x, then);
    expect(told).toEqual(["1", "2", "on"]);
  });

  test("stop at the first reply", () => {
    const { x, told, then } = exchange([{ request: () => ({ status: 403 }) }, { request: () => void told.push("2") }]);
    runRequest(x, then);
    expect(told).toEqual(["reply 403"]);
  });

  test("stop at the first failure", () => {
    const { x, told, then } = exchange([
      {
        request: () => {
          throw new Error("no");
        },
      },
      { request: () => void told.push("2") },
    ]);
    runRequest(x, then);
    expect(told).toEqual(["failed no"]);
  });

  test("wait for promises, and for nothing after them", async () => {
    const { x, told, then } = exchange([
      { request: () => void told.push("1") },
      { request: async () => void told.push("2") },
      { request: () => void told.push("3") },
    ]);
    runRequest(x, then);
    expect(told).toEqual(["1", "2"]);
    await Promise.resolve();
    expect(told).toEqual(["1", "2", "3", "on"]);
  });

  test.each<[string, Filter["request"], string]>([
    ["a late reply", async () => ({ status: 403 }), "reply 403"],
    [
      "a late failure",
      async () => {
        throw new Error("late");
      },
      "failed late",
    ],
    [
      "a late reply that is none",
      async () => ({ status: 7 }),
      "failed the status of a reply is a number from 200 to 999, not 7",
    ],
  ])("end with %s", async (_, request, wanted) => {
    const { x, told, then } = exchange([{ request: request! }, { request: () => void told.push("2") }]);
    runRequest(x, then);
    await Bun.sleep(1);
    expect(told).toEqual([wanted]);
  });

  test("end without a word when the exchange is over meanwhile", async () => {
    const { x, told, then } = exchange([{ request: () => Bun.sleep(1) }, { request: () => void told.push("2") }]);
    runRequest(x, then);
    x.stage = "done";
    await Bun.sleep(5);
    expect(told).toEqual([]);
  });

  test.each([null, false, 0, "text", true])(
    "are refused when a hook returns %p, which is neither a reply nor nothing",
    (value) => {
      const { x, told, then } = exchange([{ request: (() => value) as unknown as () => undefined }]);
      runRequest(x, then);
      expect(told).toEqual([expect.stringContaining("failed ")]);
    },
  );
});

describe("bodies", () => {
  const add =
    (sign: string): NonNullable<Filter["requestBody"]> =>
    (chunk) =>
      Buffer.concat([chunk, bytes(sign)]);
  const run = (filters: Filter[], piece: string, last: boolean) => {
    const { x } = exchange(filters);
    return runBody(x, x.plan.chain.requestBody, "requestBody", bytes(piece), last);
  };

  test("pass synchronous hooks without a promise", () => {
    const outcome = run([{ requestBody: add("1") }, { requestBody: add("2") }], "a", false);
    expect(outcome).not.toBeInstanceOf(Promise);
    expect(text(outcome as Uint8Array)).toBe("a12");
  });

  test("pass asynchronous ones in order", async () => {
    const later: Filter["requestBody"] = async (chunk) => Buffer.concat([chunk, bytes("2")]);
    const outcome = run(
      [{ requestBody: add("1") }, { requestBody: later }, { requestBody: add("3") }, { requestBody: later }],
      "a",
      true,
    );
    expect(text(await outcome)).toBe("a1232");
  });

  test.each([false, true])("that are held back reach later hooks only with the last piece: %p", async (last) => {
    for (const hold of [() => null, async () => null] as Filter["requestBody"][]) {
      const seen: (string | null)[] = [];
      const outcome = await run(
        [
          { requestBody: hold! },
          {
            requestBody: (chunk) => {
              seen.push(text(chunk));
              return chunk;
            },
          },
        ],
        "a",
        last,
      );
      expect([seen, text(outcome)]).toEqual(last ? [[""], ""] : [[], null]);
    }
  });
});

test("done is told to all, also when one throws", () => {
  const { x, told } = exchange([
    {
      done: () => {
        throw new Error("no");
      },
    },
    { done: () => void told.push("2") },
  ]);
  runDone(x);
  expect(told).toEqual(["reported no", "2"]);
});
