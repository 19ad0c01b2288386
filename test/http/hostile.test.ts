/**
 * The hostile corpus at a recording origin: one row per attack, its whole outcome written down beforehand. `smuggling`
 * tests what must be refused over sockets; this adds what must go on and in which form, both sides of it judged by the
 * strict parser, and each row cut at each of its bytes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { FakeNetwork } from "../kit/fake-network.ts";
import { ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { strictAnswers, strictRequests } from "../kit/strict.ts";
import { until } from "../kit/until.ts";
import { framingRows } from "./hostile-framing.ts";
import { hopRows } from "./hostile-hops.ts";
import { lineRows } from "./hostile-lines.ts";
import type { HostileRow } from "./hostile-row.ts";
import { type Seen, sendPieces } from "./recording-origin.ts";

const rows = [...framingRows, ...lineRows, ...hopRows];
const families = [...new Set(rows.map(({ family }) => family))];

let network: FakeNetwork;

beforeAll(async () => {
  network = await FakeNetwork.start();
});

afterAll(() => network.stop());

function wanted({ forwarded, statuses, closed }: HostileRow): Seen {
  return { forwarded, doubt: [], statuses, closed, rest: "" };
}

/** The methods of the requests that are answered with 200; a refusal is read as an answer to GET. */
function methodsOf({ forwarded }: HostileRow): string[] {
  return forwarded.map((request) => request.split(" ")[0]!);
}

function send(row: HostileRow, pieces: readonly string[]): Seen {
  return sendPieces(network, pieces, methodsOf(row));
}

test("the corpus is as long as it was meant to be, and every row has a name of its own", () => {
  expect(rows.length).toBeGreaterThanOrEqual(300);
  expect(new Set(rows.map(({ family, name }) => `${family}: ${name}`)).size).toBe(rows.length);
});

describe.each(families)("%s:", (family) => {
  test.each(rows.filter((row) => row.family === family).map((row) => [row.name, row] as const))("%s", (_, row) => {
    expect(send(row, [row.bytes])).toEqual(wanted(row));
    if (row.bytes.length < 5000) expect(send(row, [...row.bytes])).toEqual(wanted(row));
  });
});

/** Positions at which a row is cut in two: all, or a hundred of a very long one. */
function* cuts(length: number): Generator<number> {
  const step = length < 5000 ? 1 : Math.floor(length / 100);
  for (let at = 1; at < length; at += step) yield at;
}

test("cut in two at each byte, every row ends the same way", () => {
  let count = 0;
  for (const row of rows) {
    for (const at of cuts(row.bytes.length)) {
      const seen = send(row, [row.bytes.slice(0, at), row.bytes.slice(at)]);
      if (!Bun.deepEquals(seen, wanted(row))) expect({ row, at, seen }).toEqual({ row, at, seen: wanted(row) });
      count++;
    }
  }
  expect(count).toBeGreaterThan(30_000);
}, 60_000);

test("broken off at each byte, no half a request becomes a whole one, and none is left on an open connection", () => {
  for (const row of rows) {
    const { forwarded, statuses } = wanted(row);
    for (const at of cuts(row.bytes.length)) {
      const seen = sendPieces(network, [row.bytes.slice(0, at)], methodsOf(row), true);
      const honest =
        seen.doubt.length === 0 &&
        seen.rest === "" &&
        seen.closed &&
        seen.forwarded.every((request, i) => request === forwarded[i]) &&
        // A fault in the middle of a line that never ends is told as what it is known to be so far.
        seen.statuses.every((status, i) => status === statuses[i] || (status >= 400 && status !== 502));
      if (!honest) expect({ row, at, seen }).toEqual({ row, at, seen: wanted(row) });
    }
  }
}, 60_000);

describe("over sockets, all rows at once,", () => {
  const answered = new WeakMap<object, number>();
  let upstream: RawUpstream;
  let engine: TestEngine;

  beforeAll(async () => {
    upstream = new RawUpstream((connection) => {
      const { messages } = strictRequests(connection.received);
      for (let i = answered.get(connection) ?? 0; i < messages.length; i++) connection.send(ok());
      answered.set(connection, messages.length);
    });
    engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
  });

  afterAll(() => {
    engine.stop();
    upstream.stop();
  });

  async function statusesOf(row: HostileRow, pieces: readonly string[]): Promise<unknown> {
    const client = await rawClient(engine.port());
    await client.sendPieces(pieces);
    const reading = () => strictAnswers(client.received, methodsOf(row), client.ended);
    await until(() => reading().messages.length >= row.statuses.length || client.closed, { what: row.name });
    if (row.closed) await client.over();
    client.close();
    const { messages, rest } = reading();
    return { statuses: messages.map(({ line }) => Number(line.slice(9, 12))), rest, name: row.name };
  }

  test.each([
    ["whole", (bytes: string) => [bytes]],
    ["in packets of one byte", (bytes: string) => [...bytes]],
  ])(
    "%s",
    async (_, cut) => {
      const short = rows.filter(({ bytes }) => bytes.length < 1500);
      for (let at = 0; at < short.length; at += 40) {
        await Promise.all(
          short.slice(at, at + 40).map(async (row) => {
            const seen = await statusesOf(row, cut(row.bytes));
            expect(seen).toEqual({ statuses: row.statuses, rest: "", name: row.name });
          }),
        );
      }
      for (const { received } of upstream.connections) {
        const { messages, rest, fault } = strictRequests(received);
        expect({ rest, fault }).toEqual({ rest, fault: undefined });
        expect(messages.filter(({ line }) => line.includes("/smuggled"))).toEqual([]);
      }
    },
    60_000,
  );
});
