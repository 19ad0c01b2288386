/** Body hooks: what they are given, what goes on instead, and that nothing stalls whatever they do. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Filter } from "../../src/contracts.ts";
import { attemptOf, closeScenes, filterOf, sceneOf } from "../kit/filters.ts";
import { bytesOf, ok, type RawConnection, rawClient, type Script } from "../kit/raw.ts";
import { statusOf, strictAnswers, strictRequests, valuesOf } from "../kit/strict.ts";
import { until } from "../kit/until.ts";

afterEach(closeScenes);

type Transform = NonNullable<Filter["requestBody"]>;

/** Answers each whole request once. */
function answeringAll(answer: (connection: RawConnection) => void): Script {
  const answered = new WeakMap<RawConnection, number>();
  return (connection) => {
    const { messages, fault } = strictRequests(connection.received);
    expect(fault).toBeUndefined();
    for (let i = answered.get(connection) ?? 0; i < messages.length; i++) answer(connection);
    answered.set(connection, messages.length);
  };
}

/** Sends pieces, waits for a whole answer, and returns it with what the upstream was sent. */
async function exchange(port: number, pieces: readonly string[]) {
  const client = await rawClient(port);
  await client.sendPieces(pieces);
  const whole = () => strictAnswers(client.received, [], client.ended).messages.length > 0;
  await until(() => whole() || client.closed, { what: `an answer; so far ${JSON.stringify(client.received)}` });
  const message = strictAnswers(client.received, [], client.ended).messages[0];
  client.close();
  return { status: message && statusOf(message), body: message?.body, message };
}

const words = ["one ", "two ", "three ", "four"];
const text = words.join("");
const chunks = `${words.map((word) => `${word.length.toString(16)}\r\n${word}\r\n`).join("")}0\r\nX-Sum: 1\r\n\r\n`;

const requests: Record<string, string[]> = {
  "a length, whole": [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n${text}`],
  "a length, in pieces": [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n`, ...text],
  "chunked, whole": [`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`],
  "chunked, in pieces": ["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", ...chunks],
};

const answers: Record<string, string[]> = {
  "a length, whole": [ok(text)],
  "a length, in pieces": [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`, ...text],
  "chunked, whole": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`],
  "chunked, in pieces": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ...chunks],
  "until the end, whole": [`HTTP/1.1 200 OK\r\n\r\n${text}`],
  "until the end, in pieces": ["HTTP/1.1 200 OK\r\n\r\n", ...text],
};

function upper(chunk: Uint8Array): Uint8Array {
  return bytesOf(Buffer.from(chunk).toString("latin1").toUpperCase());
}

/** Keeps everything and gives it out at the end, with an end of its own. */
function gathered(): Transform {
  const kept: Uint8Array[] = [];
  return (chunk, last) => {
    kept.push(chunk);
    return last ? bytesOf(`${Buffer.concat(kept).toString("latin1")}!`) : null;
  };
}

const transforms: Record<string, [make: () => Transform, wanted: string]> = {
  "as it comes": [() => (chunk) => chunk, text],
  "in capitals": [() => upper, text.toUpperCase()],
  longer: [() => (chunk) => Buffer.concat([chunk, chunk]), ""],
  "only what is not a blank": [
    () => (chunk) => bytesOf(Buffer.from(chunk).toString("latin1").replaceAll(" ", "")),
    text.replaceAll(" ", ""),
  ],
  "nothing at all": [() => () => null, ""],
  "empty pieces": [() => () => new Uint8Array(0), ""],
  "all at the end": [gathered, `${text}!`],
  "something only at the end": [() => (_, last) => (last ? bytesOf("end") : null), "end"],
};

function later(transform: Transform): Transform {
  return async (chunk, last, x) => {
    await Bun.sleep(0);
    return transform(chunk, last, x);
  };
}

const ways: Record<string, (transform: Transform) => Transform> = { "at once": (transform) => transform, later };

