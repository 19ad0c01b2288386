/** What costs a client little and us much ends with ENHANCE_YOUR_CALM, within a second and in flat memory. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { forwardTo, respond, TestEngine } from "../kit/engine.ts";
import {
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  Http2Peer,
  PADDED,
  requestFields,
  setting,
  types,
  uint32,
} from "../kit/http2-peer.ts";
import { RawUpstream } from "../kit/raw.ts";

const CALM = 11;
let engine: TestEngine;
let silent: RawUpstream;

beforeAll(async () => {
  silent = new RawUpstream();
  engine = await TestEngine.start({
    routes: [
      { match: { path: { exact: "/quick" } }, action: respond(200, "ok") },
      { match: { path: { exact: "/" } }, action: forwardTo(silent.port) },
    ],
  });
});

afterAll(() => {
  engine.stop();
  silent.stop();
});

const id = (at: number) => at * 2 + 1;
const open = (at: number, path = "/") =>
  frame(types.HEADERS, END_HEADERS | END_STREAM, id(at), block(requestFields(path)));
const openPost = (at: number) => frame(types.HEADERS, END_HEADERS, id(at), block(requestFields("/", [], "POST")));

/** Each gives the frames of one step of the attack, without end. */
const floods: Readonly<Record<string, (at: number) => Buffer>> = {
  "rapid reset (CVE-2023-44487)": (at) => Buffer.concat([open(at), frame(types.RST_STREAM, 0, id(at), uint32(8))]),
  "resets provoked by bad windows (CVE-2025-8671)": (at) =>
    Buffer.concat([open(at), frame(types.WINDOW_UPDATE, 0, id(at), uint32(0))]),
  "resets provoked by bad heads": (at) =>
    frame(types.HEADERS, END_HEADERS | END_STREAM, id(at), block([...requestFields(), ["Upper", "x"]])),
  "resets provoked by content that was not declared": (at) =>
    Buffer.concat([
      frame(types.HEADERS, END_HEADERS, id(at), block(requestFields("/", [["content-length", "1"]], "POST"))),
      frame(types.DATA, 0, id(at), "abc"),
    ]),
  "streams above the limit": (at) => open(at),
  "PING (CVE-2019-9512)": () => frame(types.PING, 0, 0, "12345678"),
  "acknowledgements of PING": () => frame(types.PING, 1, 0, "12345678"),
  "SETTINGS (CVE-2019-9515)": () => frame(types.SETTINGS, 0, 0, setting(4, 65_535)),
  "acknowledgements of SETTINGS": () => frame(types.SETTINGS, 1, 0),
  PRIORITY: (at) => frame(types.PRIORITY, 0, id(at), Buffer.concat([uint32(0), Buffer.from([16])])),
  "RST_STREAM of streams that are over": (at) =>
    at === 0
      ? Buffer.concat([open(at, "/quick"), frame(types.RST_STREAM, 0, 1, uint32(8))])
      : frame(types.RST_STREAM, 0, 1, uint32(8)),
  "WINDOW_UPDATE of the connection": () => frame(types.WINDOW_UPDATE, 0, 0, uint32(1)),
  "WINDOW_UPDATE of a stream": (at) => (at === 0 ? open(0) : frame(types.WINDOW_UPDATE, 0, 1, uint32(1))),
  "empty DATA (CVE-2019-9518)": (at) => (at === 0 ? openPost(0) : frame(types.DATA, 0, 1)),
  "DATA of nothing but padding": (at) =>
    at === 0 ? openPost(0) : frame(types.DATA, PADDED, 1, Buffer.from([3, 0, 0, 0])),
  "DATA on streams that were reset": (at) =>
    at === 0 ? Buffer.concat([openPost(0), frame(types.RST_STREAM, 0, 1, uint32(8))]) : frame(types.DATA, 0, 1, "x"),
  "CONTINUATION without end (CVE-2024-27316)": (at) =>
    at === 0
      ? frame(types.HEADERS, 0, 1, block(requestFields()))
      : frame(types.CONTINUATION, 0, 1, block([[`x-${at}`, "y".repeat(1000)]])),
  "empty CONTINUATION": (at) =>
    at === 0 ? frame(types.HEADERS, 0, 1, block(requestFields())) : frame(types.CONTINUATION, 0, 1),
  "frames of unknown type": () => frame(0x42, 0, 0, "x"),
};

describe("a flood of", () => {
  for (const [name, step] of Object.entries(floods)) {
    test(name, async () => {
      const peer = await Http2Peer.open(engine.port());
      const rss = process.memoryUsage.rss();
      const began = performance.now();
      let sent = 0;
      for (let at = 0; peer.goAway === undefined && performance.now() - began < 5000; ) {
        const batch: Buffer[] = [];
        for (let i = 0; i < 200; i++) batch.push(step(at++));
        const bytes = Buffer.concat(batch);
        sent += bytes.length;
        peer.raw.send(bytes);
        await Bun.sleep(1);
      }
      await peer.until("GOAWAY", () => peer.goAway !== undefined, 1000);
      expect(peer.goAway).toBe(CALM);
      expect(performance.now() - began).toBeLessThan(process.env.CI === undefined ? 3000 : 5000); // a busy machine
      await peer.raw.over();
      expect(process.memoryUsage.rss() - rss).toBeLessThan(sent + 64 * 1024 * 1024);
      peer.close();
    });
  }

  test("a header list that unfolds (HPACK bomb)", async () => {
    const peer = await Http2Peer.open(engine.port());
    // One entry of 4,000 bytes goes into the table; each further byte of the block refers to it.
    const entry = Buffer.concat([Buffer.from([0x40]), block([["x-bomb", "b".repeat(3900)]]).subarray(1)]);
    const first = Buffer.concat([block(requestFields()), entry]);
    peer.send(types.HEADERS, END_HEADERS | END_STREAM, 1, first);
    const bomb = Buffer.concat([block(requestFields()), Buffer.alloc(16_000, 0x80 | 62)]);
    peer.send(types.HEADERS, END_HEADERS | END_STREAM, 3, bomb);
    await peer.until("GOAWAY", () => peer.goAway === CALM, 1000);
    await peer.raw.over();
  });
});

test("a client that asks and does not read is read no further, and holds little", async () => {
  const peer = await Http2Peer.open(engine.port());
  peer.raw.pause();
  const rss = process.memoryUsage.rss();
  for (let at = 0; at < 40_000; at++) peer.raw.send(open(at, "/quick"));
  await Bun.sleep(500);
  expect(process.memoryUsage.rss() - rss).toBeLessThan(200 * 1024 * 1024); // the test's own copies are most of it
  const answered = engine.thread.counted.get(
    "outrigger_requests_total{direction=inbound,listener=web,route=default,class=2xx}",
  );
  peer.raw.resume();
  await peer.until("answers", () => peer.of(types.HEADERS).length > 100, 5000);
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThan(40_000);
  peer.raw.reset();
});

test("a window that never opens ends when nothing moved for the idle time", async () => {
  const big = await TestEngine.start({ routes: respond(200, "z".repeat(100_000)), timeouts: { idleMs: 300 } });
  const peer = await Http2Peer.open(big.port(), setting(4, 0));
  peer.request(1);
  await peer.until("a reset", () => peer.resetOf(1) !== undefined, 3000);
  expect(peer.content(1).length).toBe(0);
  peer.close();
  big.stop();
});
