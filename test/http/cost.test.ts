/** What a peer can make the engine do with few bytes: system calls and hook calls are bounded, whatever the chunks. */
import { describe, expect, test } from "bun:test";
import type { Filter } from "../../src/contracts.ts";
import { registryOf } from "../kit/engine.ts";
import { FakeNetwork } from "../kit/fake-network.ts";
import { filterOf } from "../kit/filters.ts";
import { bytesOf, ok } from "../kit/raw.ts";
import { strictAnswers, strictRequests } from "../kit/strict.ts";

const count = 5000;
const tiny: Record<string, string> = {
  "one-byte chunks": `${"1\r\nx\r\n".repeat(count)}0\r\n\r\n`,
  "one-byte chunks with extensions": `${"1;\r\nx\r\n".repeat(count)}0\r\n\r\n`,
};

interface Cost {
  writes: number;
  calls: number;
  body: string | undefined;
}

/** One exchange with a chunked body both ways, each in one packet: how often bytes were written, and hooks called. */
async function costOf(body: string, withFilter: boolean): Promise<{ request: Cost; answer: Cost }> {
  const request: Cost = { writes: 0, calls: 0, body: undefined };
  const answer: Cost = { writes: 0, calls: 0, body: undefined };
  const hooks: Filter = {
    requestBody(chunk) {
      request.calls++;
      return chunk;
    },
    responseBody(chunk) {
      answer.calls++;
      return chunk;
    },
  };
  const filter = filterOf("count", withFilter ? hooks : {});
  const network = await FakeNetwork.start({ policies: { count: {} } }, {}, registryOf(filter));
  let sent = "";
  network.upstream = (socket) => ({
    onBytes(bytes) {
      request.writes++;
      sent += bytes.toString("latin1");
      if (!sent.endsWith("0\r\n\r\n")) return;
      request.body = strictRequests(sent).messages[0]?.body;
      socket.deliver([bytesOf(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)]);
    },
    onFin() {},
    onReset() {},
  });
  const { end, socket } = network.client();
  const onBytes = end.onBytes.bind(end);
  end.onBytes = (bytes) => {
    answer.writes++;
    onBytes(bytes);
  };
  socket.deliver([bytesOf(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)]);
  network.run();
  answer.body = strictAnswers(end.received).messages[0]?.body;
  network.stop();
  return { request, answer };
}

describe.each(Object.entries(tiny))("%s in one packet", (_, body) => {
  test.each([false, true])(
    "cost a handful of writes and calls, with a body filter or without: %p",
    async (withFilter) => {
      for (const cost of Object.values(await costOf(body, withFilter))) {
        expect(cost.body).toBe("x".repeat(count));
        expect(cost.writes).toBeLessThanOrEqual(5);
        expect(cost.calls).toBeLessThanOrEqual(withFilter ? 3 : 0);
      }
    },
  );
});

test("many informational answers do not pile up for a client that takes none of them", async () => {
  const network = await FakeNetwork.start();
  let taken = 0;
  network.upstream = (socket) => ({
    onBytes() {
      const early = bytesOf("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(1000));
      socket.deliver([...Array.from({ length: 100 }, () => early), bytesOf(ok())]);
    },
    onFin() {},
    onReset() {},
  });
  const { socket } = network.client();
  socket.write = () => 0; // its receive buffer is full
  socket.deliver([bytesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n")]);
  for (let turns = 0; turns < 1000; turns++) {
    const ready = network.sockets.find((other) => other !== socket && other.hasWork) ?? undefined;
    const connect = network.connects.shift();
    if (connect !== undefined) connect();
    else if (ready !== undefined) ready.step();
    else break;
    taken = socket.connection.pendingBytes;
  }
  expect(taken).toBeLessThanOrEqual(256 * 1024);
  network.stop();
});
