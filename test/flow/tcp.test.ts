import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow, type FlowOptions, type ListenerWish, type RouteWish } from "../kit/flow.ts";
import { FlowProcess } from "../kit/flow-process.ts";
import { ask } from "../kit/message.ts";
import { sendPayload, sha256Of } from "../kit/payload.ts";
import { helloMessage, inRecords } from "../kit/tls-hello.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

const mebibyte = 1024 * 1024;
let flow: Flow;
let running = false;
const apps: App[] = [];

afterEach(() => {
  if (running) flow.stop();
  running = false;
  for (const app of apps.splice(0)) app.stop();
});

function appOf(script: (wire: Wire) => Promise<void>): App {
  const app = new App(script);
  apps.push(app);
  return app;
}

/** Starts the sidecar. */
async function start(wish: ListenerWish, options: FlowOptions = {}): Promise<void> {
  flow = await Flow.start([{ protocol: "tcp", ...wish }], options);
  running = true;
}

async function through(script: (wire: Wire) => Promise<void>, wish: ListenerWish = {}): Promise<Wire> {
  const app = appOf(script);
  await start({ to: app.port, ...wish });
  return flow.connect();
}

/** The hash of everything that comes. */
async function hashed(wire: Wire): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for (let bytes = await wire.some(); bytes !== undefined; bytes = await wire.some()) hasher.update(bytes);
  return hasher.digest("hex");
}

function ended(result: string): number {
  return (
    flow.values.get(`outrigger_streams_total{direction="inbound",listener="web",route="default",result="${result}"}`) ??
    0
  );
}

