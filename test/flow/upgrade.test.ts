import { afterEach, describe, expect, test } from "bun:test";
import type { Exchange, FilterDefinition } from "../../src/contracts.ts";
import { App, ok } from "../kit/app.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { type Head, readAnswer, readHead } from "../kit/message.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const ask =
  "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUPGRADE: WebSocket\r\nSec-WebSocket-Key: dGhl\r\nSec-WebSocket-Protocol: x, y\r\n\r\n";
const agreed =
  "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pP\r\n\r\n";

let flow: Flow;
let app: App | undefined;
const ended: { status: number; in: number; out: number; failure: string | undefined; header: string | undefined }[] =
  [];

afterEach(() => {
  flow.stop();
  app?.stop();
  app = undefined;
  ended.splice(0);
});

/** Notes how each exchange ended, and edits both heads. */
const watch: FilterDefinition = {
  kind: "filter",
  name: "watch",
  doc: "",
  phase: "shape",
  order: 1,
  directions: ["inbound", "outbound"],
  config: {} as FilterDefinition["config"],
  create: () => ({
    request: (x: Exchange) => x.setHeader("x-asked", "1"),
    response: (x: Exchange) => x.response!.setHeader("x-seen", String(x.response!.status)),
    done: (x: Exchange) =>
      void ended.push({
        status: x.response?.status ?? 0,
        in: x.bytesIn,
        out: x.bytesOut,
        failure: x.failure,
        header: x.header("sec-websocket-key"),
      }),
  }),
};

async function through(script: (wire: Wire) => Promise<void>, wish: ListenerWish = {}): Promise<Wire> {
  app = new App(script);
  flow = await Flow.start([{ to: app.port, policies: { watch: true }, ...wish }], { filters: { watch } });
  return flow.connect();
}

/** Agrees to every request for a switch, then does what it is told. */
function agreeing(then: (wire: Wire, head: Head) => Promise<void>, early = ""): (wire: Wire) => Promise<void> {
  return async (wire) => {
    const head = (await readHead(wire))!;
    await wire.send(agreed + early);
    await then(wire, head);
  };
}

async function echo(wire: Wire): Promise<void> {
  for (let bytes = await wire.some(60_000); bytes !== undefined; bytes = await wire.some(60_000))
    await wire.send(bytes);
  wire.close();
}

