/** The output `syslog` against Debian's rsyslog and syslog-ng. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installed } from "../../bench/logs/packages.ts";
import syslog from "../../src/log-outputs/syslog.ts";
import { Authority, canMakeCertificates } from "../kit/certificates.ts";
import { freePort } from "../kit/free-port.ts";
import { OutputRun, recordBlock, testSource } from "../kit/output-run.ts";
import { hasRsyslog, Rsyslog } from "../kit/rsyslog.ts";
import { until } from "../kit/until.ts";

const authority = canMakeCertificates ? new Authority() : undefined;
afterAll(() => authority?.remove());

const openRun = (port: number, options: Record<string, unknown> = {}) =>
  OutputRun.open(syslog, {
    address: `127.0.0.1:${port}`,
    hostname: "pod-1",
    appName: "shop",
    maxMessage: "64KiB",
    ...options,
  });

const lines = Array.from({ length: 5_000 }, (_, at) => `line ${at} grüße ${"x".repeat((at * 7) % 900)}`);
const batches = [0, 1_000, 2_000, 3_000, 4_000].map((at) => lines.slice(at, at + 1_000));
const asBytes = (line: string) => `${Buffer.from(line).toString("latin1")}\n`;

/** The text of each message, in the order they were written. */
const textsOf = (written: readonly string[]) => written.map((line) => line.slice(line.lastIndexOf("|") + 1));

async function sendAll(port: number, options: Record<string, unknown>): Promise<void> {
  const run = await openRun(port, options);
  for (const batch of batches) expect(await run.deliver(...batch.map(asBytes))).toEqual({ outcome: "delivered" });
  await run.close();
}

const inputs = {
  tcp: `module(load="imtcp") input(type="imtcp" port="PORT" address="127.0.0.1")`,
  relp: `module(load="imrelp") input(type="imrelp" port="PORT" maxDataSize="70k")`,
};

describe.skipIf(!hasRsyslog("imtcp"))("rsyslog over TCP", () => {
  test.each([
    ["counted", {}],
    ["newline", { framing: "newline" }],
    ["read to the end of each connection", { confirm: "read" }],
    ["RFC 3164", { format: "rfc3164" }],
  ])("has every line in order: %s", async (_, options) => {
    const rsyslog = await Rsyslog.start(inputs.tcp);
    try {
      await sendAll(rsyslog.port, options);
      await until(() => rsyslog.lines.length >= lines.length, { what: "all lines in rsyslog's file" });
      expect(textsOf(rsyslog.lines).map((text) => text.trimStart())).toEqual(lines);
      const names = "format" in options ? "<14>" : "14|";
      expect(rsyslog.lines[0]).toContain(names === "14|" ? "|pod-1|shop|-|-|-|line 0" : "|pod-1|shop|");
    } finally {
      await rsyslog.remove();
    }
  });

  test("understands priority, time, names and structured data", async () => {
    const rsyslog = await Rsyslog.start(inputs.tcp);
    try {
      const sd = { "meta@32473": ["trace", "app"] };
      const run = await openRun(rsyslog.port, {
        facility: "local3",
        procId: "7",
        msgId: "web",
        structuredData: sd,
        message: "m",
      });
      const time = 1_700_000_000_123_456_789n;
      const record = { text: "", fields: { m: "two\nlines", trace: 'a"b]c\\' }, severity: "error" as const, time };
      await run.deliver(recordBlock([record], { ...testSource, fields: { app: "shop" } }));
      await run.close();
      await until(() => rsyslog.lines.length >= 2);
      expect(rsyslog.lines.join("\n")).toBe(
        '155|2023-11-14T22:13:20.123456Z|pod-1|shop|7|web|[meta@32473 trace="a\\"b\\]c\\\\" app="shop"]|two\nlines',
      );
    } finally {
      await rsyslog.remove();
    }
  });

  test("a receiver that is killed and comes back gets the rest; only what its kernel had may be lost", async () => {
    const rsyslog = await Rsyslog.start(inputs.tcp);
    try {
      const run = await openRun(rsyslog.port);
      await run.deliver("before\n");
      await until(() => rsyslog.lines.length === 1);
      await rsyslog.stop("SIGKILL");
      await Bun.sleep(50);
      expect((await run.deliver("while it was away\n")).outcome).toBe("retry");
      await rsyslog.run();
      expect((await run.deliver("while it was away\n")).outcome).toBe("delivered");
      await run.close();
      await until(() => rsyslog.lines.length === 2);
      expect(textsOf(rsyslog.lines)).toEqual(["before", "while it was away"]);
    } finally {
      await rsyslog.remove();
    }
  });
});

