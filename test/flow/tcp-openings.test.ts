/** Streams whose connections begin with TLS or a PROXY header, on either side. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Upstream } from "../../src/config/schema.ts";
import { errorCode } from "../../src/errors.ts";
import { App } from "../kit/app.ts";
import { Authority, canMakeCertificates, type Issued } from "../kit/certificates.ts";
import { Flow, type ListenerWish, type RouteWish } from "../kit/flow.ts";
import { tlsOf, trusting } from "../kit/tls-flow.ts";

setDefaultTimeout(60_000);

describe.skipIf(!canMakeCertificates)("a stream", () => {
  let authority: Authority;
  let certificate: Issued;
  let flow: Flow | undefined;
  const closing: (() => void)[] = [];

  beforeAll(() => {
    authority = new Authority();
    certificate = authority.issue({ names: "DNS:db.example.com,DNS:*.example.com" });
  });
  afterAll(() => authority.remove());
  afterEach(() => {
    flow?.stop();
    flow = undefined;
    for (const close of closing.splice(0)) close();
  });

  async function start(wish: ListenerWish): Promise<Flow> {
    flow = await Flow.start([wish]);
    return flow;
  }

  /** A real TLS server that says who it is, and what it heard. */
  function tlsServer(name: string): number {
    const { cert, key } = certificate.pem;
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert, key },
      socket: { data: (socket, bytes) => void socket.write(`${name} heard ${bytes.toString()}`) },
    });
    closing.push(() => server.stop(true));
    return server.port;
  }

  /** An app without TLS that says what it heard first. */
  function plainServer(): number {
    const app = new App(async (wire) => {
      const first = await wire.some();
      await wire.send(`plain heard ${first?.toString("latin1")}`);
      wire.close();
    });
    closing.push(() => app.stop());
    return app.port;
  }

  /** What a TLS client that asks for this name is answered, or the code of its failure. */
  function asked(serverName: string): Promise<string> {
    const port = flow!.port();
    return new Promise((resolve) => {
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        tls: { serverName, ca: authority.pem },
        socket: {
          handshake: (socket, success, error) => {
            if (success) socket.write("hello");
            else resolve(String(errorCode(error)));
          },
          data: (socket, bytes) => {
            resolve(bytes.toString());
            socket.end();
          },
          error: (_, error) => resolve(String(errorCode(error))),
          close: () => resolve("closed"),
        },
      }).catch((error) => resolve(String(errorCode(error))));
    });
  }

  function routes(...names: [sni: string[] | undefined, port: number][]): RouteWish[] {
    return names.map(([sni, to], at) => ({ name: `r${at}`, to, match: { sni } }));
  }

  function overTls(port: number): Upstream {
    const authority = `127.0.0.1:${port}`;
    return { scheme: "tls", host: "127.0.0.1", port, authority, text: `tls://${authority}` };
  }

  test("of TLS that is passed through goes by the server name, and ends at the server it names", async () => {
    const [a, b, c] = [tlsServer("a"), tlsServer("b"), tlsServer("c")];
    await start({
      protocol: "tls",
      routes: routes([["db.example.com"], a], [["*.example.com"], b], [undefined, c]),
    });
    expect(
      await Promise.all(["db.example.com", "DB.Example.com", "other.example.com"].map((name) => asked(name))),
    ).toEqual(["a heard hello", "a heard hello", "b heard hello"]);
    // The server behind the last route has no certificate for that name: the client judges that, not we.
    expect(await asked("x.test")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    await flow!.quiet();
    expect(flow!.named("stream_failed").filter(({ code }) => code !== "client_closed")).toEqual([]);
  });

  test("whose TLS ends here goes on in plain", async () => {
    await start({ arrival: { ...tlsOf([certificate]), protocol: "tcp" }, to: plainServer() });
    expect(await asked("db.example.com")).toBe("plain heard hello");
  });

  test("to tls:// is encrypted on the way, for the name that is expected", async () => {
    const upstream = overTls(tlsServer("far"));
    await start({ protocol: "tcp", upstream, policy: trusting(authority.ca, { serverName: "db.example.com" }) });
    const client = await flow!.connect();
    await client.send("hello");
    expect((await client.some())!.toString()).toBe("far heard hello");
    client.finish();
    expect(await client.ending()).toBe("fin");
  });

  test("to tls:// with another name in the certificate is reset", async () => {
    const upstream = overTls(tlsServer("far"));
    await start({ protocol: "tcp", upstream, policy: trusting(authority.ca, { serverName: "other.test" }) });
    const client = await flow!.connect();
    await client.send("secret");
    expect(await client.ending()).toBe("reset");
    expect(flow!.failures("upstream_tls_failed")).toBe(1);
  });

  test("tells an upstream by a PROXY header who the client is", async () => {
    await start({
      protocol: "tcp",
      to: plainServer(),
      policy: { protocol: "http1", proxyProtocol: 1, tls: undefined },
    });
    const client = await flow!.connect();
    await client.send("hello");
    expect(await client.rest()).toMatch(/^plain heard PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n/);
  });

  test("WebSocket goes through TLS that ends here", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no")),
      websocket: { message: (socket, message) => void socket.send(message) },
    });
    closing.push(() => server.stop(true));
    await start({ arrival: tlsOf([certificate]), to: server.port! });
    const socket = new WebSocket(`wss://127.0.0.1:${flow!.port()}/`, { tls: { rejectUnauthorized: false } });
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const answer = new Promise((resolve) => {
      socket.onmessage = ({ data }) => resolve(data);
    });
    socket.send("x".repeat(100_000));
    expect(await answer).toBe("x".repeat(100_000));
    socket.close();
    await flow!.quiet();
  });
});
