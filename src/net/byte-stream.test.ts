import { afterEach, expect, test } from "bun:test";
import { ByteServer, type ByteServerOptions } from "../../test/kit/byte-server.ts";
import { ByteStream } from "./byte-stream.ts";
import { loadUnacknowledged } from "./socket-queue.ts";

const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function serve(options: ByteServerOptions): ByteServer {
  const server = new ByteServer(options);
  ends.push(() => server.stop());
  return server;
}

function open({ port }: ByteServer, timeoutMs: number, signal = new AbortController().signal): Promise<ByteStream> {
  const clock = { now: () => performance.now(), wall: () => Date.now() };
  return ByteStream.open({ host: "127.0.0.1", port, tls: undefined }, { connectMs: 5_000, timeoutMs, signal, clock });
}

test("a peer that takes bytes slowly is no peer that takes none", async () => {
  let taken = 0;
  const server = serve({
    onData(visit) {
      taken += visit.take(visit.received.length).length;
      visit.pause();
      setTimeout(() => visit.resume(), 10);
    },
  });
  const stream = await open(server, 300);
  ends.push(() => stream.close());
  const start = performance.now();
  const bytes = new Uint8Array(32 * 1024 * 1024);
  await stream.write(bytes);
  const tookMs = performance.now() - start;
  await stream.drained();
  await stream.finish();
  expect(taken).toBe(bytes.length);
  // Else this test shows nothing.
  expect(tookMs).toBeGreaterThan(300);
});

test("a connection that was given up on before it stood is not kept open", async () => {
  const server = serve({});
  await loadUnacknowledged();
  const abort = new AbortController();
  const stream = open(server, 1_000, abort.signal);
  const failure = stream.catch(String);
  // By now it is under way; the kernel tells of it in a later turn.
  for (let steps = 0; steps < 5; steps++) await Promise.resolve();
  abort.abort();
  expect(await failure).toContain("was given up on");
  for (let looks = 0; looks < 200 && server.visits[0]?.closed !== true; looks++) await Bun.sleep(10);
  expect(server.visits.map(({ closed }) => closed)).toEqual([true]);
});

test("what is given up on before it begins is not begun", async () => {
  const server = serve({});
  await expect(open(server, 1_000, AbortSignal.abort())).rejects.toThrow("was given up on");
  await Bun.sleep(20);
  expect(server.visits).toEqual([]);
});
