/** When body hooks are called, what they are given, and what becomes of the body when one fails. */
import { afterEach, describe, expect, test } from "bun:test";
import { attemptOf, closeScenes, doing, exchange, filterOf, sceneOf } from "../kit/filters.ts";
import { bytesOf, ok, rawClient } from "../kit/raw.ts";
import { strictAnswers, strictRequests } from "../kit/strict.ts";
import { until } from "../kit/until.ts";
import { answers, later, requests, type Transform, text, upper } from "./body-samples.ts";

afterEach(closeScenes);

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
      doing((c) => void c.sendPieces(answers["chunked, in pieces"]!)),
    );
    await exchange(port, ...requests["chunked, in pieces"]!);
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
      doing((connection) => connection.send(bodiless.shift()!)),
    );
    for (let i = 0; i < 3; i++) await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
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
      doing((connection) => connection.send(ok("b"))),
    );
    const { body } = await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na");
    expect(strictRequests(upstream.received).messages[0]!.body).toBe("a123");
    expect(body).toBe("b321");
  });

  test.each(["whole", "in pieces"])("leave the trailers of a body as they are: %s", async (how) => {
    const filter = filterOf("shout", { requestBody: upper, responseBody: later(upper) });
    const { port, upstream } = await sceneOf(
      [filter],
      doing((c) => void c.sendPieces(answers[`chunked, ${how}`]!)),
    );
    const { message } = await exchange(port, ...requests[`chunked, ${how}`]!);
    const [sent] = strictRequests(upstream.received).messages;
    expect([sent!.body, sent!.trailers]).toEqual([text.toUpperCase(), [["X-Sum", "1"]]]);
    expect([message?.body, message?.trailers]).toEqual([text.toUpperCase(), [["X-Sum", "1"]]]);
  });

  test("of later filters see the end also when an earlier one holds everything back", async () => {
    const calls: [string, boolean][] = [];
    const filters = [
      filterOf("swallow", { requestBody: () => null }, { order: 1 }),
      filterOf("watch", { requestBody: recorded(calls) }, { order: 2 }),
    ];
    const { port } = await sceneOf(
      filters,
      doing((connection) => connection.send(ok())),
    );
    await exchange(port, ...requests["a length, in pieces"]!);
    expect(calls).toEqual([["", true]]);
  });

  test("do not hold up pipelined requests behind them", async () => {
    const filter = filterOf("slow", { requestBody: later((chunk) => chunk), responseBody: later((chunk) => chunk) });
    const { port } = await sceneOf(
      [filter],
      doing((connection) => connection.send(ok("fine"))),
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
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;
    const { status } = await exchange(port, head, "x".repeat(size));
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
    const { status, body } = await exchange(port, ...requests["a length, in pieces"]!);
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
    const script = doing((connection) => void connection.sendPieces(answers["a length, in pieces"]!));
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
      doing((connection) => connection.send(ok())),
    );
    await exchange(port, ...requests["chunked, in pieces"]!);
    const bodies = upstream.connections.flatMap(({ received }) =>
      strictRequests(received).messages.map(({ body }) => body),
    );
    expect(bodies).toEqual([text.toUpperCase(), text.toUpperCase()]);
  });
});
