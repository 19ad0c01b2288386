/**
 * Bodies far larger than memory through a real sidecar, up and down at once, beside peers that dawdle in every direction:
 * its resident memory stays flat, others are served meanwhile, and nothing is left open afterwards.
 *
 *   OUTRIGGER_BULK_GIB=10 bun test test/flow/http-bulk.test.ts        2 GiB each way unless told otherwise
 */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { App, ok } from "../kit/app.ts";
import { ask, type Head, readAnswer, readHead, readRequestBody } from "../kit/message.ts";
import { framingField, pieces, sendPayload, sha256Of } from "../kit/payload.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
const gib = Number(process.env.OUTRIGGER_BULK_GIB ?? "2");
const bytes = gib * 1024 * mebibyte;
/** Beyond the start: buffers of a few connections, and what the collector has not taken yet. */
const most = 96 * mebibyte;

const pod = new Pod();
let stopped = false;

const app = new App(async (wire) => {
  for (let head = await readHead(wire); head !== undefined; head = await readHead(wire)) await answer(wire, head);
  wire.close();
});

/** `/down`: the payload; `/drip`: an endless answer; `/dawdle`: takes its request slowly; else: the hash of what came. */
async function answer(wire: Wire, head: Head): Promise<void> {
  if (head.target === "/down") {
    await wire.send(`HTTP/1.1 200 OK\r\n${framingField("chunked", bytes)}\r\n`);
    await sendPayload(wire, bytes, "chunked");
  } else if (head.target === "/drip") {
    await wire.send("HTTP/1.1 200 OK\r\n\r\n");
    while (!stopped && !wire.closed) for (const piece of pieces(mebibyte)) await wire.send(piece);
    wire.reset();
  } else if (head.target === "/dawdle") await dawdle(wire);
  else await wire.send(ok((await readRequestBody(wire, head)).sha256));
}

/** Reads a little at a time. */
async function dawdle(wire: Wire): Promise<void> {
  while (!stopped && !wire.closed) {
    wire.stall();
    await Bun.sleep(50);
    wire.read();
    if ((await wire.some()) === undefined) return;
  }
}

afterAll(async () => {
  stopped = true;
  app.stop();
  await pod.remove();
});

function residentBytes({ pid }: SidecarProcess): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1024;
}

function descriptors({ pid }: SidecarProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function up(port: number): Promise<string> {
  const client = await Wire.connect(port);
  await client.send(`POST /up HTTP/1.1\r\nHost: a\r\n${framingField("length", bytes)}\r\n`);
  await sendPayload(client, bytes, "length");
  const { text } = await readAnswer(client);
  client.close();
  return text;
}

async function down(port: number): Promise<string> {
  const client = await Wire.connect(port);
  await client.send(get("/down"));
  const { sha256, complete } = await readAnswer(client);
  client.close();
  return complete ? sha256 : "broken off";
}

/** A client that takes its answer slowly, one that sends slowly, and one whose app reads slowly. */
async function dawdlers(port: number): Promise<Wire[]> {
  const wires = await Promise.all([1, 2, 3].map(() => Wire.connect(port)));
  const [reader, writer, sender] = wires as [Wire, Wire, Wire];
  await reader.send(get("/drip"));
  void dawdle(reader).catch(() => {});
  await writer.send("POST /dawdle HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  void (async () => {
    while (!stopped && !writer.closed) {
      await writer.send("1\r\nx\r\n");
      await Bun.sleep(2);
    }
  })();
  await sender.send(`POST /dawdle HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  void sendPayload(sender, bytes, "length").catch(() => {});
  return wires;
}

test(
  `${gib} GiB up and down at once, beside peers that dawdle, in flat memory`,
  async () => {
    const sidecar = await pod.start(`inbound: [{ listen: "127.0.0.1:0", to: "http://127.0.0.1:${app.port}" }]`);
    const port = Number(sidecar.address().split(":").at(-1));
    const other = await Wire.connect(port);
    await ask(other);
    const [rssAtStart, descriptorsAtStart] = [residentBytes(sidecar), descriptors(sidecar)];
    const started = performance.now();
    const slow = await dawdlers(port);
    let highest = 0;
    let done = false;
    let served = 0;
    const work = Promise.all([up(port), down(port)]).finally(() => {
      done = true;
    });
    while (!done) {
      highest = Math.max(highest, residentBytes(sidecar) - rssAtStart);
      expect((await ask(other)).head.status).toBe(200);
      served++;
      await Promise.race([work.catch(() => {}), Bun.sleep(20)]);
    }
    const seconds = (performance.now() - started) / 1000;
    const sha256 = sha256Of(bytes);
    expect(await work).toEqual([sha256, sha256]);
    process.stderr.write(
      `${gib} GiB each way in ${seconds.toFixed(1)} s; at most ${(highest / mebibyte).toFixed(1)} MiB above ${(rssAtStart / mebibyte).toFixed(1)}; ${served} others served\n`,
    );
    expect(highest).toBeLessThan(most);
    for (const wire of [...slow, other]) wire.reset();
    // What remains are idle connections to the app, which time out.
    await until(() => descriptors(sidecar) <= descriptorsAtStart, { what: "the descriptors of the start" });
    expect(await sidecar.stop("SIGTERM")).toBe(0);
  },
  60_000 * gib,
);