describe("a TCP connection", () => {
  test("to a server that speaks first gets its words without a word of its own", async () => {
    const client = await through(async (wire) => {
      await wire.send("+OK ready\r\n");
      await wire.rest();
      wire.close();
    });
    expect(await client.through("\r\n")).toBe("+OK ready\r\n");
    client.finish();
    expect(await client.ending()).toBe("fin");
    await flow.quiet();
    expect([ended("closed"), flow.named("stream_failed")]).toEqual([1, []]);
  });

  test("speaks the way of Redis: commands in any cut, answers in order", async () => {
    const client = await through(async (wire) => {
      for (let line = await wire.through("\r\n"); line !== undefined; line = await wire.through("\r\n"))
        await wire.send(line === "PING\r\n" ? "+PONG\r\n" : `$${line.length - 2}\r\n${line}`);
      wire.close();
    });
    for (const piece of ["PI", "NG\r", "\nECHO a\r\nPING\r\n"]) {
      await client.send(piece);
      await Bun.sleep(2);
    }
    client.finish();
    expect(await client.rest()).toBe("+PONG\r\n$6\r\nECHO a\r\n+PONG\r\n");
  });

  test.each(["client", "server"] as const)("half-closed by the %s goes on in the other direction", async (first) => {
    let heard = "";
    const client = await through(async (wire) => {
      if (first === "server") {
        await wire.send("all I have");
        wire.finish();
        heard = await wire.rest();
      } else {
        heard = await wire.rest();
        await Bun.sleep(50);
        await wire.send(`heard ${heard}`);
        wire.close();
      }
    });
    if (first === "client") {
      await client.send("question");
      client.finish();
      expect(await client.rest()).toBe("heard question");
    } else {
      expect(await client.rest()).toBe("all I have");
      await client.send("still here");
      await Bun.sleep(50);
      await client.send(", done");
      client.finish();
      await until(() => heard === "still here, done", { what: "the client's words" });
    }
    await flow.quiet();
    expect(ended("closed")).toBe(1);
  });

  test("carries megabytes both ways at once, byte for byte", async () => {
    const size = 8 * mebibyte;
    let sum = "";
    const both = async (wire: Wire) => {
      const sent = sendPayload(wire, size, "close").then(() => wire.finish());
      const [received] = await Promise.all([hashed(wire), sent]);
      return received;
    };
    const client = await through(async (wire) => {
      sum = await both(wire);
    });
    expect(await both(client)).toBe(sha256Of(size));
    await until(() => sum !== "", { what: "the other direction" });
    expect(sum).toBe(sha256Of(size));
    await flow.quiet();
    expect(flow.values.get('outrigger_received_bytes_total{direction="inbound",listener="web"}')).toBe(size);
    expect(flow.values.get('outrigger_sent_bytes_total{direction="inbound",listener="web"}')).toBe(size);
  });

  test.each(["client", "server"] as const)("broken off by the %s is broken off at the other end", async (who) => {
    let far: Wire | undefined;
    const client = await through(async (wire) => {
      far = wire;
      await wire.send("x");
      await wire.ending();
    });
    await client.some();
    const [breaks, sees] = who === "client" ? [client, far!] : [far!, client];
    breaks.reset();
    expect(await sees.ending()).toBe("reset");
    await flow.quiet();
    expect(ended(who === "client" ? "near_broken" : "far_broken")).toBe(1);
  });

  test("whose upstream is not there is reset, counted and told of", async () => {
    const app = appOf(async () => {});
    const { port } = app;
    app.stop();
    await start({ to: port });
    const client = await flow.connect();
    await client.send("hello");
    expect(await client.ending()).toBe("reset");
    await flow.quiet();
    expect(flow.named("stream_failed")).toMatchObject([
      {
        code: "upstream_unreachable",
        listener: "web",
        route: "default",
        peer: "127.0.0.1",
        upstream: `127.0.0.1:${port}`,
      },
    ]);
    expect([flow.failures("upstream_unreachable"), ended("failed")]).toEqual([1, 1]);
  });

  test.each(["reads no more", "reads on"])(
    "whose client vanishes while more comes, and %s, leaves nothing",
    async (how) => {
      let far: Wire | undefined;
      const client = await through(async (wire) => {
        far = wire;
        void wire.send(Buffer.alloc(16 * mebibyte)).catch(() => {});
        await wire.ending();
      });
      if (how === "reads no more") client.stall();
      else await client.some();
      await Bun.sleep(100); // until as much is under way as may be
      client.reset();
      await flow.quiet();
      expect(await far!.ending()).toBe("reset");
      expect(ended("near_broken")).toBe(1);
    },
  );

  test("ends after timeouts.tunnel without a byte", async () => {
    const client = await through(async (wire) => void (await wire.rest()), { timeouts: { tunnelMs: 300 } });
    await client.send("x");
    expect(await client.ending(3000)).toBe("reset");
    await flow.quiet();
    expect(ended("idle")).toBe(1);
  });

  test("is waited for by a drain, then cut by name", async () => {
    const client = await through(async (wire) => void (await wire.rest()));
    await client.send("abc");
    await until(() => apps[0]!.wires[0]?.receivedBytes === 3, { what: "three bytes" });
    expect(await flow.traffic.drain(200)).toEqual({ cut: 1 });
    flow.traffic.stop();
    expect(await client.ending()).toBe("reset");
    expect(flow.named("tunnel_cut")).toMatchObject([{ listener: "web", peer: "127.0.0.1", bytesIn: 3, bytesOut: 0 }]);
  });

  test("above the limit of connections is closed", async () => {
    const app = appOf(async (wire) => void (await wire.rest()));
    await start({ to: app.port }, { maxConnections: 1 });
    const first = await flow.connect();
    await until(() => flow.traffic.active.connections === 1, { what: "the first connection" });
    const second = await Wire.connect(flow.port());
    expect(await second.rest()).toBe("");
    expect(apps[0]!.wires).toHaveLength(1);
    first.close();
  });
});

describe("memory", () => {
  test.each(["client", "server"] as const)("stays flat while a %s does not read", async (slow) => {
    const app = appOf(async (wire) => {
      if (slow === "server") wire.stall();
      else await sendPayload(wire, 256 * mebibyte, "close");
      await wire.ending(60_000);
    });
    const child = await FlowProcess.start({ listeners: [{ protocol: "tcp", to: app.port }], options: {} });
    const clients = await Promise.all(Array.from({ length: 8 }, () => child.connect()));
    for (const client of clients) {
      if (slow === "client") client.stall();
      else void sendPayload(client, 256 * mebibyte, "close");
    }
    let most = 0;
    for (let round = 0; round < 10; round++) {
      await Bun.sleep(100);
      most = Math.max(most, (await child.figures()).rssBytes - child.start.rssBytes);
    }
    // Eight connections, in each direction at most one read of half a mebibyte, and the runtime's own beginnings.
    expect(most / mebibyte).toBeLessThan(32);
    for (const client of clients) client.reset();
    expect(await child.stop()).toBe(0);
  });
});