describe.skipIf(!hasRsyslog("imtcp", "lmnsd_ossl") || authority === undefined)("rsyslog over TLS", () => {
  test.each(["received", "read"])("has every line in order, from a client it knows: %s", async (confirm) => {
    const server = authority!.issue({ names: "IP:127.0.0.1,DNS:localhost" });
    const client = authority!.issue({ subject: "/CN=client", names: "DNS:client.test" });
    const files = `defaultNetstreamDriverCAFile="${authority!.ca}" defaultNetstreamDriverCertFile="${server.cert}" defaultNetstreamDriverKeyFile="${server.key}"`;
    const tls = `module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client.test"])
      input(type="imtcp" port="PORT" address="127.0.0.1")`;
    const rsyslog = await Rsyslog.start(tls, files);
    try {
      await sendAll(rsyslog.port, { tls: { ca: authority!.ca, cert: client.cert, key: client.key }, confirm });
      await until(() => rsyslog.lines.length >= lines.length, { what: `all lines (${rsyslog.errors})` });
      expect(textsOf(rsyslog.lines)).toEqual(lines);
    } finally {
      await rsyslog.remove();
    }
  });
});

describe.skipIf(!hasRsyslog("imrelp"))("rsyslog over RELP", () => {
  test("acknowledges every line", async () => {
    const rsyslog = await Rsyslog.start(inputs.relp);
    try {
      await sendAll(rsyslog.port, { protocol: "relp" });
      await until(() => rsyslog.lines.length >= lines.length, { what: "all lines in rsyslog's file" });
      expect(textsOf(rsyslog.lines)).toEqual(lines);
    } finally {
      await rsyslog.remove();
    }
  });

  test("stopped in the middle, with batches under way: nothing that was acknowledged is missing", async () => {
    const rsyslog = await Rsyslog.start(inputs.relp);
    try {
      const run = await openRun(rsyslog.port, { protocol: "relp", timeout: "5s" });
      const acknowledged: string[] = [];
      const stopping = Bun.sleep(300).then(() => rsyslog.stop("SIGTERM"));
      for (let batch = 0; batch < 10_000; batch++) {
        const some = Array.from({ length: 50 }, (_, at) => `${batch}.${at}`);
        const delivery = await run.deliver(...some.map(asBytes));
        const open = delivery.outcome === "retry" ? new Set(delivery.only ?? some.keys()) : new Set<number>();
        acknowledged.push(...some.filter((_, at) => !open.has(at)));
        if (delivery.outcome !== "delivered") break;
      }
      await stopping;
      await run.close();
      const written = new Set(textsOf(rsyslog.lines));
      expect(acknowledged.length).toBeGreaterThan(50);
      expect(acknowledged.filter((text) => !written.has(text))).toEqual([]);
    } finally {
      await rsyslog.remove();
    }
  });
});

const syslogNg = await installed("syslog-ng", () => {}).catch((error: unknown) => {
  process.stderr.write(`SKIPPED: tests with syslog-ng, because it cannot be had: ${error}\n`);
  return undefined;
});

describe.skipIf(syslogNg === undefined)("syslog-ng", () => {
  test.each([
    ["syslog(transport(tcp))", `syslog(ip(127.0.0.1) port(PORT) transport("tcp"))`, {}],
    ["newlines", `network(ip(127.0.0.1) port(PORT) transport("tcp") flags(syslog-protocol))`, { framing: "newline" }],
    ["each connection to its end", `syslog(ip(127.0.0.1) port(PORT) transport("tcp"))`, { confirm: "read" }],
  ])("has every line in order: %s", async (_, source, options) => {
    const folder = mkdtempSync(join(tmpdir(), "syslog-ng-"));
    const port = freePort();
    const config = `@version: 3.38
options { stats-freq(0); log-msg-size(65536); use-dns(no); dns-cache(no); keep-hostname(yes); };
source in { ${source.replace("PORT", String(port))}; };
destination out { file("${folder}/out" template("$PRI|$HOST|$PROGRAM|$MSG\\n")); };
log { source(in); destination(out); flags(flow-control); };
`;
    writeFileSync(join(folder, "conf"), config);
    const [affile] = [...new Bun.Glob("usr/lib/syslog-ng/*/libaffile.so").scanSync({ cwd: syslogNg!.root })];
    const modules =
      affile === undefined || syslogNg!.root === "/" ? [] : ["--module-path", join(syslogNg!.root, affile, "..")];
    const places = ["persist-file", "control", "pidfile"].flatMap((name) => [`--${name}`, join(folder, name)]);
    const child = Bun.spawn(
      [...syslogNg!.program, "-F", "--no-caps", "-f", join(folder, "conf"), ...places, ...modules],
      {
        stdin: "ignore",
        stdout: "ignore",
        stderr: Bun.file(join(folder, "err")),
      },
    );
    try {
      const isUp = async () => {
        const run = await openRun(port, options);
        const { outcome } = await run.deliver("up?\n");
        await run.close();
        return outcome === "delivered";
      };
      await until(isUp, {
        what: `syslog-ng (${existsSync(join(folder, "err")) && readFileSync(join(folder, "err"), "utf8")})`,
      });
      await sendAll(port, options);
      const written = () =>
        existsSync(join(folder, "out")) ? readFileSync(join(folder, "out"), "utf8").split("\n") : [];
      const texts = () => textsOf(written()).filter((text) => text.startsWith("line "));
      await until(() => texts().length >= lines.length, { what: "all lines in syslog-ng's file" });
      expect(texts()).toEqual(lines);
      expect(written()).toContain(`${14}|pod-1|shop|${lines[0]}`);
    } finally {
      child.kill();
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
