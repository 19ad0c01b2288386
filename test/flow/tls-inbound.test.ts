/** TLS with clients: by curl, openssl and Bun's own client. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Exchange } from "../../src/contracts.ts";
import { App, ok } from "../kit/app.ts";
import { Authority, canMakeCertificates, type Issued } from "../kit/certificates.ts";
import { Flow, type ListenerWish } from "../kit/flow.ts";
import { pieces, sendPayload, sha256Of } from "../kit/payload.ts";
import { curl, ran, tlsOf } from "../kit/tls-flow.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

const given = describe.skipIf(!canMakeCertificates);

let authority: Authority;
let [a, b, client, stranger]: Issued[] = [];
let app: App;
let flow: Flow;

beforeAll(() => {
  if (!canMakeCertificates) return;
  authority = new Authority();
  a = authority.issue({ subject: "/CN=a", names: "DNS:a.test,DNS:localhost" });
  b = authority.issue({ subject: "/CN=b", names: "DNS:*.b.test" });
  client = authority.issue({ subject: "/O=shop/CN=web", names: "URI:spiffe://shop/ns/default/sa/web,DNS:web.shop" });
  const other = new Authority("another CA");
  stranger = other.issue({ subject: "/CN=stranger" });
  other.remove();
});
afterAll(() => authority?.remove());

beforeEach(() => {
  app = App.answering(({ head }) => ok(`x-forwarded-proto: ${head.field("x-forwarded-proto")}`));
});
afterEach(() => {
  flow?.stop();
  app.stop();
});

async function start(wish: Partial<ListenerWish> = {}, options: object = {}): Promise<void> {
  flow = await Flow.start([{ to: app.port, arrival: tlsOf([a!, b!]), ...wish }], options);
}

function connect(tls: object = {}): Promise<Wire> {
  return Wire.connectTls(flow.port(), { ca: authority.pem, serverName: "a.test", ...tls });
}

given("a listener with certificates", () => {
  test.each(["1.2", "1.3"])("serves curl over TLS %s", async (version) => {
    await start();
    const { out, err } = await curl(authority.ca, "a.test", flow.port(), "-v", "--tls-max", version);
    expect(out).toBe("x-forwarded-proto: https");
    expect(err).toContain(`SSL connection using TLSv${version}`);
  });

  test("refuses versions that are too old, and says so", async () => {
    await start({ arrival: tlsOf([a!], { minVersion: "1.3" }) });
    const { code } = await curl(authority.ca, "a.test", flow.port(), "--tls-max", "1.2");
    expect(code).toBe(35);
    expect(flow.failures("tls_failed")).toBe(1);
    expect(flow.named("connection_refused")).toEqual([
      {
        listener: "web",
        peer: "127.0.0.1",
        code: "tls_failed",
        detail: "it offers only versions of TLS that are not allowed here",
        count: 1,
      },
    ]);
  });

  test.each([
    ["a.test", "CN=a"],
    ["A.TEST", "CN=a"],
    ["x.b.test", "CN=b"],
  ])("shows %s the certificate that is for it", async (serverName, subject) => {
    await start();
    const wire = await connect({ serverName });
    expect(wire.tls).toMatchObject({ peer: subject, alpn: false });
    wire.close();
  });

  test("shows the first certificate to clients that ask for no name it has", async () => {
    await start();
    for (const name of [
      ["-noservername"],
      ["-servername", "other.test"],
      ["-servername", "x.y.b.test"],
      ["-servername", "b.test"],
    ]) {
      const { out } = await ran(["openssl", "s_client", "-connect", `127.0.0.1:${flow.port()}`, ...name]);
      expect(out).toContain("subject=CN = a\n");
    }
  });

  test("agrees on http/1.1 and refuses clients that offer only others", async () => {
    await start();
    const wire = await connect({ ALPNProtocols: Buffer.from("\x02h3\x08http/1.1", "latin1") });
    expect(wire.tls.alpn).toBe("http/1.1");
    wire.close();
    await expect(connect({ ALPNProtocols: Buffer.from("\x02h3", "latin1") })).rejects.toThrow();
    expect(flow.named("connection_refused")[0]).toMatchObject({
      detail: "it offers no application protocol that is spoken here",
    });
  });

  test("keeps connections for further requests, HTTP/1.0 as well, and closes when it says so", async () => {
    await start();
    const wire = await connect();
    for (let i = 0; i < 3; i++) {
      await wire.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
      expect(await wire.through("x-forwarded-proto: https")).toContain("200 OK");
    }
    await wire.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(await wire.through("x-forwarded-proto: https")).toContain("HTTP/1.1 200 OK");
    await wire.send("GET / HTTP/1.0\r\n\r\n");
    expect(await wire.rest()).toContain("x-forwarded-proto: https");
    expect(await wire.ending()).toBe("fin");
    await flow.quiet();
  });

  test("answers a client that has closed its half", async () => {
    await start();
    const wire = await connect();
    await wire.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    wire.finish();
    expect(await wire.rest()).toContain("200 OK");
    await flow.quiet();
  });

  test("serves 200 handshakes at once", async () => {
    await start();
    const answers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const wire = await connect();
        await wire.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        return wire.rest();
      }),
    );
    expect(answers.filter((answer) => answer.startsWith("HTTP/1.1 200 OK"))).toHaveLength(200);
    await flow.quiet();
    expect(flow.named("connection_refused")).toEqual([]);
  });
});

given("bodies over TLS", () => {
  const bytes = 48 * 1024 * 1024;

  test("go up whole while the app reads slowly, in bounded memory", async () => {
    app.stop();
    let [seen, digest] = [0, ""];
    app = new App(async (wire) => {
      await wire.through("\r\n\r\n");
      wire.stall();
      await Bun.sleep(300);
      wire.read();
      const hasher = new Bun.CryptoHasher("sha256");
      for (
        let chunk = await wire.some();
        chunk !== undefined && seen < bytes;
        chunk = seen < bytes ? await wire.some() : chunk
      ) {
        seen += chunk.length;
        hasher.update(chunk);
      }
      digest = hasher.digest("hex");
      await wire.send(ok("done"));
    });
    await start();
    const wire = await connect();
    await wire.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${bytes}\r\n\r\n`);
    const peak = peakHeld();
    await sendPayload(wire, bytes, "length");
    expect(await wire.through("done")).toContain("200 OK");
    expect(digest).toBe(sha256Of(bytes));
    expect(peak()).toBeLessThan(2 * 1024 * 1024);
    wire.close();
  });

  test("come down whole while the client reads slowly, in bounded memory", async () => {
    app.stop();
    app = App.answering(() => async (wire) => {
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
      for (const piece of pieces(bytes)) await wire.send(piece);
    });
    await start();
    const wire = await connect();
    await wire.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    await wire.through("\r\n\r\n");
    wire.stall();
    const peak = peakHeld();
    await Bun.sleep(500);
    wire.read();
    const hasher = new Bun.CryptoHasher("sha256");
    for (let seen = 0; seen < bytes; ) {
      const chunk = (await wire.some())!;
      seen += chunk.length;
      hasher.update(chunk);
    }
    expect(hasher.digest("hex")).toBe(sha256Of(bytes));
    expect(peak()).toBeLessThan(2 * 1024 * 1024);
    wire.close();
  });

  /** The most bytes that waited in the engine, looked at every few milliseconds until it is asked. */
  function peakHeld(): () => number {
    const admission = Reflect.get(flow.traffic, "admission") as { sessions: Set<{ heldBytes: number }> };
    let most = 0;
    const timer = setInterval(() => {
      for (const { heldBytes } of admission.sessions) most = Math.max(most, heldBytes);
    }, 5);
    return () => {
      clearInterval(timer);
      return most;
    };
  }
});