describe("TLS passed through", () => {
  function routes(...names: [sni: string[] | undefined, port: number][]): RouteWish[] {
    return names.map(([sni, to], at) => ({ name: `r${at}`, to, match: { sni } }));
  }

  test("reaches the server byte for byte, however the ClientHello was cut", async () => {
    const hello = inRecords(helloMessage({ serverName: "a.test" }));
    let seen = "";
    const app = appOf(async (wire) => {
      seen = await wire.rest();
      wire.close();
    });
    await start({ protocol: "tls", routes: routes([["a.test"], app.port]) });
    const client = await flow.connect();
    for (const byte of hello) {
      await client.send(new Uint8Array([byte]));
      await Bun.sleep(0);
    }
    await client.send("\x17\x03\x03 and more");
    client.finish();
    await client.rest();
    expect(seen).toBe(`${Buffer.from(hello).toString("latin1")}\x17\x03\x03 and more`);
    expect(flow.values.get('outrigger_received_bytes_total{direction="inbound",listener="web"}')).toBe(seen.length);
  });

  test("for a name that no route takes is told so in TLS", async () => {
    await start({ protocol: "tls", routes: routes([["a.test"], 1]) });
    const client = await flow.connect();
    await client.send(inRecords(helloMessage({ serverName: "b.test" })));
    expect(Buffer.from(await client.rest(), "latin1").toString("hex")).toBe("15030300020270");
    await flow.quiet();
    expect(flow.named("stream_failed")).toMatchObject([{ code: "no_route", detail: "it asked for b.test" }]);
  });

  test("that is none is turned away", async () => {
    await start({ protocol: "tls", routes: routes([undefined, 1]) });
    const client = await flow.connect();
    await client.send("\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00");
    expect(await client.rest()).toBe("");
    expect(flow.failures("tls_failed")).toBe(1);
  });

  test("that never says its name ends after timeouts.head; a probe is no fault", async () => {
    await start({ protocol: "tls", routes: routes([undefined, 1]), timeouts: { headMs: 200 } });
    const client = await flow.connect();
    await client.send("\x16\x03");
    expect(await client.ending(3000)).toBe("fin");
    expect(flow.failures("tls_failed")).toBe(1);
    const probe = await flow.connect();
    probe.close();
    await flow.quiet();
    expect(flow.failures("tls_failed")).toBe(1);
  });
});

describe("an auto listener", () => {
  const hello = inRecords(helloMessage({ serverName: "a.test" }));

  /** An app that says its name and what it heard first. */
  function teller(word: string): App {
    return appOf(async (wire) => {
      const first = (await wire.some())?.toString("latin1") ?? "";
      await wire.send(first.startsWith("GET ") ? ok(word) : `${word} ${first}`);
      wire.close();
    });
  }

  function bytesTo({ port }: App): Partial<RouteWish> {
    const authority = `127.0.0.1:${port}`;
    return { upstream: { scheme: "tcp", host: "127.0.0.1", port, authority, text: `tcp://${authority}` } };
  }

  test("serves requests, and carries TLS and other bytes by its routes to tcp://", async () => {
    const [web, named, rest] = [teller("web"), teller("named"), teller("rest")];
    await start({
      protocol: "auto",
      to: web.port,
      routes: [
        { name: "sni", match: { sni: ["a.test"] }, ...bytesTo(named) },
        { name: "bytes", ...bytesTo(rest) },
      ],
    });
    const [http, tcp, tls] = [await flow.connect(), await flow.connect(), await flow.connect()];
    expect((await ask(http)).text).toBe("web");
    await tcp.send("PING\r\n");
    expect(await tcp.rest()).toBe("rest PING\r\n");
    await tls.send(hello);
    expect(await tls.rest()).toBe(`named ${hello.toString("latin1")}`);
  });

  test("never carries bytes to where requests go, around what looks at requests", async () => {
    const web = teller("web");
    await start({ protocol: "auto", to: web.port });
    for (const bytes of ["PING\r\n", hello]) {
      const client = await flow.connect();
      await client.send(bytes);
      expect(await client.rest()).toBe("");
    }
    expect([web.wires.length, flow.failures("protocol_not_served")]).toEqual([0, 2]);
  });
});
