/** How connections begin: PROXY headers, detection, and what is turned away. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ListenerArrival } from "../../src/config/schema.ts";
import { proxyHeader } from "../../src/net/proxy-protocol.ts";
import { App, ok } from "../kit/app.ts";
import { Authority, canMakeCertificates, type Issued } from "../kit/certificates.ts";
import { Flow, type FlowOptions, type ListenerWish } from "../kit/flow.ts";
import { tlsOf } from "../kit/tls-flow.ts";
import { helloMessage, inRecords } from "../kit/tls-hello.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";
import { Wire as Client } from "../kit/wire.ts";

setDefaultTimeout(60_000);

let app: App;
let flow: Flow;

beforeEach(() => {
  app = App.answering(({ head }) => ok(`${head.field("x-forwarded-for")} ${head.field("x-forwarded-proto")}`));
});
afterEach(() => {
  flow?.stop();
  app.stop();
});

async function start(arrival: ListenerArrival, wish: Partial<ListenerWish> = {}, options: FlowOptions = {}) {
  flow = await Flow.start([{ to: app.port, trust: ["127.0.0.0/8"], arrival, ...wish }], options);
}

const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
const client = { address: "203.0.113.7", port: 4711 };
const balancer = { address: "198.51.100.1", port: 443 };

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

function refusal(): Record<string, unknown> | undefined {
  return flow.named("connection_refused")[0];
}

async function told(code: string): Promise<void> {
  await until(() => refusal() !== undefined, { what: "an event" });
  expect(refusal()).toMatchObject({ code });
  await flow.quiet();
}

describe("a PROXY header", () => {
  const arrival: ListenerArrival = { protocol: "http", proxyProtocol: true, tls: undefined };

  test.each([1, 2] as const)("of version %p names the client, however it is cut", async (version) => {
    await start(arrival);
    const bytes = Buffer.concat([proxyHeader(version, client, balancer), Buffer.from(request)]);
    for (const step of [bytes.length, 7, 1]) {
      const wire = await flow.connect();
      for (let at = 0; at < bytes.length; at += step) {
        await wire.send(bytes.subarray(at, at + step));
        if (step < bytes.length) await Bun.sleep(1);
      }
      expect(bodyOf(await wire.rest())).toBe("203.0.113.7 http");
    }
  });

  test("that names nobody leaves the peer as it is", async () => {
    await start(arrival);
    for (const header of [proxyHeader(1, undefined, balancer), proxyHeader(2, undefined, balancer)]) {
      const wire = await flow.connect();
      await wire.send(Buffer.concat([header, Buffer.from(request)]));
      expect(bodyOf(await wire.rest())).toBe("127.0.0.1 http");
    }
  });

  test("makes the client's own claims count only if the client is trusted", async () => {
    await start(arrival);
    const wire = await flow.connect();
    await wire.send(
      Buffer.concat([
        proxyHeader(1, client, balancer),
        Buffer.from(request.replace("Host", "X-Forwarded-For: 9.9.9.9\r\nHost")),
      ]),
    );
    expect(bodyOf(await wire.rest())).toBe("203.0.113.7 http");
  });

  test.each([
    ["is missing", request],
    ["is malformed", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"],
    ["never ends", `PROXY ${"x".repeat(200)}`],
    ["is followed by nothing because it was cut off", "PROXY TCP4"],
  ])("that %s gets no answer", async (_, bytes) => {
    await start(arrival);
    const wire = await flow.connect();
    await wire.send(bytes);
    wire.finish();
    expect(await wire.rest()).toBe("");
    await told("proxy_header_refused");
    expect(app.requests).toEqual([]);
  });

  test("is taken from trusted peers only", async () => {
    await start(arrival, { trust: ["10.0.0.0/8"] });
    const wire = await flow.connect();
    await wire.send(Buffer.concat([proxyHeader(1, client, balancer), Buffer.from(request)])).catch(() => {});
    expect(await wire.rest()).toBe("");
    await told("proxy_header_refused");
    expect(refusal()?.detail).toBe("127.0.0.1 is not trusted to send a PROXY header");
  });

  test("that does not come in time is not waited for", async () => {
    await start(arrival, { timeouts: { headMs: 300 } });
    const wire = await flow.connect();
    await wire.send("PROXY ");
    expect(await wire.rest()).toBe("");
    await told("proxy_header_refused");
    expect(refusal()?.detail).toBe("no complete PROXY header within 300 ms");
  });
});

describe("a listener that looks", () => {
  const arrival: ListenerArrival = { protocol: "auto", proxyProtocol: false, tls: undefined };

  test("serves HTTP/1, however it is cut", async () => {
    await start(arrival);
    for (const step of [request.length, 3, 1]) {
      const wire = await flow.connect();
      for (let at = 0; at < request.length; at += step) {
        await wire.send(request.slice(at, at + step));
        if (step < request.length) await Bun.sleep(1);
      }
      expect(bodyOf(await wire.rest())).toBe("127.0.0.1 http");
    }
  });

  test("serves a client that closes its half with the request", async () => {
    await start(arrival);
    const wire = await flow.connect();
    await wire.send(request);
    wire.finish();
    expect(bodyOf(await wire.rest())).toBe("127.0.0.1 http");
  });

  test("turns away what no route is for", async () => {
    await start(arrival);
    const wire = await flow.connect();
    await wire.send("SSH-2.0-x\r\n");
    expect(await wire.rest()).toBe("");
    await told("protocol_not_served");
  });

  test("waits for bytes no longer than a head may take, and counts that", async () => {
    await start(arrival, { timeouts: { headMs: 300 } });
    const wire = await flow.connect();
    expect(await wire.rest()).toBe("");
    await told("protocol_not_served");
    expect(flow.values.get('outrigger_detect_timeouts_total{direction="inbound",listener="web"}')).toBe(1);
  });
});

describe("TLS and plain HTTP mixed up", () => {
  test("TLS on a plain port has a failure of its own, at once", async () => {
    flow = await Flow.start([{ to: app.port }]);
    const wire = await flow.connect();
    await wire.send(inRecords(helloMessage({ serverName: "a.test" })));
    expect(await wire.rest()).toContain('"code":"tls_on_plain_port"');
    expect(flow.failures("tls_on_plain_port")).toBe(1);
  });
});

describe.skipIf(!canMakeCertificates)("a listener with certificates", () => {
  let authority: Authority;
  let issued: Issued;
  beforeAll(() => {
    authority = new Authority();
    issued = authority.issue({ names: "DNS:a.test" });
  });
  afterAll(() => authority.remove());

  const connect = (): Promise<Wire> => Client.connectTls(flow.port(), { ca: authority.pem, serverName: "a.test" });

  test("answers plain HTTP in words", async () => {
    await start(tlsOf([issued]));
    const wire = await flow.connect();
    await wire.send(request);
    const answer = await wire.rest();
    expect(answer).toStartWith("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n");
    expect(bodyOf(answer)).toBe(
      "Plain HTTP was sent to a port that expects TLS. Use https:// in front of this address.\n",
    );
    await told("http_on_tls_port");
  });

  test("takes a PROXY header in front of TLS", async () => {
    await start({ ...tlsOf([issued]), proxyProtocol: true });
    const socket = await new Promise<string>((resolve, reject) => {
      let text = "";
      const tls = { ca: authority.pem, serverName: "a.test" };
      const events = {
        handshake: (encrypted: Bun.Socket) => void encrypted.write(request),
        data: (_: Bun.Socket, bytes: Buffer) => {
          text += bytes;
        },
        close: () => resolve(text),
        end() {},
        error() {},
      };
      Bun.connect({
        hostname: "127.0.0.1",
        port: flow.port(),
        socket: {
          open(plain) {
            plain.write(proxyHeader(2, client, balancer));
            plain.upgradeTLS({ tls, socket: events });
          },
          data() {},
        },
      }).catch(reject);
    });
    expect(bodyOf(socket)).toBe("203.0.113.7 https");
  });

  test("that looks serves TLS and plain HTTP on one port", async () => {
    await start({ ...tlsOf([issued]), protocol: "auto" });
    const plain = await flow.connect();
    await plain.send(request);
    expect(bodyOf(await plain.rest())).toBe("127.0.0.1 http");
    const encrypted = await connect();
    await encrypted.send(request);
    expect(bodyOf(await encrypted.rest())).toBe("127.0.0.1 https");
  });

  test.each([
    ["a record that is none", Buffer.from("1603010000", "hex")],
    ["a hello with a NUL in its name", inRecords(helloMessage({ serverName: "a\0b" }))],
    ["a hello without anything to agree on", inRecords(helloMessage({ serverName: "a.test" }))],
    ["bytes that are nothing", Buffer.from("\0\0\0\0")],
  ])("turns away %s", async (_, bytes) => {
    await start(tlsOf([issued]));
    const wire = await flow.connect();
    await wire.send(bytes);
    await wire.rest();
    await told("tls_failed");
  });

  test("turns away a client that goes in the middle of its handshake", async () => {
    await start(tlsOf([issued]));
    for (const leave of ["finish", "reset"] as const) {
      const wire = await flow.connect();
      await wire.send(inRecords(helloMessage({ serverName: "a.test" })).subarray(0, 40));
      await Bun.sleep(20);
      wire[leave]();
      await flow.quiet();
    }
    expect(flow.failures("tls_failed")).toBe(2);
  });

  test("does not report clients that say nothing and go", async () => {
    await start(tlsOf([issued]));
    const wires = [await flow.connect(), await flow.connect()];
    await until(() => flow.traffic.active.connections === 2);
    wires[0]!.finish();
    wires[1]!.reset();
    await flow.quiet();
    expect(flow.failures("tls_failed")).toBe(0);
  });

  test("waits for a slow hello no longer than for a head", async () => {
    await start(tlsOf([issued]), { timeouts: { headMs: 400 } });
    const wire = await flow.connect();
    const hello = inRecords(helloMessage({ serverName: "a.test" }));
    const began = performance.now();
    for (let at = 0; at < hello.length && !wire.ended; at++) {
      await wire.send(hello.subarray(at, at + 1));
      await Bun.sleep(20);
    }
    await wire.rest();
    expect(performance.now() - began).toBeLessThan(3000);
    await told("tls_failed");
    expect(refusal()?.detail).toBe("no complete TLS handshake within 400 ms");
  });

  test("counts connections in their handshake into its limit", async () => {
    await start(tlsOf([issued]), {}, { maxConnections: 3 });
    const held = [await flow.connect(), await flow.connect(), await flow.connect()];
    await until(() => flow.traffic.active.connections === 3);
    await expect(connect()).rejects.toThrow();
    expect(flow.failures("overloaded")).toBe(1);
    held[0]!.close();
    await until(() => flow.traffic.active.connections === 2);
    const wire = await connect();
    await wire.send(request);
    expect(bodyOf(await wire.rest())).toBe("127.0.0.1 https");
    for (const one of held) one.close();
    await flow.quiet();
  });

  test("waits, as it drains, for a handshake that has begun", async () => {
    await start(tlsOf([issued]));
    const wire = await flow.connect();
    const hello = inRecords(helloMessage({ serverName: "a.test" }));
    await wire.send(hello.subarray(0, 50));
    await until(() => flow.traffic.active.connections === 1);
    await Bun.sleep(20);
    expect(await flow.traffic.drain(100)).toEqual({ cut: 1 });
    wire.close();
    await flow.quiet();
    expect(await flow.traffic.drain(100)).toEqual({ cut: 0 });
  });

  test("closes what is still arriving when it stops", async () => {
    await start(tlsOf([issued]));
    const wire = await flow.connect();
    await until(() => flow.traffic.active.connections === 1);
    flow.stop();
    expect(await wire.ending()).toBe("fin");
    expect(flow.traffic.active.connections).toBe(0);
  });
});
