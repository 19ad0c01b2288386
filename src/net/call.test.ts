import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, canMakeCertificates } from "../../test/kit/certificates.ts";
import { HttpSink } from "../../test/kit/http-sink.ts";
import { type Answer, Caller, type CallerOptions, type CallFailure } from "./call.ts";
import { Authorization } from "./call-secrets.ts";

const closing: { stop(): void }[] = [];

afterEach(() => {
  for (const one of closing.splice(0)) one.stop();
});

function sinkOf(...options: ConstructorParameters<typeof HttpSink>): HttpSink {
  const sink = new HttpSink(...options);
  closing.push(sink);
  return sink;
}

function callerOf(options: Partial<CallerOptions> = {}): Caller {
  const caller = new Caller({ connectMs: 5_000, timeoutMs: 5_000, mostBytes: 1024, ...options });
  closing.push({ stop: () => caller.close() });
  return caller;
}

const bytes = (text: string) => Buffer.from(text, "latin1");

function outcomeOf(outcome: Answer | CallFailure): unknown {
  if ("failure" in outcome) return outcome.failure;
  return [outcome.status, outcome.body.toString(), outcome.truncated];
}

describe("a call", () => {
  test("is a request of HTTP/1.1, its body in pieces, and gives the answer back", async () => {
    const sink = sinkOf(() => ({ status: 200, headers: { "Retry-After": "3" }, body: "thanks" }));
    const answer = await callerOf().call({
      method: "POST",
      url: `${sink.url}/push?a=b`,
      headers: [["X-Tenant", "shop"]],
      body: [bytes("one "), bytes("two"), Buffer.alloc(100_000, "x"), bytes("end")],
    });
    expect(outcomeOf(answer)).toEqual([200, "thanks", false]);
    expect(answer).toMatchObject({ statusText: "200 Status" });
    expect("field" in answer && [answer.field("retry-after"), answer.field("absent")]).toEqual(["3", undefined]);
    const [{ method, target, headers, body }] = sink.requests as [HttpSink["requests"][number]];
    expect([method, target]).toEqual(["POST", "/push?a=b"]);
    expect(headers).toEqual({ host: `127.0.0.1:${sink.port}`, "x-tenant": "shop", "content-length": "100010" });
    expect(body.toString()).toBe(`one two${"x".repeat(100_000)}end`);
    expect(sink.faults).toEqual([]);
  });

  test("keeps its connection for the next one", async () => {
    const sink = sinkOf(() => ({ status: 200, body: "ok" }));
    const caller = callerOf();
    for (let i = 0; i < 20; i++) await caller.call({ method: "GET", url: `${sink.url}/${i}` });
    expect([sink.connections, sink.requests.length]).toEqual([1, 20]);
    expect(sink.requests[0]!.headers["content-length"]).toBeUndefined();
  });

  test("beside others has a connection of its own", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const sink = sinkOf(async () => {
      await promise;
      return { status: 204 };
    });
    const caller = callerOf();
    const calls = [1, 2, 3].map(() => caller.call({ method: "GET", url: sink.url }));
    while (sink.requests.length < 3) await Bun.sleep(2);
    resolve();
    expect((await Promise.all(calls)).map(outcomeOf)).toEqual([1, 2, 3].map(() => [204, "", false]));
    expect(sink.connections).toBe(3);
  });

  test("sends many MiB to who reads slowly, whole and in order", async () => {
    const sink = sinkOf();
    const body = Array.from({ length: 24 }, (_, i) => Buffer.alloc(1024 * 1024, i + 65));
    expect(outcomeOf(await callerOf().call({ method: "POST", url: sink.url, body }))).toEqual([204, "", false]);
    expect(sink.requests[0]!.raw.equals(Buffer.concat(body))).toBe(true);
  });

  test("with an answer longer than is kept gives its beginning, and closes", async () => {
    const sink = sinkOf(() => ({ status: 500, body: "y".repeat(4_000_000) }));
    const caller = callerOf();
    expect(outcomeOf(await caller.call({ method: "GET", url: sink.url }))).toEqual([500, "y".repeat(1024), true]);
    await caller.call({ method: "GET", url: sink.url });
    expect(sink.connections).toBe(2);
  });

  test("takes an answer that came before all was sent, and uses that connection no more", async () => {
    const answering = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          socket.pause();
          socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        },
        data() {},
      },
    });
    closing.push({ stop: () => answering.stop(true) });
    const body = [Buffer.alloc(32 * 1024 * 1024, "x")];
    const call = { method: "POST", url: `http://127.0.0.1:${answering.port}`, body };
    const caller = callerOf();
    expect(outcomeOf(await caller.call(call))).toEqual([413, "big", false]);
    expect(outcomeOf(await caller.call(call))).toEqual([413, "big", false]);
  });

  test.each([
    ["reset", "upstream_closed"],
    ["half", "upstream_body_broken"],
    ["hang", "upstream_timeout"],
  ] as const)("that is answered by %s fails", async (answer, failure) => {
    const sink = sinkOf(() => answer);
    const caller = callerOf({ timeoutMs: 300 });
    expect(outcomeOf(await caller.call({ method: "POST", url: sink.url }))).toBe(failure);
    sink.answer = () => ({ status: 204 });
    expect(outcomeOf(await caller.call({ method: "POST", url: sink.url }))).toEqual([204, "", false]);
  });

  test.each([
    "nonsense\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
  ])("with an answer that is none fails: %j", async (text) => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.write(text) },
    });
    closing.push({ stop: () => server.stop(true) });
    const outcome = await callerOf().call({ method: "GET", url: `http://127.0.0.1:${server.port}` });
    expect(outcomeOf(outcome)).toBe("upstream_bad_response");
  });

  test("reads chunks, what comes before the answer, and a body that ends with the connection", async () => {
    const texts = [
      "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\n\r\nto the end",
    ];
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        async data(socket) {
          const text = texts.shift()!;
          const isLast = texts.length === 0;
          for (const at of [10, 60, text.length]) {
            socket.write(text.slice(at === 10 ? 0 : at === 60 ? 10 : 60, at));
            await Bun.sleep(2);
          }
          if (isLast) socket.end();
        },
      },
    });
    closing.push({ stop: () => server.stop(true) });
    const caller = callerOf();
    const url = `http://127.0.0.1:${server.port}`;
    expect(outcomeOf(await caller.call({ method: "GET", url }))).toEqual([200, "abc", false]);
    expect(outcomeOf(await caller.call({ method: "GET", url }))).toEqual([200, "to the end", false]);
  });

  test("to where nobody listens, or a name that is none, fails with words that say where", async () => {
    const sink = sinkOf();
    sink.stop();
    const refused = await callerOf().call({ method: "GET", url: sink.url });
    expect(refused).toMatchObject({ failure: "upstream_unreachable", detail: `127.0.0.1:${sink.port}: ECONNREFUSED` });
    const unknown = await callerOf().call({ method: "GET", url: "http://no-such-name.invalid/" });
    expect(unknown).toMatchObject({ failure: "upstream_name_unresolved" });
  });

  test("that is given up ends at once, and its connection with it", async () => {
    const sink = sinkOf(() => "hang");
    const end = new AbortController();
    const call = callerOf().call({ method: "GET", url: sink.url }, end.signal);
    while (sink.requests.length === 0) await Bun.sleep(2);
    end.abort();
    expect(outcomeOf(await call)).toBe("aborted");
    expect(outcomeOf(await callerOf().call({ method: "GET", url: sink.url }, end.signal))).toBe("aborted");
  });

  test("is sent again at once when a kept connection was closed, unless that could do harm", async () => {
    let answered = 0;
    // Answers one request on each connection, then breaks off at the next one.
    const server = Bun.listen<{ used: boolean }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          socket.data = { used: false };
        },
        data(socket) {
          if (socket.data.used) socket.terminate();
          else socket.write("HTTP/1.1 204 No Content\r\n\r\n");
          socket.data.used = true;
          answered++;
        },
      },
    });
    closing.push({ stop: () => server.stop(true) });
    const url = `http://127.0.0.1:${server.port}`;
    const caller = callerOf();
    for (const [method, repeatable] of [["GET"], ["GET"], ["POST", true], ["PUT"]] as const) {
      const outcome = await caller.call({ method, url, ...(repeatable === undefined ? {} : { repeatable }) });
      expect(outcomeOf(outcome)).toEqual([204, "", false]);
    }
    expect(answered).toBe(7);
    expect(outcomeOf(await caller.call({ method: "POST", url }))).toBe("upstream_closed");
  });

  test("has no header that would be a second request", () => {
    const call = () => callerOf().call({ method: "GET", url: "http://127.0.0.1:1", headers: [["a", "b\r\nc: d"]] });
    expect(call).toThrow(TypeError);
  });
});