function matches(name: string, body: string | undefined, wanted: string): void {
  if (name === "longer") expect(body?.length).toBe(text.length * 2);
  else expect(body).toBe(wanted);
}

describe.each(Object.entries(ways))("%s:", (_, way) => {
  describe.each(Object.entries(transforms))("%s", (name, [make, wanted]) => {
    test.each(Object.entries(requests))("request, %s", async (_, pieces) => {
      const filter = filterOf("change", { requestBody: way(make()) });
      const { port, upstream } = await sceneOf(
        [filter],
        answeringAll((connection) => connection.send(ok())),
      );
      expect((await exchange(port, pieces)).status).toBe(200);
      const { messages } = strictRequests(upstream.received);
      matches(name, messages[0]!.body, wanted);
      expect(valuesOf(messages[0]!, "content-length")).toEqual([]);
    });

    test.each(Object.entries(answers))("answer, %s", async (kind, pieces) => {
      const filter = filterOf("change", { responseBody: way(make()) });
      const script = answeringAll((connection) => {
        void connection.sendPieces(pieces).then(() => (kind.startsWith("until") ? connection.finish() : undefined));
      });
      const { port } = await sceneOf([filter], script);
      const { message, body } = await exchange(port, ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]);
      matches(name, body, wanted);
      expect(valuesOf(message!, "content-length")).toEqual([]);
    });
  });
});

