/**
 * Sessions of a client, bent at random. Whatever comes: nothing is thrown, the connection goes on correctly or ends with
 * GOAWAY, streams whose frames were not touched get their own answers, and nothing is left behind.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { App } from "../kit/app.ts";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import {
  ACK,
  block,
  clientPreface,
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
import { cut, type Seeded, seeded, seedOf } from "../kit/random.ts";
import { rawClient } from "../kit/raw.ts";
import { until } from "../kit/until.ts";

const seconds = Number(process.env.FUZZ_SECONDS ?? 6);
let engine: TestEngine;
let app: App;

beforeAll(async () => {
  app = App.answering(({ head, length }) => {
    const body = `${head.target} ${length}`;
    return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
  engine = await TestEngine.start({ routes: forwardTo(app.port), timeouts: { idleMs: 2000, headMs: 1000 } });
});
afterAll(() => {
  engine.stop();
  app.stop();
});

interface Piece {
  readonly bytes: Buffer;
  /** Stream it belongs to; 0 for the connection. */
  readonly stream: number;
}

interface Session {
  readonly pieces: Piece[];
  /** What each stream should be answered. */
  readonly answers: Map<number, string>;
}

/** Frames that are all right. */
function validSession(random: Seeded): Session {
  const pieces: Piece[] = [];
  const answers = new Map<number, string>();
  const add = (stream: number, ...frames: Buffer[]) => {
    for (const bytes of frames) pieces.push({ bytes, stream });
  };
  const streams = 1 + random.whole(6);
  for (let at = 0; at < streams; at++) {
    const id = at * 2 + 1;
    const path = `/${random.seed % 1000}-${id}`;
    const content = random.chance(0.5) ? Buffer.alloc(random.whole(3000), "c") : undefined;
    answers.set(id, `${path} ${content?.length ?? 0}`);
    add(id, ...request(random, id, path, content));
    if (random.chance(0.3)) add(0, frame(types.PING, 0, 0, "abcdefgh"));
    if (random.chance(0.3)) add(0, frame(types.WINDOW_UPDATE, 0, 0, uint32(1 + random.whole(5000))));
    if (random.chance(0.2)) add(0, frame(types.SETTINGS, 0, 0, setting(4, 1000 + random.whole(90_000))));
    if (random.chance(0.2)) add(0, frame(types.PRIORITY, 0, id + 100, Buffer.concat([uint32(0), Buffer.from([1])])));
    if (random.chance(0.2)) add(0, frame(0x77, random.whole(256), 0, "unknown"));
  }
  return { pieces, answers };
}

function request(random: Seeded, id: number, path: string, content: Buffer | undefined): Buffer[] {
  const fields = block(requestFields(path, [["x-long", "v".repeat(random.whole(300))]], content ? "POST" : "GET"));
  const end = content === undefined ? END_STREAM : 0;
  const frames: Buffer[] = [];
  if (random.chance(0.3)) {
    const half = random.whole(fields.length);
    frames.push(frame(types.HEADERS, end, id, fields.subarray(0, half)));
    frames.push(frame(types.CONTINUATION, END_HEADERS, id, fields.subarray(half)));
  } else frames.push(frame(types.HEADERS, END_HEADERS | end, id, fields));
  if (content === undefined) return frames;
  const half = random.whole(content.length + 1);
  const trailers = random.chance(0.3);
  const padding = random.whole(50);
  const padded = Buffer.concat([Buffer.from([padding]), content.subarray(0, half), Buffer.alloc(padding)]);
  frames.push(frame(types.DATA, PADDED, id, padded));
  frames.push(frame(types.DATA, trailers ? 0 : END_STREAM, id, content.subarray(half)));
  if (trailers) frames.push(frame(types.HEADERS, END_HEADERS | END_STREAM, id, block([["x-end", "1"]])));
  return frames;
}

