/** Protocols in which the server speaks first, behind a listener that looks at what its clients say. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow } from "../kit/flow.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

setDefaultTimeout(60_000);

const apps: App[] = [];
let flow: Flow;
afterEach(() => {
  flow.stop();
  for (const app of apps.splice(0)) app.stop();
});

function appOf(script: (wire: Wire) => Promise<void>): App {
  const app = new App(script);
  apps.push(app);
  return app;
}

async function start(bytes: App, web: App): Promise<void> {
  const authority = `127.0.0.1:${bytes.port}`;
  const upstream = {
    scheme: "tcp" as const,
    host: "127.0.0.1",
    port: bytes.port,
    authority,
    text: `tcp://${authority}`,
  };
  flow = await Flow.start([{ protocol: "auto", to: web.port, routes: [{ name: "bytes", upstream }] }]);
}

const request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const web = () =>
  appOf(async (wire) => {
    await wire.through("\r\n\r\n");
    await wire.send(ok("web"));
  });

/** Greets each client and then says what it hears. */
const greeter = () =>
  appOf(async (wire) => {
    await wire.send("220 ready\r\n");
    for (let bytes = await wire.some(); bytes !== undefined; bytes = await wire.some()) await wire.send(bytes);
    wire.close();
  });

test("a silent client is greeted long before the time to look is over, and goes on", async () => {
  const app = greeter();
  await start(app, web());
  const began = performance.now();
  const client = await flow.connect();
  expect(await client.through("\r\n")).toBe("220 ready\r\n");
  expect(performance.now() - began).toBeLessThan(3000);
  await client.send("EHLO a\r\n");
  expect(await client.through("\r\n")).toBe("EHLO a\r\n");
  client.finish();
  expect(await client.rest()).toBe("");
  await flow.quiet();
  expect(app.wires).toHaveLength(1);
});

test("a client that speaks at once costs no connection to the upstream for bytes", async () => {
  const app = greeter();
  await start(app, web());
  const client = await flow.connect();
  await client.send(request);
  expect(await client.rest()).toContain("web");
  await Bun.sleep(400);
  expect(app.wires).toHaveLength(0);
});

test("a slow client of HTTP is served all the same when the upstream for bytes says nothing", async () => {
  const app = appOf(async (wire) => {
    await wire.rest();
    wire.close();
  });
  await start(app, web());
  const client = await flow.connect();
  await until(() => app.wires.length === 1, { what: "the connection to the upstream" });
  await client.send(request.slice(0, 3));
  await Bun.sleep(50);
  await client.send(request.slice(3));
  expect(await client.rest()).toContain("web");
  await until(() => app.openConnections === 0, { what: "its end" });
});

test("a silent client and an upstream that is not there wait for each other without harm", async () => {
  const app = greeter();
  await start(app, web());
  app.stop();
  const client = await flow.connect();
  await Bun.sleep(400);
  await client.send(request);
  expect(await client.rest()).toContain("web");
});

test("a silent client that goes leaves nothing behind", async () => {
  const app = appOf(async (wire) => {
    await wire.rest();
    wire.close();
  });
  await start(app, web());
  const client = await flow.connect();
  await until(() => app.wires.length === 1, { what: "the connection to the upstream" });
  client.reset();
  await until(() => app.openConnections === 0, { what: "its end" });
  await flow.quiet();
});
