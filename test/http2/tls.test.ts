/** HTTP/2 over TLS, agreed on by ALPN: with clients, and with upstreams that speak it or do not. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { RouteAction, UpstreamPolicy } from "../../src/config/schema.ts";
import { App } from "../kit/app.ts";
import { Authority, canMakeCertificates, type Issued } from "../kit/certificates.ts";
import { program } from "../kit/commands.ts";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { curl, tlsOf, trusting } from "../kit/tls-flow.ts";

setDefaultTimeout(60_000);

const hasCurl = program("curl", "apt-get install curl") !== undefined;
let authority: Authority;
let own: Issued;
let app: App;
const stops: (() => void)[] = [];

beforeAll(() => {
  if (!canMakeCertificates) return;
  authority = new Authority();
  own = authority.issue({ names: "DNS:a.test,DNS:localhost" });
  app = App.answering(({ head }) => {
    const body = `${head.all("via").at(-1)} ${head.field("x-forwarded-proto")}`;
    return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});
afterAll(() => {
  authority?.remove();
  app?.stop();
});

async function start(action: RouteAction, encrypted: boolean): Promise<TestEngine> {
  const engine = await TestEngine.start({ routes: action, ...(encrypted && { arrival: tlsOf([own]) }) });
  stops.push(() => engine.stop());
  return engine;
}

function https(port: number, more: Partial<UpstreamPolicy> = {}): RouteAction {
  const authorityText = `localhost:${port}`;
  const to = {
    scheme: "https",
    host: "localhost",
    port,
    authority: authorityText,
    text: `https://${authorityText}`,
  } as const;
  return { kind: "forward", to, upstream: { ...trusting(authority.ca), ...more } };
}

const ask = async (engine: TestEngine, init?: RequestInit) => {
  const answer = await fetch(`http://127.0.0.1:${engine.port()}/`, init);
  return `${answer.status} ${await answer.text()}`;
};

describe.skipIf(!canMakeCertificates)("over TLS", () => {
  test.skipIf(!hasCurl)("a client gets HTTP/2 when it offers that, and HTTP/1.1 when it does not", async () => {
    const engine = await start(forwardTo(app.port), true);
    const two = await curl(authority.ca, "a.test", engine.port(), "--http2", "-w", " %{http_version}");
    expect(two.out).toBe("2 outrigger https 2");
    const one = await curl(authority.ca, "a.test", engine.port(), "--http1.1", "-w", " %{http_version}");
    expect(one.out).toBe("1.1 outrigger https 1.1");
  });

  test("an upstream that speaks both is spoken to in HTTP/2, on one connection", async () => {
    const inner = await start(forwardTo(app.port), true);
    const outer = await start(https(inner.port()), false);
    const first = await ask(outer);
    expect(first).toBe("200 2 outrigger https");
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(outer, { method: "POST", body: "x" })));
    expect(new Set(answers)).toEqual(new Set([first]));
    expect(inner.traffic.active.connections).toBe(1);
  });

  test("an upstream that speaks HTTP/1.1 only is spoken to in that", async () => {
    const plain = Bun.serve({ port: 0, tls: own.pem, fetch: (request) => new Response(request.headers.get("via")) });
    stops.push(() => void plain.stop(true));
    const engine = await start(https(plain.port!), false);
    for (let i = 0; i < 3; i++) expect(await ask(engine)).toBe("200 1.1 outrigger");
    const wanted = await start(https(plain.port!, { protocol: "http2" }), false);
    expect(await ask(wanted)).toStartWith("502 ");
    expect(wanted.thread.codes).toEqual(["upstream_tls_failed"]);
  });

  test("protocol: http1 is kept to", async () => {
    const inner = await start(forwardTo(app.port), true);
    const outer = await start(https(inner.port(), { protocol: "http1" }), false);
    expect(await ask(outer)).toBe("200 1.1 outrigger https");
  });
});