describe("through a proxy", () => {
  test("a plain request names its destination whole, and who we are to the proxy", async () => {
    const proxy = sinkOf(() => ({ status: 200, body: "by proxy" }));
    const caller = callerOf({ proxy: `http://anna:p%40ss@127.0.0.1:${proxy.port}` });
    expect(outcomeOf(await caller.call({ method: "GET", url: "http://logs.example/a?b" }))).toEqual([
      200,
      "by proxy",
      false,
    ]);
    const [{ target, headers }] = proxy.requests as [HttpSink["requests"][number]];
    expect(target).toBe("http://logs.example/a?b");
    expect(headers).toEqual({ host: "logs.example", "proxy-authorization": `Basic ${btoa("anna:p@ss")}` });
  });

  test("that refuses a tunnel fails in words", async () => {
    const proxy = sinkOf(() => ({ status: 407 }));
    const outcome = await callerOf({ proxy: proxy.url }).call({ method: "GET", url: "https://logs.example/" });
    expect(outcome).toMatchObject({ failure: "upstream_unreachable" });
    expect("detail" in outcome && outcome.detail).toContain("answers 407");
    expect(proxy.requests[0]).toMatchObject({ method: "CONNECT", target: "logs.example:443" });
  });
});

describe.skipIf(!canMakeCertificates)("over TLS", () => {
  const authority = new Authority();
  const { pem } = authority.issue({ names: "DNS:logs.test,IP:127.0.0.1" });
  afterAll(() => authority.remove());
  const trusting = { ca: authority.ca, serverName: undefined, identity: undefined, insecure: false };
  const url = (sink: HttpSink) => `https://127.0.0.1:${sink.port}/`;

  test("a CA of ours is trusted, others are not, and anything where nothing is to be checked", async () => {
    const sink = sinkOf(() => ({ status: 204 }), pem);
    const call = async (tls: object) =>
      outcomeOf(await callerOf({ tls: { ...trusting, ...tls } }).call({ method: "GET", url: url(sink) }));
    expect(await call({})).toEqual([204, "", false]);
    expect(await call({ serverName: "logs.test" })).toEqual([204, "", false]);
    expect(await call({ serverName: "other.test" })).toBe("upstream_tls_failed");
    expect(await call({ ca: undefined })).toBe("upstream_tls_failed");
    expect(await call({ ca: undefined, insecure: true })).toEqual([204, "", false]);
    expect(await call({ ca: "/no/such/file" })).toBe("upstream_tls_failed");
  });

  test("a client certificate is shown to who asks for one", async () => {
    const sink = sinkOf(() => ({ status: 204 }), { ...pem, ca: authority.pem, requestCert: true });
    const client = authority.issue({ subject: "/CN=collector" });
    const identity = { cert: client.cert, key: client.key };
    const outcome = await callerOf({ tls: { ...trusting, identity } }).call({ method: "GET", url: url(sink) });
    expect(outcomeOf(outcome)).toEqual([204, "", false]);
  });

  test("through a tunnel the far end is checked, not the proxy", async () => {
    const sink = sinkOf(() => ({ status: 200, body: "through" }), pem);
    const proxy = tunnelTo(sink.port);
    closing.push(proxy);
    const caller = callerOf({ proxy: proxy.url, tls: { ...trusting, serverName: "logs.test" } });
    for (let i = 0; i < 3; i++)
      expect(outcomeOf(await caller.call({ method: "POST", url: "https://logs.test:9/", body: [bytes("x")] }))).toEqual(
        [200, "through", false],
      );
    expect(proxy.heads).toEqual(["CONNECT logs.test:9 HTTP/1.1\r\nHost: logs.test:9\r\n\r\n"]);
    expect(sink.requests.map(({ body }) => body.toString())).toEqual(["x", "x", "x"]);
  });
});

