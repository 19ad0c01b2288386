/** How connections to upstreams begin: TLS, Unix sockets, PROXY headers. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientTlsFiles } from "../../src/net/client-tls.ts";
import { readProxyHeader } from "../../src/net/proxy-protocol.ts";
import { App, ok } from "../kit/app.ts";
import { Authority, canMakeCertificates, type Issued } from "../kit/certificates.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { pieces, sha256Of } from "../kit/payload.ts";
import { trusting } from "../kit/tls-flow.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

setDefaultTimeout(60_000);

const echoHost = (request: Request) => new Response(`${request.headers.get("host")}`);

let flow: Flow | undefined;
const closing: (() => void)[] = [];
afterEach(() => {
  flow?.stop();
  flow = undefined;
  for (const close of closing.splice(0)) close();
});

async function start(wish: ListenerWish): Promise<Flow> {
  flow = await Flow.start([wish]);
  return flow;
}

async function ask(
  path = "/",
  init?: RequestInit,
): Promise<{ status: number; text: string; code?: string; detail?: string }> {
  const answer = await fetch(`http://127.0.0.1:${flow!.port()}${path}`, init);
  const text = await answer.text();
  const problem = text.startsWith("{") ? JSON.parse(text) : {};
  return { status: answer.status, text, ...problem };
}

describe.skipIf(!canMakeCertificates)("an https upstream", () => {
  let authority: Authority;
  let other: Authority;
  let [server, client]: Issued[] = [];
  beforeAll(() => {
    authority = new Authority();
    other = new Authority("another CA");
    server = authority.issue({ subject: "/CN=app", names: "DNS:localhost,DNS:app.test" });
    client = authority.issue({ subject: "/O=shop/CN=sidecar" });
  });
  afterAll(() => {
    authority.remove();
    other.remove();
  });

  function serve(tls: object = {}, fetch: (request: Request) => Response | Promise<Response> = echoHost) {
    const app = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: { ...server!.pem, ...tls }, fetch });
    closing.push(() => void app.stop(true));
    return app;
  }

  function to(port: number | undefined, tls: Partial<ClientTlsFiles> | undefined, host = "localhost"): ListenerWish {
    const upstream = { scheme: "https" as const, host, port: port!, authority: `${host}:${port}`, text: "" };
    return { upstream, ...(tls !== undefined && { policy: trusting(authority.ca, tls) }) };
  }

  test("is trusted by the CA that is given, for the name of its address", async () => {
    const app = serve();
    await start({ ...to(app.port, {}), direction: "outbound" });
    expect(await ask()).toMatchObject({ status: 200, text: `localhost:${app.port}` });
  });

  test("is asked for the name that is given", async () => {
    const app = serve();
    await start(to(app.port, { serverName: "app.test" }, "127.0.0.1"));
    expect(await ask()).toMatchObject({ status: 200 });
  });

  test("uses one connection for many requests", async () => {
    let connections = 0;
    const app = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: server!.pem,
      socket: { open: () => void connections++, data: (socket) => void socket.write(ok("x")), error() {} },
    });
    closing.push(() => app.stop(true));
    await start(to(app.port, {}));
    for (let i = 0; i < 5; i++) expect((await ask()).text).toBe("x");
    expect(connections).toBe(1);
  });

  test("is refused with the reason", async () => {
    const app = serve();
    const refused = async (wish: ListenerWish) => {
      flow?.stop();
      await start(wish);
      const { status, code, detail } = await ask();
      expect({ status, code }).toEqual({ status: 502, code: "upstream_tls_failed" });
      return detail?.replace(/^\S+: /, "");
    };
    expect(await refused(to(app.port, { serverName: "b.test" }))).toBe(
      "its certificate is for DNS:localhost, DNS:app.test, not for b.test",
    );
    expect(await refused(to(app.port, { ca: other.ca }))).toBe(
      "its certificate is not signed by a CA that is trusted here",
    );
    expect(await refused(to(app.port, undefined))).toBe("its certificate is not signed by a CA that is trusted here");
    const old = authority.issue({ names: "DNS:localhost", days: -1 });
    expect(await refused(to(serve(old.pem).port, {}))).toBe("its certificate has expired");
    const plain = new App((wire) => wire.send("HTTP/1.1 400 Bad Request\r\n\r\n"));
    closing.push(() => plain.stop());
    expect(await refused(to(plain.port, {}))).toBe("what it sent is not TLS");
  });

  test("is taken as it is when that is asked for", async () => {
    const app = serve();
    await start(to(app.port, { ca: other.ca, serverName: "b.test", insecure: true }));
    expect((await ask()).status).toBe(200);
  });

  test("is shown our certificate", async () => {
    const app = serve({ ca: authority.pem, requestCert: true, rejectUnauthorized: true });
    await start(to(app.port, { identity: { cert: client!.cert, key: client!.key } }));
    expect((await ask()).status).toBe(200);
    flow!.stop();
    await start(to(app.port, {}));
    expect(await ask()).toMatchObject({ status: 502, detail: expect.stringContaining("certificate") });
  });

  test("that does not shake hands in time is given up", async () => {
    const mute = new App(async (wire) => {
      await wire.rest();
      wire.close();
    });
    closing.push(() => mute.stop());
    await start({ ...to(mute.port, {}), timeouts: { connectMs: 300 } });
    expect(await ask()).toMatchObject({ status: 504, code: "upstream_connect_timeout" });
    await until(() => mute.openConnections === 0, { what: "the end of the connection" });
  });

  test("that closes in the middle of the handshake is a failure of TLS", async () => {
    const rude = new App(async (wire) => {
      await wire.some();
      wire.reset();
    });
    closing.push(() => rude.stop());
    await start(to(rude.port, {}));
    expect(await ask()).toMatchObject({ status: 502, code: "upstream_tls_failed" });
  });

  test("takes and gives big bodies whole", async () => {
    const bytes = 24 * 1024 * 1024;
    const app = serve({}, async (request) => new Response(await request.bytes()));
    await start(to(app.port, {}));
    const body = Buffer.concat([...pieces(bytes)]);
    const answer = await fetch(`http://127.0.0.1:${flow!.port()}/`, { method: "POST", body });
    const hasher = new Bun.CryptoHasher("sha256");
    for await (const chunk of answer.body!) hasher.update(chunk);
    expect(hasher.digest("hex")).toBe(sha256Of(bytes));
  });

  test("is met with the new certificate and CA after a reload, and old pools are let go", async () => {
    const app = serve({ ca: authority.pem, requestCert: true, rejectUnauthorized: true });
    const folder = mkdtempSync(join(tmpdir(), "identity-"));
    closing.push(() => rmSync(folder, { recursive: true }));
    const identity = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
    const put = ({ cert, key }: Issued) => {
      copyFileSync(cert, identity.cert);
      copyFileSync(key, identity.key);
    };
    put(other.issue({ subject: "/CN=of-another-CA" }));
    const wish = to(app.port, { identity });
    const { traffic } = await start(wish);
    expect((await ask()).detail).toContain("as for want of a client certificate it trusts");
    for (let i = 0; i < 5; i++) {
      put(authority.issue({ subject: `/CN=sidecar-${i}` }));
      await flow!.reload([wish]);
      expect((await ask()).status).toBe(200);
    }
    expect((Reflect.get(traffic.engine, "pools") as Map<string, unknown>).size).toBeLessThanOrEqual(2);
    copyFileSync(other.issue().key, identity.key);
    await expect(flow!.reload([wish])).rejects.toThrow(/is not the key of the certificate in/);
    expect((await ask()).status).toBe(200);
  });

  test("is reached by requests of our own", async () => {
    const app = serve();
    await start({ routes: [{ respond: { status: 204, headers: [], body: undefined } }] });
    const wanted = { method: "GET", headers: [], timeoutMs: 5000, maxBodyBytes: 100 };
    const answer = await flow!.traffic.request({ ...wanted, url: `https://localhost:${app.port}/` });
    expect(answer).toMatchObject({ failure: "upstream_tls_failed" }); // the test's CA is not the machine's
  });
});

describe("a Unix socket", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sockets-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const to = (path: string): ListenerWish => ({
    upstream: { scheme: "unix", host: path, port: 0, authority: "localhost", text: `unix:${path}` },
  });

  test("leads to the app, on connections that are used again", async () => {
    const path = join(folder, "app.sock");
    const app = Bun.serve({
      unix: path,
      fetch: async (request) => new Response(`${request.headers.get("host")} ${await request.text()}`),
    });
    closing.push(() => void app.stop(true));
    await start(to(path));
    for (let i = 0; i < 3; i++)
      expect(await ask("/", { method: "POST", body: "hi", headers: { host: "a.test" } })).toMatchObject({
        text: "a.test hi",
      });
  });

  test.each([
    ["is not there", () => {}, "there is no such socket; does the app listen there, and is its volume mounted here?"],
    ["is a plain file", (path: string) => writeFileSync(path, ""), /nobody listens on it|no socket/],
    [
      "was left behind",
      (path: string) => Bun.listen({ unix: path, socket: { data() {} } }).stop(true),
      /nobody listens on it|no such socket/,
    ],
  ])("that %s is told in words", async (_, make, words) => {
    const path = join(folder, "app.sock");
    make(path);
    await start(to(path));
    const { code, detail } = await ask();
    expect(code).toBe("upstream_unreachable");
    expect(detail).toMatch(words);
    expect(detail).toStartWith(`unix:${path}: `);
  });
});

describe.each([1, 2] as const)("a PROXY header of version %p to the app", (version) => {
  /** Reads the header, then serves; tells of each connection. */
  function proxied(seen: unknown[]): App {
    const app = new App(async (wire: Wire) => {
      let bytes = (await wire.some())!;
      let header = readProxyHeader(bytes);
      while (header === undefined) {
        bytes = Buffer.concat([bytes, (await wire.some())!]);
        header = readProxyHeader(bytes);
      }
      seen.push(header);
      wire.unread(bytes.subarray((header as { length: number }).length));
      while ((await wire.through("\r\n\r\n")) !== undefined) await wire.send(ok("hi"));
      wire.close();
    });
    closing.push(() => app.stop());
    return app;
  }

  const policy = { protocol: undefined, tls: undefined, proxyProtocol: version };
  const request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

  test("names each client, and its connection serves that client only", async () => {
    const seen: unknown[] = [];
    const app = proxied(seen);
    await start({ to: app.port, policy });
    const wires = [await flow!.connect(), await flow!.connect()];
    for (let i = 0; i < 3; i++) {
      for (const wire of wires) {
        await wire.send(request);
        expect(await wire.through("hi")).toContain("200 OK");
      }
    }
    expect(app.wires).toHaveLength(2);
    const sources = seen.map((header) => (header as { ends: { source: { port: number } } }).ends.source.port);
    expect(new Set(sources).size).toBe(2);
    expect(seen[0]).toMatchObject({
      version,
      ends: { source: { address: "127.0.0.1" }, destination: { address: "127.0.0.1", port: flow!.port() } },
    });
    for (const wire of wires) wire.close();
  });

  test("passes on what a PROXY header in front of us said", async () => {
    const seen: unknown[] = [];
    const app = proxied(seen);
    const arrival = { protocol: "http" as const, proxyProtocol: true, tls: undefined };
    await start({ to: app.port, policy, arrival, trust: ["127.0.0.1/32"] });
    const wire = await flow!.connect();
    await wire.send(`PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n${request}`);
    expect(await wire.through("hi")).toContain("200 OK");
    expect(seen).toMatchObject([
      { ends: { source: { address: "203.0.113.7", port: 4711 }, destination: { address: "198.51.100.1", port: 443 } } },
    ]);
    wire.close();
  });
});
