import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { UserError } from "../errors.ts";
import { HealthListener, type HealthSource } from "./health.ts";

const opened: HealthListener[] = [];
afterEach(async () => {
  for (const listener of opened.splice(0)) await listener.stop();
});

function listening(source: Partial<HealthSource> = {}, host?: string): HealthListener {
  const listener = HealthListener.open(
    { host, port: 0 },
    { startupReasons: () => [], readyReasons: () => [], announceTo: () => 10_000, scrape: () => "up 1\n", ...source },
  );
  opened.push(listener);
  return listener;
}

function ask(listener: HealthListener, path: string, method = "GET", host = "127.0.0.1"): Promise<Response> {
  return fetch(`http://${host}:${listener.port}${path}`, { method });
}

describe("the health listener", () => {
  test("says yes, or no with every reason", async () => {
    let reasons: string[] = ["route x: not yet", "announcing"];
    const listener = listening({ readyReasons: () => reasons });
    const no = await ask(listener, "/ready");
    expect(no.status).toBe(503);
    expect(no.headers.get("content-type")).toBe("application/json");
    expect(await no.json()).toEqual({ status: "not ready", reasons });
    reasons = [];
    const yes = await ask(listener, "/ready?verbose");
    expect([yes.status, await yes.json()]).toEqual([200, { status: "ready" }]);
  });

  test("keeps startup, readiness and liveness apart", async () => {
    const listener = listening({ startupReasons: () => ["binding"], readyReasons: () => ["app"] });
    const statuses = ["/startup", "/ready", "/live"].map(async (path) => (await ask(listener, path)).status);
    expect(await Promise.all(statuses)).toEqual([503, 503, 200]);
  });

  test("serves the scrape in the text format", async () => {
    const answer = await ask(listening(), "/metrics");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await answer.text()).toBe("up 1\n");
  });

  test("announces on GET /drain, and only on GET; tells whether the kubelet asks", async () => {
    const askers: string[] = [];
    const announce = (by: string) => (askers.push(by) === 1 ? 10_000 : 35_000);
    const listener = listening({ announceTo: announce });
    const refused = [await ask(listener, "/drain", "HEAD"), await ask(listener, "/drain", "POST")];
    expect(refused.map((answer) => [answer.status, answer.headers.get("allow")])).toEqual([
      [405, "GET"],
      [405, "GET"],
    ]);
    expect(askers).toEqual([]);
    expect(await (await ask(listener, "/drain")).json()).toEqual({ status: "announcing", leaseSeconds: 10 });
    const hook = await fetch(`http://127.0.0.1:${listener.port}/drain`, {
      headers: { "user-agent": "kube-lifecycle/1.33" },
    });
    expect(await hook.json()).toEqual({ status: "announcing", leaseSeconds: 35 });
    expect(askers).toEqual(["anyone", "kubelet"]);
  });

  test("answers HEAD without a body, other methods with 405, other paths with 404", async () => {
    const listener = listening();
    const head = await ask(listener, "/ready", "HEAD");
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const post = await ask(listener, "/live", "POST");
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const lost = await ask(listener, "/nothing");
    expect(lost.status).toBe(404);
    expect(await lost.text()).toContain("/startup, /ready, /live, /metrics, /drain");
  });

  test("listens on IPv4 and IPv6", async () => {
    const listener = listening();
    expect((await ask(listener, "/live", "GET", "127.0.0.1")).status).toBe(200);
    expect((await ask(listener, "/live", "GET", "[::1]")).status).toBe(200);
  });

  test("a taken port is an error that names the key and what to do", () => {
    const { port } = listening({}, "127.0.0.1");
    const open = () => HealthListener.open({ host: "127.0.0.1", port }, {} as HealthSource);
    expect(open).toThrow(
      `health: cannot listen on 127.0.0.1:${port}: the port is taken by another process; ` +
        `set the key "health" to a free one, such as health: ${port + 1}, or stop that process`,
    );
    expect(open).toThrow(UserError);
  });

  test("an address that is not this machine's is an error, too", () => {
    const open = () => HealthListener.open({ host: "203.0.113.1", port: 0 }, {} as HealthSource);
    expect(open).toThrow(/health: cannot listen on 203\.0\.113\.1:0: .*set the key "health"/);
  });

  test("a client that sends rubbish does no harm", async () => {
    const listener = listening();
    const socket = connect(listener.port, "127.0.0.1").resume();
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()).on("error", () => resolve()));
    socket.end("\x16\x03\x01 rubbish\r\n\r\n");
    await closed;
    expect((await ask(listener, "/live")).status).toBe(200);
  });
});
