/** The same filters, over both versions: each scene is played by an HTTP/1 client and by an HTTP/2 one, to the same end. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Filter, FilterDefinition } from "../../src/contracts.ts";
import { FieldSection } from "../../src/http2/field-section.ts";
import { HeaderDecoder } from "../../src/http2/header-decoder.ts";
import { attemptOf, closeScenes, filterOf, sceneOf } from "../kit/filters.ts";
import { block, END_HEADERS, END_STREAM, Http2Peer, requestFields, types } from "../kit/http2-peer.ts";
import { answering, ask, ok, type Script } from "../kit/raw.ts";
import { until } from "../kit/until.ts";

afterEach(closeScenes);

interface Answered {
  readonly status: number;
  readonly body: string;
  readonly fields: string;
}

async function byHttp1(port: number, body: string | undefined): Promise<Answered> {
  const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
  const method = body === undefined ? "GET" : "POST";
  const got = await ask(
    port,
    `${method} /a?b HTTP/1.1\r\nHost: app.test\r\nX-In: 1\r\n${length}Connection: close\r\n\r\n${body ?? ""}`,
  );
  const end = got.indexOf("\r\n\r\n");
  const head = got.slice(0, end).toLowerCase();
  const content = got.slice(end + 4);
  const chunks = /transfer-encoding: chunked/.test(head) ? unchunked(content) : content;
  return { status: Number(got.slice(9, 12)), body: chunks, fields: head };
}

function unchunked(text: string): string {
  let content = "";
  for (let at = 0; ; ) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (!(size > 0)) return content;
    content += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}

async function byHttp2(port: number, body: string | undefined): Promise<Answered> {
  const peer = await Http2Peer.open(port);
  const fields = requestFields("/a?b", [["x-in", "1"]], body === undefined ? "GET" : "POST");
  peer.send(types.HEADERS, END_HEADERS | (body === undefined ? END_STREAM : 0), 1, block(fields));
  if (body !== undefined) peer.send(types.DATA, END_STREAM, 1, body);
  await peer.until("an answer", () => peer.ended(1));
  const { payload } = peer.of(types.HEADERS, 1)[0]!;
  const section = new FieldSection({ headBytes: 1e6, headFields: 1e6 });
  section.begin("response");
  new HeaderDecoder(4096).decode(Buffer.from(payload), 0, payload.length, section);
  const content = peer.content(1).toString();
  peer.close();
  return { status: section.status, body: content, fields: section.lines };
}

interface Played {
  readonly filters: (trace: string[]) => FilterDefinition[];
  readonly script?: Script;
  readonly body?: string;
  readonly expected: Partial<Answered>;
  readonly trace: readonly string[];
}

const traced = (trace: string[], hooks: Filter = {}): FilterDefinition =>
  filterOf("traced", {
    ...hooks,
    done: (x) => void trace.push(`done ${x.response?.status} ${x.failure ?? "well"} ${x.bytesIn} ${x.bytesOut}`),
  });

const scenes: Record<string, Played> = {
  "request and response hooks see and edit heads": {
    filters: (trace) => [
      traced(trace, {
        request: (x) => {
          trace.push(`${x.method} ${x.target} ${x.authority} ${x.header("x-in")}`);
          x.setHeader("x-set", "by a filter");
        },
        response: (x) => {
          trace.push(`answer ${x.response?.status}`);
          x.response?.setHeader("x-out", "2");
        },
      }),
    ],
    expected: { status: 200, body: "ok" },
    trace: ["GET /a?b app.test 1", "answer 200", "done 200 well 0 2"],
  },
  "a filter answers instead of the upstream": {
    filters: (trace) => [traced(trace, { request: () => ({ status: 403, body: "no" }) })],
    expected: { status: 403, body: "no" },
    trace: ["done 403 well 0 2"],
  },
  "a promise holds the request, and its body, until it settles": {
    filters: (trace) => [traced(trace, { request: async () => void (await Bun.sleep(20)) })],
    body: "held",
    expected: { status: 200 },
    trace: ["done 200 well 4 2"],
  },
  "body hooks change what goes both ways": {
    filters: (trace) => [
      traced(trace, {
        requestBody: (chunk) => Buffer.from(Buffer.from(chunk).toString().toUpperCase()),
        responseBody: (chunk, last) => (last ? Buffer.from(`${Buffer.from(chunk)}!`) : chunk),
      }),
    ],
    body: "loud",
    expected: { status: 200, body: "ok!" },
    trace: ["done 200 well 4 3"],
  },
  "a filter that throws is 503": {
    filters: (trace) => [
      traced(trace, {
        request: () => {
          throw new Error("broken");
        },
      }),
    ],
    expected: { status: 503 },
    trace: [],
  },
  "an attempt filter asks again": {
    filters: (trace) => [
      traced(trace),
      attemptOf("again", async (_, send) => {
        trace.push("try");
        await send();
        trace.push("try");
        await send();
      }),
    ],
    body: "kept",
    expected: { status: 200, body: "ok" },
    trace: ["try", "try", "done 200 well 4 2"],
  },
};

describe("over HTTP/1 and HTTP/2 alike:", () => {
  for (const [name, { filters, script = answering(ok("ok")), body, expected, trace: wanted }] of Object.entries(
    scenes,
  )) {
    for (const [version, play] of [
      ["http1", byHttp1],
      ["http2", byHttp2],
    ] as const) {
      test(`${name} (${version})`, async () => {
        const trace: string[] = [];
        const { port, upstream } = await sceneOf(filters(trace), script);
        const answered = await play(port, body);
        expect(answered).toMatchObject(expected);
        await until(() => trace.length >= wanted.length);
        if (wanted.length > 0) expect(trace).toEqual([...wanted]);
        if (name.startsWith("request and")) {
          expect(upstream.received.toLowerCase()).toContain("x-set: by a filter\r\n");
          expect(answered.fields).toContain("x-out: 2");
        }
        if (name.startsWith("body hooks")) expect(upstream.received).toContain("LOUD");
      });
    }
  }
});