describe("a request to change the protocol", () => {
  test("goes on with its fields, and after a 101 bytes go both ways as they are", async () => {
    let seen: Head | undefined;
    const client = await through(
      agreeing(async (wire, head) => {
        seen = head;
        await echo(wire);
      }, "early\0\xff"),
    );
    await client.send(ask);
    const head = (await readHead(client))!;
    expect([head.start, head.field("upgrade"), head.field("connection"), head.field("sec-websocket-accept")]).toEqual([
      "HTTP/1.1 101 Switching Protocols",
      "websocket",
      "Upgrade",
      "s3pP",
    ]);
    expect(head.field("x-seen")).toBe("101");
    expect([seen!.field("connection"), seen!.field("upgrade"), seen!.field("sec-websocket-protocol")]).toEqual([
      "Upgrade",
      "WebSocket",
      "x, y",
    ]);
    expect(seen!.field("x-asked")).toBe("1");
    await client.send("GET / HTTP/1.1\r\n\r\n\0\xfe");
    client.finish();
    expect(await client.rest()).toBe("early\0\xffGET / HTTP/1.1\r\n\r\n\0\xfe");
    expect(await client.ending()).toBe("fin");
    await flow.quiet();
    expect(ended).toEqual([{ status: 101, in: 20, out: 27, failure: undefined, header: "dGhl" }]);
    expect(flow.values.get('outrigger_tunnels{direction="inbound",listener="web"}')).toBe(0);
    expect(
      flow.values.get('outrigger_requests_total{direction="inbound",listener="web",route="default",class="1xx"}'),
    ).toBe(1);
  });

  test("may be followed at once by bytes of the new protocol", async () => {
    const client = await through(agreeing(echo));
    await client.send(`${ask}first`);
    await readHead(client);
    await client.send(" second");
    client.finish();
    expect(await client.rest()).toBe("first second");
  });

  test("whose client has closed its side already still gets what the other side says", async () => {
    const client = await through(
      agreeing(async (wire) => {
        const said = await wire.rest();
        await wire.send(`heard ${said}`);
        wire.close();
      }),
    );
    await client.send(`${ask}bye`);
    client.finish();
    await readHead(client);
    expect(await client.rest()).toBe("heard bye");
  });

  test.each([
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 426 x\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno",
  ])("is an ordinary one when the answer is ordinary: %p", async (answer) => {
    const client = await through(async (wire) => {
      while ((await readHead(wire)) !== undefined) await wire.send(answer);
    });
    for (let round = 0; round < 3; round++) {
      await client.send(ask);
      expect((await readAnswer(client)).text).toBe("no");
    }
    expect(app!.wires).toHaveLength(1);
  });

  test.each([
    ["another protocol", "upgrade: chat\r\nconnection: upgrade\r\n"],
    ["one more than offered", "upgrade: websocket, chat\r\nconnection: upgrade\r\n"],
    ["none", ""],
    ["an empty list", "upgrade: ,\r\nconnection: upgrade\r\n"],
  ])("is 502 when the 101 names %s", async (_, fields) => {
    const client = await through(async (wire) => {
      await readHead(wire);
      await wire.send(`HTTP/1.1 101 x\r\n${fields}\r\n`);
    });
    await client.send(`${ask}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    const answer = await readAnswer(client);
    expect([answer.head.status, JSON.parse(answer.text).code]).toEqual([502, "upstream_bad_response"]);
    await until(() => app!.wires[0]!.closed, { what: "the end of a connection in doubt" });
  });

  test.each([
    ["without Connection", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"],
    ["of HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"],
    [
      "with a body",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
    ],
    [
      "to h2c",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    ],
    ["to what is no protocol", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: web socket\r\n\r\n"],
  ])("is not passed on %s", async (_, request) => {
    let seen: Head | undefined;
    const client = await through(async (wire) => {
      seen = await readHead(wire);
      await wire.send(ok("x"));
    });
    await client.send(request);
    expect((await readAnswer(client)).text).toBe("x");
    expect([seen!.field("upgrade"), seen!.field("connection"), seen!.field("http2-settings")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("keeps what it offers beside h2c", async () => {
    let seen: Head | undefined;
    const client = await through(async (wire) => {
      seen = await readHead(wire);
      await wire.send(ok("x"));
    });
    await client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c, foo/2\r\nUpgrade: HTTP/2.0,bar\r\n\r\n",
    );
    await readAnswer(client);
    expect(seen!.field("upgrade")).toBe("foo/2, bar");
  });

  test("is not passed on where a route says so, and a 101 is a fault then", async () => {
    const client = await through(agreeing(echo), { upgrade: false });
    await client.send(ask);
    expect((await readAnswer(client)).head.status).toBe(502);
  });
});

describe("the tunnel after a 101", () => {
  test.each(["client", "app"] as const)("relays a reset of the %s as a reset", async (who) => {
    let far: Wire | undefined;
    const client = await through(
      agreeing(async (wire) => {
        far = wire;
        await wire.ending();
      }),
    );
    await client.send(ask);
    await readHead(client);
    const [breaks, sees] = who === "client" ? [client, far!] : [far!, client];
    breaks.reset();
    expect(await sees.ending()).toBe("reset");
    await flow.quiet();
    expect(ended[0]!.failure).toBe(who === "client" ? "client_closed" : "tunnel_broken");
  });

  test("has no limit of time but its own", async () => {
    const client = await through(agreeing(echo), {
      timeouts: { requestMs: 300, responseMs: 300, idleMs: 300, headMs: 300, keepAliveMs: 300, tunnelMs: 1000 },
    });
    await client.send(ask);
    await readHead(client);
    await Bun.sleep(600);
    await client.send("x");
    expect((await client.some())!.toString()).toBe("x");
    await Bun.sleep(600);
    await client.send("y");
    expect((await client.some())!.toString()).toBe("y");
    expect(await client.ending(5000)).toBe("reset");
    await flow.quiet();
    expect(ended[0]!.failure).toBe("tunnel_idle");
  });

  test("is waited for by a drain, then cut by name", async () => {
    const client = await through(agreeing(echo));
    await client.send(ask);
    await readHead(client);
    await client.send("abc");
    await client.some();
    expect(await flow.traffic.drain(300)).toEqual({ cut: 1 });
    flow.traffic.stop();
    expect(await client.ending()).toBe("reset");
    expect(flow.named("tunnel_cut")).toEqual([
      {
        listener: "web",
        peer: "127.0.0.1",
        upstream: `127.0.0.1:${app!.port}`,
        ageMs: expect.any(Number),
        bytesIn: 3,
        bytesOut: 3,
      },
    ]);
    expect(flow.named("exchanges_cut")).toEqual([{ count: 1 }]);
    expect(ended[0]!.failure).toBe("stopped");
  });

  test("lets a drain end as soon as it ends", async () => {
    const client = await through(agreeing(echo));
    await client.send(ask);
    await readHead(client);
    const drained = flow.traffic.drain(10_000);
    await Bun.sleep(50);
    client.finish();
    expect(await drained).toEqual({ cut: 0 });
  });

  test("lives on when a reload has replaced its route", async () => {
    const client = await through(agreeing(echo));
    await client.send(ask);
    await readHead(client);
    await flow.reload([{ routes: [{ respond: { status: 200, headers: [], body: undefined } }] }]);
    await client.send("still");
    expect((await client.some())!.toString()).toBe("still");
    client.finish();
    expect(await client.ending()).toBe("fin");
    await flow.quiet();
    expect(ended).toHaveLength(1);
  });
});

describe("WebSocket", () => {
  function server() {
    return Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no")),
      websocket: { message: (socket, message) => void socket.send(message), maxPayloadLength: 64 * 1024 * 1024 },
    });
  }

  async function opened(port: number): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return socket;
  }

  function echoed(socket: WebSocket, message: Uint8Array<ArrayBuffer> | string): Promise<unknown> {
    return new Promise((resolve) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.send(message);
    });
  }

  test("carries small texts and messages of a mebibyte, and its closing handshake", async () => {
    const far = server();
    flow = await Flow.start([{ to: far.port! }]);
    const socket = await opened(flow.port());
    expect(await echoed(socket, "hello")).toBe("hello");
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    const message = new Uint8Array(1024 * 1024).map((_, at) => large[at % 65_521]!);
    for (let round = 0; round < 5; round++)
      expect(Bun.hash((await echoed(socket, message)) as ArrayBuffer)).toBe(Bun.hash(message));
    const closed = new Promise<CloseEvent>((resolve) => {
      socket.onclose = resolve;
    });
    socket.close(4001, "enough");
    expect(await closed).toMatchObject({ code: 4001, reason: "enough" });
    await flow.quiet();
    expect(flow.named("request_failed")).toEqual([]);
    far.stop(true);
  });

  test("carries a thousand connections at once", async () => {
    const far = server();
    flow = await Flow.start([{ to: far.port!, timeouts: { connectMs: 10_000 } }]);
    const sockets: WebSocket[] = [];
    for (let at = 0; at < 1000; at += 100)
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => opened(flow.port())))));
    expect(flow.values.get('outrigger_tunnels{direction="inbound",listener="web"}')).toBe(1000);
    const answers = await Promise.all(sockets.map((socket, at) => echoed(socket, `message ${at}`)));
    expect(answers).toEqual(sockets.map((_, at) => `message ${at}`));
    for (const socket of sockets) socket.close();
    await flow.quiet();
    far.stop(true);
  }, 30_000);
});
