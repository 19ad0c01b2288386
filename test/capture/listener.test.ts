/** What a capturing listener does with what is redirected to it, and with what is not. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { config, mark, Stage, whyNot } from "./stage.ts";

setDefaultTimeout(120_000);

const hear = "test/capture/hear.ts";
const bun = process.execPath;

describe.skipIf(whyNot !== undefined)("a sidecar that is excluded", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
    await stage.sidecar();
    stage.redirect("outbound,inbound");
  });
  afterAll(() => stage.close());

  test("sends a request to where it was going, whatever Host it names, and as it came", async () => {
    for (const host of ["10.77.0.1", "10.77.0.3", "[fd77::1]"]) {
      const seen = JSON.parse(await stage.fetch(`http://${host}/a?b`, ["-H", "Host: 10.77.0.99:12", "-H", "x-tWo: 2"]));
      expect(seen.at).toBe(`${host.replace(/[[\]]/g, "")} 80`);
      expect(seen.url).toBe("/a?b");
      expect(seen.rawHeaders.slice(0, 3)).toEqual(["Host", "10.77.0.99:12", "User-Agent"]);
      expect(seen.rawHeaders.slice(-2)).toEqual(["x-tWo", "2"]);
    }
  });

  test("sends a request in absolute form, or without Host, to where it was going", async () => {
    const proxied = JSON.parse(await stage.fetch("http://10.77.0.99/a", ["--proxy", "http://10.77.0.3:80"]));
    expect(proxied).toMatchObject({ at: "10.77.0.3 80", url: "/a" });
    expect(proxied.rawHeaders.slice(0, 2)).toEqual(["Host", "10.77.0.99"]);
    const old = JSON.parse(await stage.fetch("http://10.77.0.1/a", ["--http1.0", "-H", "Host:"]));
    expect(old).toMatchObject({ at: "10.77.0.1 80", url: "/a" });
  });

  test("answers by its routes, and names the Host after the place that a route sends to", async () => {
    expect(await stage.captures("10.77.0.1")).toBe(true);
    const seen = JSON.parse(await stage.fetch("http://10.77.0.1/elsewhere/a", ["-H", "Host: shop.example"]));
    expect(seen.at).toBe("10.77.0.3 80");
    expect(seen.rawHeaders.slice(0, 2)).toEqual(["Host", "10.77.0.3"]);
  });

  test("carries bodies whole, in both directions", async () => {
    const file = stage.folder.file("body");
    writeFileSync(file, randomBytes(8_000_000));
    for (const url of ["http://10.77.0.3/put", "https://10.77.0.3/put"])
      expect(JSON.parse(await stage.fetch(url, ["-k", "-T", file]))).toMatchObject({
        method: "PUT",
        length: 8_000_000,
      });
  });

  test("passes TLS to where it was going, whatever server it asks for", async () => {
    const words = ["-k", "-v", "--connect-to", "secret.example.com:443:10.77.0.3:443"];
    const { out, err } = await stage.pod.runBeside(["curl", "-sS", ...words, "https://secret.example.com/a"]);
    expect(JSON.parse(out)).toMatchObject({ at: "10.77.0.3 443", url: "/a" });
    expect(err).toContain("CN=secret.example.com"); // the certificate of the server itself
  });

  test("passes HTTP/2 without TLS as HTTP/2", async () => {
    const seen = JSON.parse(await stage.fetch("http://10.77.0.3:82/a", ["--http2-prior-knowledge"]));
    expect(seen).toMatchObject({ at: "10.77.0.3 82", url: "/a", authority: "10.77.0.3:82" });
    expect(await stage.fetch("http://10.77.0.3:82/captured", ["--http2-prior-knowledge"])).toBe(mark);
  });

  test("lets a server speak first, out and in, long before the time to look is over", async () => {
    for (const [network, host, port, at] of [
      [stage.pod, "10.77.0.3", "25", "10.77.0.3 25"],
      [stage.pod, "fd77::1", "25", "fd77::1 25"],
      [stage.world, "10.77.0.2", "2525", "127.0.0.1 2525"],
    ] as const) {
      const heard = JSON.parse((await network.runBeside([bun, hear, host, port])).out);
      expect(heard.greeting).toContain(`"at":"${at}"`);
      expect(heard.echo).toBe("EHLO a\r\n");
      expect(heard.ms).toBeLessThan(5000);
    }
  });

  test("breaks a silent client off soon where nobody can be reached", async () => {
    const heard = JSON.parse((await stage.pod.runBeside([bun, hear, "10.77.0.3", "9"])).out);
    expect(heard.error).toContain("ECONNRESET");
    expect(heard.ms).toBeGreaterThan(500);
    expect(heard.ms).toBeLessThan(7000);
  });

  test("carries a thousand connections at once, each to its own place", async () => {
    const words = [bun, "test/capture/many.ts", "1000", "10.77.0.1", "10.77.0.3", "fd77::1"];
    const { out, err } = await stage.pod.runBeside(words);
    expect({ err, ...JSON.parse(out) }).toEqual({ err: "", right: 2000, wrong: 0, examples: [] });
  });

  test("says what is wrong to who comes to its port directly, and counts it", async () => {
    const before = await stage.metric('outrigger_failures_total{code="not_redirected"}');
    const told = JSON.parse(await stage.fetch("http://127.0.0.1:15001/a"));
    expect(told).toMatchObject({ code: "not_redirected", status: 400 });
    expect(told.detail).toContain("it came to 127.0.0.1:15001 itself");
    expect(await stage.fetch("http://[::1]:15006/a")).toContain("it came to [::1]:15006 itself");
    expect(await stage.fetchFromOutside("http://10.77.0.2:15006/a")).toContain('"code":"not_redirected"');
    expect(await stage.metric('outrigger_failures_total{code="not_redirected"}')).toBe(before + 3);
  });

  test("tells the app in words that nobody answers where it called", async () => {
    const told = JSON.parse(await stage.fetch("http://10.77.0.3:9/a"));
    expect(told).toMatchObject({ code: "upstream_unreachable", status: 502, detail: "10.77.0.3:9: ECONNREFUSED" });
  });
});

describe.skipIf(whyNot !== undefined)("a sidecar with routes of its own", () => {
  let stage: Stage;
  afterEach(() => stage.close());
  const failures = (code: string) => stage.metric(`outrigger_failures_total{code="${code}"}`);

  test("lets only those TLS connections pass whose server it names, and no other bytes", async () => {
    stage = await Stage.open();
    await stage.sidecar(`health: 7411
outbound:
  - listen: 15001
    capture: true
    routes:
      - match: { sni: "*.example.com" }
        to: original
      - respond: { status: 403, body: no }`);
    stage.redirect("outbound");
    const named = ["-k", "--connect-to", "secret.example.com:443:10.77.0.3:443"];
    expect(JSON.parse(await stage.fetch("https://secret.example.com/a", named))).toMatchObject({ at: "10.77.0.3 443" });
    expect(await stage.fetch("https://10.77.0.3/a", ["-k"])).toBe("");
    expect(await failures("no_route")).toBe(1);
    expect(await stage.fetch("http://10.77.0.3/a")).toBe("no");
    expect(await stage.fetch("telnet://10.77.0.3:25", ["--max-time", "1"])).toBe("");
  });

  test("that speaks HTTP alone passes nothing else", async () => {
    stage = await Stage.open();
    await stage.sidecar("health: 7411\noutbound: [{ listen: 15001, capture: true, protocol: http, to: original }]");
    stage.redirect("outbound");
    expect(JSON.parse(await stage.fetch("http://10.77.0.3/a"))).toMatchObject({ at: "10.77.0.3 80" });
    expect(await stage.fetch("https://10.77.0.3/a", ["-k"])).toBe("");
    expect(await failures("tls_on_plain_port")).toBe(1);
  });

  test("tells its upstreams by PROXY protocol who called, and where to", async () => {
    stage = await Stage.open();
    await stage.sidecar(`health: 7411
outbound: [{ listen: 15001, capture: true, protocol: tcp, to: original, upstream: { proxyProtocol: v1 } }]`);
    stage.redirect("outbound");
    const heard = await stage.fetch("telnet://10.77.0.3:25", ["--max-time", "2"]);
    expect(heard).toMatch(/PROXY TCP4 10\.77\.0\.2 10\.77\.0\.3 \d+ 25\r\n$/); // it echoes what it is sent
  });
});

describe.skipIf(whyNot !== undefined)("a circle", () => {
  let stage: Stage;
  afterEach(() => stage.close());
  const loops = () => stage.metric('outrigger_failures_total{code="capture_loop"}');

  test("of a sidecar that is not excluded is refused at once, and counted", async () => {
    stage = await Stage.open();
    const sidecar = await stage.sidecar();
    stage.init("--redirect", "outbound"); // excludes user 7411, and it runs as another
    expect(await stage.fetch("http://10.77.0.1/a")).toMatch(/"code":"upstream_\w+"/);
    expect(await loops()).toBe(1);
    expect(await stage.fetch("http://10.77.0.1/elsewhere/a")).toMatch(/"code":"upstream_\w+"/);
    expect(await loops()).toBe(2);
    expect(await stage.fetch("https://10.77.0.3/a", ["-k"])).toBe("");
    expect(await loops()).toBe(3);
    expect((await sidecar.event("connection_refused")).detail).toContain(
      "run it as a user or group that the redirect excludes",
    );
  });

  test("of a listener that does not look is refused as well", async () => {
    stage = await Stage.open();
    await stage.sidecar("health: 7411\noutbound: [{ listen: 15001, capture: true, protocol: tcp, to: original }]");
    stage.init("--redirect", "outbound");
    for (const place of ["10.77.0.1", "[fd77::1]"]) expect(await stage.fetch(`http://${place}/a`)).toBe("");
    expect(await loops()).toBe(2);
  });

  test("over several threads is refused, whichever the kernel hands it to", async () => {
    stage = await Stage.open();
    await stage.sidecar(`concurrency: 2\n${config}`);
    stage.init("--redirect", "outbound");
    for (let turn = 1; turn <= 8; turn++) {
      expect(await stage.fetch("http://10.77.0.1/a")).toMatch(/"code":"upstream_\w+"/);
      expect(await loops()).toBe(turn);
    }
    const accepted = await stage.metric(
      'outrigger_requests_total{direction="outbound",listener="15001",route="default",class="5xx"}',
    );
    // What went round is counted at each turn: once, or twice where the other thread is slow to write down what it has.
    expect(accepted).toBeLessThanOrEqual(8 * 3);
  });

  test("through another port that captures is refused", async () => {
    stage = await Stage.open();
    await stage.sidecar(
      `${config.replace("outbound:", "outbound:\n  - { listen: 16001, capture: true, to: original }")}`,
    );
    stage.redirect("outbound", "--include-own");
    expect(await stage.fetch("http://127.0.0.1:16001/a")).toBe("");
    expect(await loops()).toBe(1);
  });
});