describe("the hooks", () => {
  /** Records each call: the piece and whether it was the last. */
  function recorded(calls: [string, boolean][]): Transform {
    return (chunk, last) => {
      calls.push([Buffer.from(chunk).toString("latin1"), last]);
      return chunk;
    };
  }

  test("are told of the last piece exactly once, and get all bytes", async () => {
    const sent: [string, boolean][] = [];
    const back: [string, boolean][] = [];
    const filter = filterOf("watch", { requestBody: recorded(sent), responseBody: recorded(back) });
    const { port } = await sceneOf(
      [filter],
      answeringAll((c) => void c.sendPieces(answers["chunked, in pieces"]!)),
    );
    await exchange(port, requests["chunked, in pieces"]!);
    for (const calls of [sent, back]) {
      expect(calls.map(([piece]) => piece).join("")).toBe(text);
      expect(calls.filter(([, last]) => last)).toHaveLength(1);
      expect(calls.at(-1)?.[1]).toBe(true);
    }
  });

  test("are not called where there is no body", async () => {
    const calls: [string, boolean][] = [];
    const filter = filterOf("watch", { requestBody: recorded(calls), responseBody: recorded(calls) });
    const bodiless = [
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
      ok(""),
    ];
    const { port } = await sceneOf(
      [filter],
      answeringAll((connection) => connection.send(bodiless.shift()!)),
    );
    for (let i = 0; i < 3; i++) await exchange(port, ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    expect(calls).toEqual([]);
  });

  test("run one after the other, answers in the other direction", async () => {
    const add =
      (sign: string): Transform =>
      (chunk, last) =>
        last ? Buffer.concat([chunk, bytesOf(sign)]) : chunk;
    const filters = [
      filterOf("one", { requestBody: add("1"), responseBody: add("1") }, { order: 1 }),
      filterOf("two", { requestBody: later(add("2")), responseBody: later(add("2")) }, { order: 2 }),
      filterOf("three", { requestBody: add("3"), responseBody: add("3") }, { order: 3 }),
    ];
    const { port, upstream } = await sceneOf(
      filters,
      answeringAll((connection) => connection.send(ok("b"))),
    );
    const { body } = await exchange(port, ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na"]);
    expect(strictRequests(upstream.received).messages[0]!.body).toBe("a123");
    expect(body).toBe("b321");
  });

  test("of later filters see the end also when an earlier one holds everything back", async () => {
    const calls: [string, boolean][] = [];
    const filters = [
      filterOf("swallow", { requestBody: () => null }, { order: 1 }),
      filterOf("watch", { requestBody: recorded(calls) }, { order: 2 }),
    ];
    const { port } = await sceneOf(
      filters,
      answeringAll((connection) => connection.send(ok())),
    );
    await exchange(port, requests["a length, in pieces"]!);
    expect(calls).toEqual([["", true]]);
  });

  test("do not hold up pipelined requests behind them", async () => {
    const filter = filterOf("slow", { requestBody: later((chunk) => chunk), responseBody: later((chunk) => chunk) });
    const { port } = await sceneOf(
      [filter],
      answeringAll((connection) => connection.send(ok("fine"))),
    );
    const client = await rawClient(port);
    client.send(requests["chunked, whole"]![0]!.repeat(20));
    await until(() => strictAnswers(client.received).messages.length === 20, { what: "twenty answers" });
    client.close();
  });

  test("keep backpressure: a slow one is not given everything at once", async () => {
    let underway = 0;
    let most = 0;
    const slow: Transform = async (chunk) => {
      underway += chunk.length;
      most = Math.max(most, underway);
      await Bun.sleep(1);
      underway -= chunk.length;
      return chunk;
    };
    const size = 4 * 1024 * 1024;
    const { port, upstream } = await sceneOf([filterOf("slow", { requestBody: slow })], (connection) => {
      if (connection.received.endsWith("0\r\n\r\n")) connection.send(ok());
    });
    const { status } = await exchange(port, [
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`,
      "x".repeat(size),
    ]);
    expect(status).toBe(200);
    expect(strictRequests(upstream.received).messages[0]!.body.length).toBe(size);
    expect(most).toBeLessThanOrEqual(1024 * 1024);
  }, 20_000);

  test.each([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    [
      "rejects",
      async () => {
        throw new Error("no");
      },
    ],
    [
      "throws at the end",
      (_: Uint8Array, last: boolean) => {
        if (last) throw new Error("no");
        return null;
      },
    ],
  ] as [string, Transform][])("that fail let nothing through: request, one that %s", async (_, requestBody) => {
    const { port, upstream, engine } = await sceneOf([filterOf("bad", { requestBody })], () => {});
    const { status, body } = await exchange(port, requests["a length, in pieces"]!);
    expect(status).toBe(503);
    expect(body).toContain('"code":"filter_failed"');
    expect(strictRequests(upstream.received).messages).toEqual([]);
    await until(() => upstream.connections.every(({ closed }) => closed), {
      what: "the upstream's connection to close",
    });
    expect(engine.thread.codes).toEqual(["filter_failed"]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    [
      "rejects",
      async () => {
        throw new Error("no");
      },
    ],
    [
      "throws at the end",
      (chunk: Uint8Array, last: boolean) => {
        if (last) throw new Error("no");
        return chunk;
      },
    ],
  ] as [string, Transform][])("that fail leave no whole-looking answer: one that %s", async (_, responseBody) => {
    const script = answeringAll((connection) => void connection.sendPieces(answers["a length, in pieces"]!));
    const { port, engine } = await sceneOf([filterOf("bad", { responseBody })], script);
    const client = await rawClient(port);
    client.send("GET / HTTP/1.0\r\n\r\n"); // its answer ends with the connection: only a reset tells it from a whole one
    await until(() => client.closed || client.ended, { what: "an end" });
    const ended = client.ended && !client.received.startsWith("HTTP/1.1 503 ");
    expect({ ended, codes: engine.thread.codes }).toEqual({ ended: false, codes: ["filter_failed"] });
  });

  test("change a body before it is kept for another try", async () => {
    let tries = 0;
    const again = attemptOf("again", async (_, send) => {
      if (tries++ === 0) await send();
      await send();
    });
    const filters = [filterOf("change", { requestBody: upper }), again];
    const { port, upstream } = await sceneOf(
      filters,
      answeringAll((connection) => connection.send(ok())),
    );
    await exchange(port, requests["chunked, in pieces"]!);
    const bodies = upstream.connections.flatMap(({ received }) =>
      strictRequests(received).messages.map(({ body }) => body),
    );
    expect(bodies).toEqual([text.toUpperCase(), text.toUpperCase()]);
  });
});
