/**
 * The hostile corpus the other way: what an upstream may answer, whole, cut at each byte and broken off at each byte.
 * `bad-answers` tests single faults over sockets; this adds the exact bytes that the client gets, whether the connection
 * serves anybody after them, and that the next client has its own answer, whatever came before.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakeNetwork } from "../kit/fake-network.ts";
import { type Seeded, seeded } from "../kit/random.ts";
import { bytesOf, ok } from "../kit/raw.ts";
import { statusOf, strictAnswers } from "../kit/strict.ts";
import { type AnswerRow, answerRows } from "./hostile-answers.ts";
import { type Answering, clear, RecordingOrigin } from "./recording-origin.ts";

let network: FakeNetwork;

beforeAll(async () => {
  network = await FakeNetwork.start();
});

afterAll(() => network.stop());

interface Outcome {
  /** What the first client got. */
  readonly received: string;
  readonly ended: boolean;
  readonly broken: boolean;
  /** What the next one got. */
  readonly second: string;
  /** Both were served on one connection. */
  readonly reused: boolean;
}

/** One client asks and gets the answer in pieces; then another one asks, and is answered well. */
function ask(method: string, pieces: readonly string[], ending: "none" | "fin" = "none"): Outcome {
  const origin = new RecordingOrigin(network);
  const answer: Answering = (request, connection) => {
    if (request.line.includes("/second")) connection.send(ok("second"));
    else {
      connection.socket.deliver(pieces.map(bytesOf));
      if (ending === "fin") connection.socket.deliverFin();
    }
  };
  const first = network.client();
  first.socket.deliver([bytesOf(`${method} /first HTTP/1.1\r\nHost: a\r\n\r\n`)]);
  origin.settle(answer);
  const { received, ended, broken } = first.end;
  const second = network.client();
  second.socket.deliver([bytesOf("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")]);
  origin.settle(answer);
  const outcome = {
    ...{ received, ended, broken, second: second.end.received },
    reused: origin.connections.some(({ received: seen }) => seen.includes("/first") && seen.includes("/second")),
  };
  clear(network);
  return outcome;
}

function statuses({ received }: Outcome, method: string): number[] {
  return strictAnswers(received, [method])
    .messages.map(statusOf)
    .filter((status) => status >= 200);
}

/** Says what is wrong with an outcome, if anything. */
function wrong(row: AnswerRow, outcome: Outcome): string | undefined {
  const { gets } = row;
  if (outcome.second !== ok("second")) return `the next client got ${outcome.second}`;
  if (outcome.reused !== row.reused) return outcome.reused ? "the connection was used again" : "it was not used again";
  if (typeof gets === "object") {
    if (outcome.received !== gets.bytes) return `the client got ${outcome.received}`;
  } else if (gets === "502") {
    if (statuses(outcome, row.method).join() !== "502") return `the client got ${outcome.received}`;
  } else if (!isHonest(row, outcome)) return `the client got ${outcome.received}`;
  return undefined;
}

/** A 502, or a connection that was visibly broken off. */
function isHonest({ method }: AnswerRow, outcome: Outcome): boolean {
  const seen = statuses(outcome, method).join();
  return seen === "502" || (seen === "" && outcome.broken && !outcome.ended);
}

function check(row: AnswerRow, outcome: Outcome, at?: number): void {
  const problem = wrong(row, outcome);
  if (problem !== undefined) expect({ row, at, outcome }).toEqual({ row, at, outcome: problem as never });
}

test("the corpus is as long as it was meant to be, and every row has a name of its own", () => {
  expect(answerRows.length).toBeGreaterThanOrEqual(100);
  expect(new Set(answerRows.map(({ family, name }) => `${family}: ${name}`)).size).toBe(answerRows.length);
});

describe.each([...new Set(answerRows.map(({ family }) => family))])("%s:", (family) => {
  test.each(answerRows.filter((row) => row.family === family).map((row) => [row.name, row] as const))(
    "%s",
    (_, row) => {
      check(row, ask(row.method, [row.answer]));
      check(row, ask(row.method, [...row.answer]));
    },
  );
});

test("cut in two at each byte, every answer ends the same way", () => {
  for (const row of answerRows)
    for (let at = 1; at < row.answer.length; at++)
      check(row, ask(row.method, [row.answer.slice(0, at), row.answer.slice(at)]), at);
}, 60_000);

test("broken off at each byte, no half an answer is taken for a whole one, and the next client gets its own", () => {
  for (const row of answerRows) {
    for (let at = 0; at < row.answer.length; at++) {
      const outcome = ask(row.method, [row.answer.slice(0, at)], "fin");
      const isWhole = typeof row.gets === "object" && outcome.received === row.gets.bytes;
      const good = outcome.second === ok("second") && !outcome.reused && (isWhole || isHonest(row, outcome));
      if (!good) expect({ row, at, outcome }).toEqual({ row, at, outcome: "an honest one" as never });
    }
  }
}, 60_000);

test("an answer that was sent before anybody asked serves one request at most, and the late one is nobody's", () => {
  const origin = new RecordingOrigin(network);
  const { upstream } = network;
  network.upstream = (socket) => {
    const end = upstream(socket);
    socket.deliver([bytesOf(ok("early"))]);
    return end;
  };
  const first = network.client();
  first.socket.deliver([bytesOf("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")]);
  origin.settle((_, connection) => connection.send(ok("late")));
  expect(first.end.received).toBe(ok("early"));
  expect(origin.connections.map(({ over }) => over)).toEqual([true]);
  clear(network);
});

/** Takes nothing of the write with that number, and all of every other. */
function slowAt(write: number): Seeded {
  let count = 0;
  const random = seeded(1);
  return { ...random, chance: () => ++count === write, whole: () => 0 };
}

test("bytes that nobody asked for are seen although the upstream was not read while its client was slow", () => {
  const origin = new RecordingOrigin(network);
  network.random = slowAt(2); // the first is the request, the second the early hints
  const first = network.client();
  first.socket.deliver([bytesOf("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")]);
  const answer = `HTTP/1.1 103 Early Hints\r\n\r\n${ok("first")}`;
  origin.settle((request, connection) => {
    if (request.line.includes("/first")) connection.socket.deliver([bytesOf(answer), bytesOf(ok("poison"))]);
    else connection.send(ok("second"));
  });
  network.random = undefined;
  const second = network.client();
  second.socket.deliver([bytesOf("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")]);
  origin.settle((_, connection) => connection.send(ok("second")));
  expect(first.end.received).toBe(answer);
  expect(second.end.received).toBe(ok("second"));
  clear(network);
});

test("a connection that was not read for a while serves nobody in the same turn", () => {
  const origin = new RecordingOrigin(network);
  network.random = slowAt(2);
  const { end, socket } = network.client();
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  socket.deliver([bytesOf(get("/first") + get("/second"))]);
  origin.settle((request, connection) => {
    const isFirst = request.line.includes("/first");
    const answer = isFirst ? `HTTP/1.1 103 Early Hints\r\n\r\n${ok("first")}` : ok("second");
    connection.socket.deliver(isFirst ? [bytesOf(answer), bytesOf(ok("poison"))] : [bytesOf(answer)]);
  });
  network.random = undefined;
  expect(strictAnswers(end.received).messages.map(({ body }) => body)).toEqual(["", "first", "second"]);
  clear(network);
});
