/** Upstreams that speak HTTP/2: how streams share connections, what is sent again, and what becomes of odd answers. */
import { afterEach, describe, expect, test } from "bun:test";
import { type EngineOptions, type ListenerOptions, TestEngine } from "../kit/engine.ts";
import { block, END_HEADERS, END_STREAM, setting, types, uint32 } from "../kit/http2-peer.ts";
import { endsRequest, type FrameScript, Http2Upstream } from "../kit/http2-upstream.ts";
import { ask, rawClient } from "../kit/raw.ts";
import { until } from "../kit/until.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function start(
  script: FrameScript,
  settings?: Uint8Array,
  more: Partial<ListenerOptions> = {},
  options: EngineOptions = {},
): Promise<{ engine: TestEngine; upstream: Http2Upstream }> {
  const upstream = new Http2Upstream(script, settings);
  const authority = `127.0.0.1:${upstream.port}`;
  const to = { scheme: "h2c", host: "127.0.0.1", port: upstream.port, authority, text: `h2c://${authority}` } as const;
  const engine = await TestEngine.start({ routes: { kind: "forward", to }, ...more }, options);
  stops.push(
    () => engine.stop(),
    () => upstream.stop(),
  );
  return { engine, upstream };
}

const get = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4);

describe("streams", () => {
  test("share one connection, up to the limit of the peer; more open another", async () => {
    const { engine, upstream } = await start(() => {}, setting(3, 2));
    // The first request tells us the limit.
    const first = ask(engine.port(), get());
    await until(() => upstream.ends.length === 1 && upstream.ends[0]!.streams.length === 1);
    await Bun.sleep(50);
    const others = [1, 2, 3].map(() => ask(engine.port(), get()));
    await until(() => upstream.ends.reduce((sum, end) => sum + end.streams.length, 0) === 4);
    expect(upstream.ends[0]!.streams).toEqual([1, 3]);
    expect(upstream.ends.length).toBeGreaterThan(1);
    for (const end of upstream.ends) for (const stream of end.streams) end.answer(stream, `s${stream}`);
    expect(bodyOf(await first)).toContain("s1");
    expect((await Promise.all(others)).every((answer) => answer.startsWith("HTTP/1.1 200 OK\r\n"))).toBe(true);
  });

  test("a hundred that come at once wait for one connection", async () => {
    const { engine, upstream } = await start((end, frame) => endsRequest(frame) && end.answer(frame.stream, "ok"));
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(engine.port(), get())));
    expect(answers.every((answer) => answer.includes("200 OK"))).toBe(true);
    expect(upstream.ends).toHaveLength(1);
  });
});