/** Bends the session; returns the streams that can be in trouble by it, and whether framing can be lost. */
function mutate(random: Seeded, pieces: Piece[]): Set<number> {
  const touched = new Set<number>();
  for (let times = random.whole(4); times > 0; times--) {
    const at = random.whole(pieces.length);
    const piece = pieces[at]!;
    touched.add(piece.stream);
    const bytes = Buffer.from(piece.bytes);
    switch (random.whole(7)) {
      case 0:
        bytes[random.whole(bytes.length)]! ^= 1 << random.whole(8);
        pieces[at] = { ...piece, bytes };
        break;
      case 1:
        bytes[random.whole(bytes.length)] = random.whole(256);
        pieces[at] = { ...piece, bytes };
        break;
      case 2:
        pieces.splice(at, 1);
        break;
      case 3:
        pieces.splice(random.whole(pieces.length + 1), 0, piece);
        break;
      case 4:
        pieces[at] = { ...piece, bytes: bytes.subarray(0, random.whole(bytes.length)) };
        break;
      case 5: {
        const junk = Buffer.from(Array.from({ length: random.whole(40) }, () => random.whole(256)));
        const stream = random.whole(15);
        touched.add(stream);
        pieces.splice(at, 0, { bytes: frame(random.whole(12), random.whole(256), stream, junk), stream });
        break;
      }
      default: {
        const other = random.whole(pieces.length);
        touched.add(pieces[other]!.stream);
        [pieces[at], pieces[other]] = [pieces[other]!, pieces[at]!];
      }
    }
    if (pieces.length === 0) break;
  }
  return touched;
}

async function play(seed: number): Promise<string> {
  const random = seeded(seed);
  const { pieces, answers } = validSession(random);
  const touched = mutate(random, pieces);
  const peer = new Http2Peer(await rawClient(engine.port()));
  const began = performance.now();
  const bytes = Buffer.concat([
    Buffer.from(clientPreface),
    frame(types.SETTINGS, 0, 0),
    frame(types.SETTINGS, ACK, 0),
    ...pieces.map((piece) => piece.bytes),
    frame(types.PING, 0, 0, "the end!"),
  ]);
  if (random.chance(0.1)) await peer.raw.sendPieces(cut(bytes, random));
  else peer.raw.send(bytes);
  const alive = () => peer.of(types.PING).some(({ flags, payload }) => flags === ACK && String(payload) === "the end!");
  const settled = () => peer.goAway !== undefined || peer.raw.closed || alive();
  const end = performance.now() + (touched.size === 0 ? 10_000 : 400);
  while (!settled() && performance.now() < end) await Bun.sleep(5);
  let outcome = "waits";
  if (peer.goAway !== undefined) {
    outcome = "goaway";
    await peer.raw.over();
  } else if (peer.raw.closed || peer.raw.ended) {
    // On a machine that stood still for a second the last words may be overtaken by the end of the second they linger.
    if (!peer.raw.broken || performance.now() - began < 900) throw new Error("closed without GOAWAY");
    outcome = "late";
  } else if (alive()) {
    outcome = "alive";
    // Swaps and drops of one stream's frames do not concern another's, so long as the connection stands.
    for (const [id, answer] of answers) {
      if (touched.has(id) || touched.has(0)) continue;
      await peer.until(`the answer of stream ${id}`, () => peer.ended(id) || peer.resetOf(id) !== undefined, 5000);
      const reset = peer.resetOf(id);
      // A later stream that was opened first closes the earlier ones (section 5.1.1), which is no fault of ours.
      if (reset === undefined) expect(peer.content(id).toString()).toBe(answer);
    }
  } else if (touched.size === 0) throw new Error("a valid session got no answer to its PING");
  peer.raw.reset();
  return outcome;
}

test(
  "bent sessions end with GOAWAY or go on correctly",
  async () => {
    const first = seedOf("bent HTTP/2 sessions");
    const outcomes: Record<string, number> = {};
    const end = performance.now() + seconds * 1000;
    const rss = process.memoryUsage.rss();
    let seed = first;
    const lane = async () => {
      while (performance.now() < end) {
        const own = seed++;
        try {
          const outcome = await play(own);
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        } catch (error) {
          throw new Error(`SEED=${own}: ${error instanceof Error ? error.message : error}`);
        }
      }
    };
    await Promise.all(Array.from({ length: process.env.SEED === undefined ? 24 : 1 }, lane));
    process.stderr.write(`${seed - first} sessions: ${JSON.stringify(outcomes)}\n`);
    expect(outcomes.goaway).toBeGreaterThan(0);
    expect(outcomes.alive).toBeGreaterThan(0);
    await until(() => engine.traffic.active.exchanges === 0, { what: "no exchange left behind" });
    await until(() => engine.traffic.active.connections === 0, { what: "no connection left behind" });
    expect(process.memoryUsage.rss() - rss).toBeLessThan(150 * 1024 * 1024);
  },
  (seconds + 60) * 1000,
);