/** A proxy that takes whoever asks to `port`. */
function tunnelTo(port: number) {
  const heads: string[] = [];
  interface Side {
    other: Bun.Socket<Side> | undefined;
  }
  const server = Bun.listen<Side>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { other: undefined };
      },
      async data(socket, text) {
        if (socket.data.other !== undefined) {
          socket.data.other.write(text);
          return;
        }
        heads.push(text.toString("latin1"));
        socket.data.other = await Bun.connect<Side>({
          hostname: "127.0.0.1",
          port,
          data: { other: socket },
          socket: { data: (far, back) => void far.data.other?.write(back) },
        });
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      },
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, heads, stop: () => server.stop(true) };
}

describe("who we are", () => {
  const folder = mkdtempSync(join(tmpdir(), "secrets-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("stands in one field", () => {
    expect(new Authorization().fields()).toEqual([]);
    expect(new Authorization({ basic: { user: "ä", password: "b:c" } }).fields()).toEqual([
      ["Authorization", `Basic ${Buffer.from("ä:b:c").toString("base64")}`],
    ]);
    expect(new Authorization({ bearer: "t" }).fields()).toEqual([["Authorization", "Bearer t"]]);
    expect(new Authorization({ apiKey: "k" }).fields()).toEqual([["Authorization", "ApiKey k"]]);
  });

  test("is read again when the token's file has changed", () => {
    const bearerFile = join(folder, "token");
    const authorization = new Authorization({ bearerFile });
    expect(() => authorization.fields()).toThrow("ENOENT");
    writeFileSync(bearerFile, "one\n");
    expect(authorization.fields()).toEqual([["Authorization", "Bearer one"]]);
    expect(authorization.fields()).toEqual([["Authorization", "Bearer one"]]);
    writeFileSync(bearerFile, "three\n");
    expect(authorization.fields()).toEqual([["Authorization", "Bearer three"]]);
    writeFileSync(bearerFile, "two\nlines\n");
    expect(() => authorization.fields()).toThrow("does not hold a token");
  });
});