describe("what the upstream surely did not look at is sent again, whatever its method:", () => {
  test("REFUSED_STREAM", async () => {
    let refused = 0;
    const { engine } = await start((end, frame) => {
      if (!endsRequest(frame)) return;
      if (refused++ === 0) end.send(types.RST_STREAM, 0, frame.stream, uint32(7));
      else end.answer(frame.stream, "second");
    });
    const answer = await ask(
      engine.port(),
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toContain("200 OK");
    expect(refused).toBe(2);
  });

  test("a stream above the last one of GOAWAY; those below it come to their end", async () => {
    const { engine, upstream } = await start((end, frame) => {
      if (!endsRequest(frame)) return;
      if (upstream.ends.length > 1) end.answer(frame.stream, "new connection");
      else if (frame.stream === 3) {
        end.send(types.GOAWAY, 0, 0, uint32(1, 0));
        end.answer(1, "old connection");
      }
    });
    const first = ask(engine.port(), get());
    await until(() => upstream.ends[0]?.streams.length === 1);
    const second = ask(engine.port(), "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(bodyOf(await first)).toContain("old connection");
    expect(bodyOf(await second)).toContain("new connection");
  });

  test.each([
    ["REFUSED_STREAM, but not for ever", 7, 2],
    ["INTERNAL_ERROR, and then never", 2, 1],
  ])("%s", async (_, code, times) => {
    let asked = 0;
    const { engine } = await start((end, frame) => {
      if (!endsRequest(frame)) return;
      asked++;
      end.send(types.RST_STREAM, 0, frame.stream, uint32(code));
    });
    expect(await ask(engine.port(), get())).toContain("502 Bad Gateway");
    expect(asked).toBe(times);
  });
});

describe("answers", () => {
  const answering = (fields: readonly (readonly [string, string])[], flags = END_HEADERS | END_STREAM): FrameScript => {
    return (end, frame) => endsRequest(frame) && end.send(types.HEADERS, flags, frame.stream, block(fields));
  };

  test("without a body get content-length: 0 for an HTTP/1 client", async () => {
    const { engine } = await start(
      answering([
        [":status", "200"],
        ["x-a", "b"],
      ]),
    );
    expect(await ask(engine.port(), get())).toContain("x-a: b\r\ncontent-length: 0\r\n");
  });

  test("to HEAD keep their declared length", async () => {
    const { engine } = await start(
      answering([
        [":status", "200"],
        ["content-length", "77"],
      ]),
    );
    const answer = await ask(engine.port(), get().replace("GET", "HEAD"));
    expect(answer).toContain("content-length: 77\r\n");
    expect(bodyOf(answer)).toBe("");
  });

  test("of unknown length are chunked, and trailers follow the last chunk", async () => {
    const { engine } = await start((end, frame) => {
      if (!endsRequest(frame)) return;
      end.send(types.HEADERS, END_HEADERS, frame.stream, block([[":status", "200"]]));
      end.send(types.DATA, 0, frame.stream, "hello");
      end.send(types.HEADERS, END_HEADERS | END_STREAM, frame.stream, block([["grpc-status", "0"]]));
    });
    const answer = await ask(engine.port(), get());
    expect(answer).toContain("transfer-encoding: chunked\r\n");
    expect(bodyOf(answer)).toBe("5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n");
  });

  test("1xx ones are passed on before the final one", async () => {
    const { engine } = await start((end, frame) => {
      if (!endsRequest(frame)) return;
      end.send(
        types.HEADERS,
        END_HEADERS,
        frame.stream,
        block([
          [":status", "103"],
          ["link", "</a>"],
        ]),
      );
      end.answer(frame.stream, "ok");
    });
    const answer = await ask(engine.port(), get());
    expect(answer).toStartWith("HTTP/1.1 103 \r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n");
  });

  for (const [name, fields] of [
    ["without a status", [["x-a", "b"]]],
    ["with an odd status", [[":status", "20"]]],
    ["with a status of 101", [[":status", "101"]]],
    [
      "with a pseudo-field of requests",
      [
        [":status", "200"],
        [":path", "/"],
      ],
    ],
    [
      "with a field of HTTP/1 connections",
      [
        [":status", "200"],
        ["transfer-encoding", "chunked"],
      ],
    ],
    [
      "with CRLF in a value",
      [
        [":status", "200"],
        ["x-a", "b\r\nx-b: c"],
      ],
    ],
    [
      "with content-length and nothing behind it",
      [
        [":status", "200"],
        ["content-length", "5"],
      ],
    ],
  ] as const) {
    test(`${name} are 502, and the connection goes on`, async () => {
      const { engine, upstream } = await start((end, frame) => {
        if (!endsRequest(frame)) return;
        if (frame.stream === 1) end.send(types.HEADERS, END_HEADERS | END_STREAM, 1, block(fields));
        else end.answer(frame.stream, "next");
      });
      expect(await ask(engine.port(), get())).toContain("502 Bad Gateway");
      expect(bodyOf(await ask(engine.port(), get()))).toContain("next");
      expect(upstream.ends).toHaveLength(1);
      expect(engine.thread.codes).toEqual(["upstream_bad_response"]);
    });
  }

  test("broken off in the middle are broken off for the client", async () => {
    const { engine } = await start((end, frame) => {
      if (!endsRequest(frame)) return;
      end.send(
        types.HEADERS,
        END_HEADERS,
        frame.stream,
        block([
          [":status", "200"],
          ["content-length", "10"],
        ]),
      );
      end.send(types.DATA, 0, frame.stream, "half");
      setTimeout(() => end.send(types.RST_STREAM, 0, frame.stream, uint32(2)), 50);
    });
    const client = await rawClient(engine.port());
    client.send(get());
    await until(() => client.closed);
    expect(client.broken).toBe(true);
    expect(engine.thread.codes).toEqual(["upstream_body_broken"]);
  });

  test("an upstream that breaks the rules of the connection is left with GOAWAY", async () => {
    const { engine, upstream } = await start((end, frame) => endsRequest(frame) && end.send(types.DATA, 0, 99, "x"));
    expect(await ask(engine.port(), get())).toContain("502 Bad Gateway");
    await until(() => upstream.ends[0]!.frames.some(({ type }) => type === types.GOAWAY));
    expect(engine.thread.events.some(({ event }) => event === "http2_fault")).toBe(true);
  });
});

test("an upstream that speaks HTTP/1 is a bad answer, not a hanging one", async () => {
  const { RawUpstream, answering, ok } = await import("../kit/raw.ts");
  const raw = new RawUpstream(answering(ok()));
  const authority = `127.0.0.1:${raw.port}`;
  const to = { scheme: "h2c", host: "127.0.0.1", port: raw.port, authority, text: `h2c://${authority}` } as const;
  const engine = await TestEngine.start({ routes: { kind: "forward", to } });
  stops.push(
    () => engine.stop(),
    () => raw.stop(),
  );
  expect(await ask(engine.port(), get())).toContain("502 Bad Gateway");
});

test("a request body larger than the upstream's windows waits for them, and the client with it", async () => {
  let opened = false;
  const { engine, upstream } = await start((end, frame) => {
    if (endsRequest(frame)) end.answer(frame.stream, "done");
    if (frame.type === types.DATA && opened) {
      end.send(types.WINDOW_UPDATE, 0, 0, uint32(frame.payload.length));
      end.send(types.WINDOW_UPDATE, 0, frame.stream, uint32(frame.payload.length));
    }
  });
  const size = 8 * 1024 * 1024;
  const client = await rawClient(engine.port());
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n`);
  client.send(Buffer.alloc(size, "b"));
  const received = () => {
    const data = upstream.ends[0]?.frames.filter(({ type }) => type === types.DATA) ?? [];
    return data.reduce((sum, { payload }) => sum + payload.length, 0);
  };
  await until(() => received() === 65_535);
  await Bun.sleep(100);
  expect(received()).toBe(65_535);
  const admission = engine.traffic as unknown as { admission: { sessions: Set<{ heldBytes: number }> } };
  for (const { heldBytes } of admission.admission.sessions) expect(heldBytes).toBeLessThan(1024 * 1024);
  opened = true;
  const end = upstream.ends[0]!;
  end.send(types.WINDOW_UPDATE, 0, 0, uint32(65_535));
  end.send(types.WINDOW_UPDATE, 0, 1, uint32(65_535));
  await until(() => client.received.includes("done"), { deadlineMs: 30_000 });
  expect(received()).toBe(size);
}, 40_000);
