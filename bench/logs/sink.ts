/**
 * Where lines are sent by HTTP: takes every body, keeps its length and checksum. `bun bench/logs/sink.ts PERIOD_MS`
 * prints its port; with a period above 0 requests of the second half of each are answered by 503 and not taken.
 *
 *   POST /…    a body of lines; one without a newline at its end gets one
 *   GET /      what was taken since the last reset, as JSON          POST /_reset    forgets it
 */
import { add, EMPTY, type Sum } from "./lines.ts";

export interface SinkState extends Sum {
  /** The end of the last body. */
  tail: string;
  requests: number;
  refused: number;
}

const TAIL_BYTES = 4096;
const NEWLINE = Buffer.from("\n");
const periodMs = Number(process.argv[2] ?? 0);

let state: SinkState = { ...EMPTY, tail: "", requests: 0, refused: 0 };

function isFailing(): boolean {
  return periodMs > 0 && performance.now() % periodMs >= periodMs / 2;
}

function take(body: Uint8Array): void {
  if (body.length === 0) return;
  const ended = body.at(-1) === NEWLINE[0];
  const sum = ended ? add(state, body) : add(add(state, body), NEWLINE);
  state = { ...state, ...sum, tail: Buffer.from(body.subarray(-TAIL_BYTES)).toString("latin1") };
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  maxRequestBodySize: 64 * 2 ** 20,
  async fetch(request) {
    if (request.method === "GET") return Response.json(state);
    const body = await request.bytes();
    if (request.url.endsWith("/_reset")) {
      state = { ...EMPTY, tail: "", requests: 0, refused: 0 };
      return new Response("");
    }
    state.requests++;
    if (isFailing()) {
      state.refused++;
      return new Response("busy", { status: 503 });
    }
    take(body);
    return new Response("");
  },
});
process.stdout.write(`${server.port}\n`);