given("clients with certificates", () => {
  const seen: Exchange["peer"]["tls"][] = [];
  const filters = {
    "note-peer": {
      kind: "filter" as const,
      name: "note-peer",
      doc: "",
      phase: "observe" as const,
      order: 1,
      directions: ["inbound"] as const,
      config: undefined as never,
      create: () => ({ request: (x: Exchange) => void seen.push(x.peer.tls) }),
    },
  };

  beforeEach(() => void seen.splice(0));

  async function startMutual(required: boolean): Promise<void> {
    const arrival = tlsOf([a!], { clients: { ca: authority.ca, required } });
    await start({ arrival, policies: { "note-peer": {} } }, { filters });
  }

  async function ask(tls: object): Promise<string> {
    const wire = await connect(tls);
    await wire.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    return wire.rest();
  }

  test.each([true, false])("are known to filters by subject, names and SPIFFE id (required: %p)", async (required) => {
    await startMutual(required);
    expect(await ask({ ...client!.pem, ALPNProtocols: Buffer.from("\x08http/1.1", "latin1") })).toContain("200 OK");
    expect(seen).toEqual([
      {
        version: "TLSv1.3",
        cipher: expect.stringMatching(/^TLS_/),
        serverName: "a.test",
        alpn: "http/1.1",
        certificate: {
          subject: "O=shop, CN=web",
          sans: ["URI:spiffe://shop/ns/default/sa/web", "DNS:web.shop"],
          spiffe: "spiffe://shop/ns/default/sa/web",
          fingerprint256: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
        },
      },
    ]);
  });

  test.each(["--tlsv1.3", "--tls-max=1.2"])("must have one where it is required (%s)", async (flag) => {
    await startMutual(true);
    const { code } = await curl(authority.ca, "a.test", flow.port(), ...flag.split("="));
    expect(code).not.toBe(0);
    expect(app.requests).toEqual([]);
    expect(flow.named("connection_refused")[0]).toMatchObject({ code: "tls_failed", detail: "it sent no certificate" });
  });

  test("need none where it is not", async () => {
    await startMutual(false);
    expect(await ask({})).toContain("200 OK");
    expect(seen[0]?.certificate).toBeUndefined();
  });

  test.each([true, false])("are refused with one of another CA (required: %p)", async (required) => {
    await startMutual(required);
    expect(await ask(stranger!.pem).catch(() => "refused")).not.toContain("200 OK");
    await until(() => flow.failures("tls_failed") === 1, { what: "the failure" });
    expect(app.requests).toEqual([]);
    expect(flow.named("connection_refused")[0]?.detail).toContain("not signed by a CA that is trusted here");
  });

  test("are still known when they resume a session", async () => {
    await startMutual(true);
    const session = `${authority.folder}/session`;
    const own = ["-cert", client!.cert, "-key", client!.key, "-CAfile", authority.ca, "-servername", "a.test"];
    const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    const connecting = ["openssl", "s_client", "-connect", `127.0.0.1:${flow.port()}`, ...own, "-ign_eof"];
    expect((await ran([...connecting, "-sess_out", session], request)).out).toContain("200 OK");
    const again = await ran([...connecting, "-sess_in", session], request);
    expect(again.out).toContain("200 OK");
    expect(again.out).toContain("Reused, TLSv1.3");
    expect(seen.map((tls) => tls?.certificate?.subject)).toEqual(["O=shop, CN=web", "O=shop, CN=web"]);
  });
});
