/** Clients that speak HTTP/2: answers, bodies both ways, limits, drain; with peers that are not ours where they are installed. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "../kit/app.ts";
import { program, run } from "../kit/commands.ts";
import { forwardTo, type ListenerOptions, type RouteOptions, respond, TestEngine } from "../kit/engine.ts";
import {
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  Http2Peer,
  requestFields,
  setting,
  types,
  uint32,
} from "../kit/http2-peer.ts";
import { answering, ok, RawUpstream } from "../kit/raw.ts";
import { until } from "../kit/until.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function start(routes: ListenerOptions["routes"], more: Partial<ListenerOptions> = {}): Promise<TestEngine> {
  const engine = await TestEngine.start({ routes, ...more });
  stops.push(() => engine.stop());
  return engine;
}

function upstream(answer: string | Uint8Array): RawUpstream {
  const raw = new RawUpstream(answering(answer));
  stops.push(() => raw.stop());
  return raw;
}

const curl = program("curl", "apt-get install curl");
const nghttp = program("nghttp", "apt-get install nghttp2-client");
const h2load = program("h2load", "apt-get install nghttp2-client");

describe("with clients of others", () => {
  let folder: string;
  let app: App;
  let engine: TestEngine;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "outrigger-http2-"));
    writeFileSync(join(folder, "body"), Buffer.alloc(3_000_000, "0123456789"));
    app = App.answering(({ head, length, sha256 }) => {
      const body = head.method === "POST" ? `${length} ${sha256}` : head.target;
      return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nX-Cookie: ${head.field("cookie")}\r\n\r\n${body}`;
    });
    engine = await TestEngine.start({ routes: forwardTo(app.port) });
  });
  afterAll(() => {
    engine.stop();
    app.stop();
    rmSync(folder, { recursive: true });
  });

  const url = (path: string) => `http://127.0.0.1:${engine.port()}${path}`;

  test.skipIf(curl === undefined)("curl asks, sends a large body, and sees a refusal", async () => {
    const asked = await run(curl!, ["-si", "--http2-prior-knowledge", "-b", "a=1; b=2", url("/hello")]);
    expect(asked.out).toStartWith("HTTP/2 200 ");
    expect(asked.out).toContain("x-cookie: a=1; b=2");
    expect(asked.out).toEndWith("/hello");
    const body = ["--data-binary", `@${join(folder, "body")}`];
    const sent = await run(curl!, ["-si", "--http2-prior-knowledge", ...body, url("/up")]);
    expect(sent.out).toContain("3000000 ");
  });

  test.skipIf(nghttp === undefined)("nghttp asks several at once on one connection, and pads its frames", async () => {
    const { out, code } = await run(nghttp!, ["-b", "200", ...[1, 2, 3, 4].map((at) => url(`/n${at}`))]);
    expect(code).toBe(0);
    for (const at of [1, 2, 3, 4]) expect(out).toContain(`/n${at}`);
  });

  test.skipIf(h2load === undefined)("h2load gets every answer, on many connections with many streams", async () => {
    const { out } = await run(h2load!, ["-n", "4000", "-c", "8", "-m", "32", url("/load")]);
    expect(out).toContain("4000 succeeded, 0 failed, 0 errored, 0 timeout");
    expect(out).toContain("status codes: 4000 2xx");
  });
});

describe("answers", () => {
  test("leave with END_STREAM on their last frame, not on an empty one", async () => {
    const engine = await start(respond(200, "hello"));
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await peer.until("the answer", () => peer.ended(1));
    expect(peer.of(types.DATA, 1)).toHaveLength(1);
    peer.close();
  });

  test("larger than a frame's head are continued", async () => {
    const value = "v".repeat(40_000);
    const engine = await start(forwardTo(upstream(ok("ok", `X-Large: ${value}\r\n`)).port));
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await peer.until("the answer", () => peer.ended(1));
    expect(peer.of(types.CONTINUATION, 1).length).toBeGreaterThan(0);
    expect(peer.content(1).toString()).toBe("ok");
    peer.close();
  });

  test("chunked ones lose their framing and keep their trailers", async () => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-End: 1\r\n\r\n";
    const engine = await start(forwardTo(upstream(chunked).port));
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await peer.until("the answer", () => peer.ended(1));
    expect(peer.content(1).toString()).toBe("abc");
    const [head, trailers] = peer.of(types.HEADERS, 1);
    expect(head!.payload.toString("latin1")).not.toContain("transfer-encoding");
    expect(trailers!.flags & END_STREAM).toBe(END_STREAM);
    peer.close();
  });

  test("a hundred streams each get their own", async () => {
    const app = App.answering(async ({ head }, at) => {
      await Bun.sleep((at * 7) % 20);
      return `HTTP/1.1 200 OK\r\nContent-Length: ${head.target.length}\r\n\r\n${head.target}`;
    });
    stops.push(() => app.stop());
    const engine = await start(forwardTo(app.port));
    const peer = await Http2Peer.open(engine.port());
    const streams = Array.from({ length: 100 }, (_, at) => at * 2 + 1);
    for (const stream of streams) peer.request(stream, `/${stream}`);
    await peer.until("the answers", () => streams.every((stream) => peer.ended(stream)));
    for (const stream of streams) expect(peer.content(stream).toString()).toBe(`/${stream}`);
    peer.close();
  });

  test("broken off by the upstream are reset", async () => {
    const raw = new RawUpstream((connection) => {
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
      connection.close();
    });
    stops.push(() => raw.stop());
    const engine = await start(forwardTo(raw.port));
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await peer.until("a reset", () => peer.resetOf(1) !== undefined);
    expect(peer.resetOf(1)).toBe(2);
    expect(peer.goAway).toBeUndefined();
    peer.close();
  });
});

describe("a slow reader", () => {
  test("of one stream holds little, and does not hold up another", async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, "s");
    const app = App.answering(({ head }) =>
      head.target === "/big"
        ? async (wire) => {
            await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
            await wire.send(body).catch(() => {});
          }
        : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nquick",
    );
    stops.push(() => app.stop());
    const engine = await start(forwardTo(app.port));
    const peer = await Http2Peer.open(engine.port());
    peer.send(types.WINDOW_UPDATE, 0, 0, uint32(100_000_000));
    peer.request(1, "/big");
    await peer.until("a window of it", () => peer.content(1).length === 65_535);
    await Bun.sleep(200);
    expect(peer.content(1).length).toBe(65_535);
    const { admission } = engine.traffic as unknown as { admission: { sessions: Set<{ heldBytes: number }> } };
    for (const { heldBytes } of admission.sessions) expect(heldBytes).toBeLessThan(1024 * 1024);
    peer.request(3, "/quick");
    await peer.until("the other answer", () => peer.ended(3));
    peer.send(types.WINDOW_UPDATE, 0, 1, uint32(100_000_000));
    await peer.until("all of it", () => peer.ended(1), 20_000);
    expect(peer.content(1).length).toBe(body.length);
    peer.close();
  }, 30_000);

  test("upstream stops the client by its window: 64 KiB on a stream and no more", async () => {
    const raw = new RawUpstream((connection) => connection.pause());
    stops.push(() => raw.stop());
    const engine = await start(forwardTo(raw.port));
    const peer = await Http2Peer.open(engine.port());
    peer.send(types.HEADERS, END_HEADERS, 1, block(requestFields("/", [], "POST")));
    let allowed = 65_535;
    let sent = 0;
    const announced = () =>
      peer.of(types.WINDOW_UPDATE, 1).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    const end = performance.now() + 1500;
    while (performance.now() < end) {
      allowed = 65_535 + announced();
      if (sent < allowed) {
        const size = Math.min(16_384, allowed - sent);
        peer.send(types.DATA, 0, 1, Buffer.alloc(size));
        sent += size;
      } else await Bun.sleep(20);
    }
    expect(peer.resetOf(1)).toBeUndefined();
    // What the kernel's buffers of the two sockets hold, and our windows: far from all that was wanted.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    const { admission } = engine.traffic as unknown as { admission: { sessions: Set<{ heldBytes: number }> } };
    for (const { heldBytes } of admission.sessions) expect(heldBytes).toBeLessThan(512 * 1024);
    peer.raw.reset();
  });
});

describe("limits", () => {
  const one = (more: Partial<RouteOptions>): RouteOptions[] => [{ action: respond(200, "ok"), ...more }];

  test("a head that is too large gets 431 on its stream; the connection goes on", async () => {
    const engine = await start(respond(200, "ok"));
    const peer = await Http2Peer.open(engine.port());
    const large = Array.from({ length: 9 }, (_, at) => [`x-${at}`, "y".repeat(8000)] as const);
    const bytes = block(requestFields("/", large));
    peer.send(types.HEADERS, END_STREAM, 1, bytes.subarray(0, 16_384));
    for (let at = 16_384; at < bytes.length; at += 16_384)
      peer.send(types.CONTINUATION, at + 16_384 >= bytes.length ? END_HEADERS : 0, 1, bytes.subarray(at, at + 16_384));
    peer.request(3);
    await peer.until("both answers", () => peer.ended(1) && peer.ended(3));
    expect(peer.goAway).toBeUndefined();
    expect(engine.thread.codes).toEqual(["head_too_large"]);
    expect(peer.content(3).toString()).toBe("ok");
    peer.close();
  });

  test("a body that is too large gets 413, and the client is told to stop", async () => {
    const silent = new RawUpstream();
    stops.push(() => silent.stop());
    const engine = await start([{ action: forwardTo(silent.port), maxBodyBytes: 100 }]);
    const peer = await Http2Peer.open(engine.port());
    peer.send(types.HEADERS, END_HEADERS, 1, block(requestFields("/", [], "POST")));
    peer.send(types.DATA, 0, 1, Buffer.alloc(200));
    await peer.until("the answer", () => peer.ended(1));
    expect(engine.thread.codes).toEqual(["body_too_large"]);
    await peer.until("a reset", () => peer.resetOf(1) === 0, 4000);
    peer.close();
  });

  test("an upstream that does not answer in time is 504, and other streams do not wait for it", async () => {
    const silent = new RawUpstream();
    stops.push(() => silent.stop());
    const engine = await start([
      { match: { path: { exact: "/quick" } }, action: respond(200, "ok") },
      { action: forwardTo(silent.port), timeouts: { responseMs: 200 } },
    ]);
    const peer = await Http2Peer.open(engine.port());
    peer.request(1, "/slow");
    peer.request(3, "/quick");
    await peer.until("the quick answer", () => peer.ended(3));
    expect(peer.ended(1)).toBe(false);
    await peer.until("the other one", () => peer.ended(1), 3000);
    expect(engine.thread.codes).toEqual(["upstream_timeout"]);
    peer.close();
  });

  test("a client that leaves a stream is noted, and the upstream let go of", async () => {
    const silent = new RawUpstream();
    stops.push(() => silent.stop());
    const engine = await start(one({ action: forwardTo(silent.port) }));
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await until(() => silent.connections.length === 1 && silent.received !== "");
    peer.send(types.RST_STREAM, 0, 1, uint32(8));
    await until(() => silent.connections[0]!.closed);
    expect(engine.thread.codes).toEqual(["client_closed"]);
    expect(engine.traffic.active.exchanges).toBe(0);
    peer.close();
  });

  test("our SETTINGS say what we take", async () => {
    const engine = await start(respond(200));
    const peer = await Http2Peer.open(engine.port());
    await peer.until("SETTINGS", () => peer.of(types.SETTINGS).length > 0);
    expect(peer.of(types.SETTINGS)[0]!.payload).toEqual(Buffer.concat([setting(6, 65_536), setting(3, 128)]));
    peer.close();
  });
});

describe("a drain", () => {
  test("says GOAWAY twice, serves what runs, and closes", async () => {
    const silent = new RawUpstream();
    stops.push(() => silent.stop());
    const engine = await start(forwardTo(silent.port));
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await until(() => silent.received !== "");
    engine.traffic.announce();
    await peer.until("the first GOAWAY", () => peer.of(types.GOAWAY).length === 1, 4000);
    expect(peer.of(types.GOAWAY)[0]!.payload).toEqual(uint32(0x7fff_ffff, 0));
    peer.request(3); // under way while GOAWAY travels: still served
    const ping = peer.of(types.PING)[0]!;
    peer.raw.send(frame(types.PING, 1, 0, ping.payload));
    await peer.until("the second GOAWAY", () => peer.of(types.GOAWAY).length === 2);
    expect(peer.of(types.GOAWAY)[1]!.payload).toEqual(uint32(3, 0));
    peer.request(5); // too late: nobody looks at it
    await until(() => silent.connections.length === 2);
    for (const connection of silent.connections) connection.send(ok("late"));
    await peer.raw.over();
    expect(peer.content(1).toString()).toBe("late");
    expect(peer.content(3).toString()).toBe("late");
    expect(peer.ended(5)).toBe(false);
    await until(() => engine.traffic.active.connections === 0);
  });

  test("of a listener that is gone ends its connections in the same way", async () => {
    const engine = await start(respond(200, "ok"), { name: "one" });
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await peer.until("the answer", () => peer.ended(1));
    await engine.apply({ name: "two", routes: respond(200) });
    await peer.until("GOAWAY", () => peer.goAway === 0, 4000);
    await peer.raw.over();
  });

  test("that takes too long is cut", async () => {
    const silent = new RawUpstream();
    stops.push(() => silent.stop());
    const engine = await TestEngine.start({ routes: forwardTo(silent.port) });
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await until(() => silent.received !== "");
    engine.stop();
    await peer.raw.over();
    expect(peer.goAway).toBe(0);
    expect(engine.thread.codes).toEqual(["stopped"]);
  });

  test("an idle connection is closed after keepAlive, with GOAWAY", async () => {
    const engine = await start(respond(200, "ok"), { timeouts: { keepAliveMs: 500 } });
    const peer = await Http2Peer.open(engine.port());
    peer.request(1);
    await peer.raw.over();
    expect(peer.content(1).toString()).toBe("ok");
    expect(peer.goAway).toBe(0);
    await until(() => engine.thread.counted.get("outrigger_connections{direction=inbound,listener=web}") === 0);
  });
});
