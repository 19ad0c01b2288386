/** The output `syslog` against a receiver that checks every byte. */
import { afterEach, describe, expect, test } from "bun:test";
import syslog from "../../src/log-outputs/syslog.ts";
import { ByteServer, type ByteServerOptions } from "../kit/byte-server.ts";
import { Authority, canMakeCertificates } from "../kit/certificates.ts";
import { OutputRun, recordBlock, testSource } from "../kit/output-run.ts";
import { countedMessages, parse5424 } from "../kit/syslog-receiver.ts";
import { until } from "../kit/until.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const wallMs = Date.UTC(2026, 10, 6, 4, 5, 6, 78);

async function open(options: Record<string, unknown> = {}, behaviour: ByteServerOptions = {}) {
  const server = new ByteServer(behaviour);
  const address = `127.0.0.1:${server.port}`;
  const run = await OutputRun.open(syslog, { address, hostname: "pod-1", ...options }, { wall: () => wallMs });
  ends.push(
    () => run.close(),
    () => server.stop(),
  );
  return { run, server };
}

const header = "<14>1 2026-11-06T04:05:06.078000Z pod-1 app - - -";

describe("messages", () => {
  test("golden: RFC 5424, counted", async () => {
    const { run, server } = await open();
    expect(await run.deliver("hello\n", "\u00ff\u0000x\r\n\n")).toEqual({ outcome: "delivered" });
    await until(() => server.last.received.length > 150);
    expect(server.last.received.toString("latin1")).toBe(`55 ${header} hello53 ${header} \u00ff\u0000x50 ${header} `);
  });

  test("golden: newlines between them, those within escaped", async () => {
    const { run, server } = await open({ framing: "newline" });
    await run.deliver(recordBlock([{ text: "one\n  two\n" }, { text: "three" }]));
    await until(() => server.last.received.length > 100);
    expect(server.last.received.toString("latin1")).toBe(`${header} one#012  two#012\n${header} three\n`);
  });

  test("golden: RFC 3164", async () => {
    const { run, server } = await open({ format: "rfc3164", appName: "my app!", procId: "42", facility: "local7" });
    await run.deliver(recordBlock([{ text: "bad", severity: "error" }]));
    await until(() => server.last.received.length > 10);
    expect(server.last.received.toString("latin1")).toBe("43 <187>Nov  6 04:05:06 pod-1 my_app_[42]: bad");
  });

  test("severity, time, names and structured data come from records and fields", async () => {
    const { run, server } = await open({
      facility: "local0",
      appName: "{fields.app}",
      msgId: "{fields.kind}",
      message: "msg",
      structuredData: { "meta@32473": ["app", "n", 'o"=dd]', "absent"], "none@1": ["absent"] },
    });
    const source = { ...testSource, fields: { app: "shop ü", kind: "x".repeat(40) } };
    const time = 1_700_000_000_123_456_789n;
    const records = [
      { text: "raw", fields: { msg: "parsed", n: 'a"b\\c]d', 'o"=dd]': { x: 1 } }, severity: "fatal" as const, time },
      { text: "raw", fields: { other: 1 } },
    ];
    await run.deliver(recordBlock(records, source));
    await until(() => server.last.received.length > 300);
    const [first, second] = countedMessages(server.last.received).map(parse5424);
    expect(first).toEqual({
      priority: 130,
      time: "2023-11-14T22:13:20.123456Z",
      hostname: "pod-1",
      appName: "shop__",
      procId: "-",
      msgId: "x".repeat(32),
      structuredData: '[meta@32473 app="shop \u00c3\u00bc" n="a\\"b\\\\c\\]d" o__dd_="{\\"x\\":1}"]',
      message: "parsed",
    });
    const whole = JSON.stringify({ ...source.fields, other: 1 });
    expect(second?.message).toBe(Buffer.from(whole).toString("latin1"));
    expect(second?.priority).toBe(134);
  });

  test("long ones are cut between characters and counted, or rejected", async () => {
    const cut = await open({ maxMessage: 60 });
    await cut.run.deliver("12345678\u00c3\u00bcxyz\n", "fits\n");
    await until(() => cut.server.last.received.length > 110);
    const texts = countedMessages(cut.server.last.received).map((bytes) => parse5424(bytes).message);
    expect(texts).toEqual(["12345678\u00c3\u00bc", "fits"]);
    expect(cut.run.count("outrigger_log_syslog_cut_bytes_total")).toBe(3);

    const rejecting = await open({ maxMessage: 60, longer: "reject" });
    expect(await rejecting.run.deliver("fits\n", "1234567890abcdef\n")).toEqual({
      outcome: "delivered",
      rejected: [{ item: 1, reason: "the message has 66 bytes, and 60 are the most" }],
    });
  });

  test("a random batch arrives byte by byte as it was, in order", async () => {
    const { run, server } = await open({ maxMessage: "1MiB" });
    const lines = Array.from({ length: 400 }, (_, at) => {
      const bytes = crypto.getRandomValues(new Uint8Array((at * 37) % 3000));
      return Buffer.from(bytes.map((byte) => (byte === 10 || byte === 13 ? 32 : byte))).toString("latin1");
    });
    for (let at = 0; at < lines.length; at += 40) {
      await run.deliver(...lines.slice(at, at + 40).map((line) => `${line}\n`));
    }
    await run.close();
    await until(() => server.last.ended);
    expect(countedMessages(server.last.received).map((bytes) => parse5424(bytes).message)).toEqual(lines);
    expect(server.visits).toHaveLength(1);
  });
});

describe("what goes wrong", () => {
  test("nobody listens", async () => {
    const { run, server } = await open();
    server.stop();
    expect(await run.deliver("a\n")).toEqual({
      outcome: "retry",
      cause: "unreachable",
      reason: `127.0.0.1:${server.port} ECONNREFUSED`,
    });
  });

  test("a receiver that takes nothing for too long is a retry on a new connection, whole", async () => {
    const { run, server } = await open(
      { timeout: "300ms" },
      { onOpen: (visit) => server.visits.length === 1 && visit.pause() },
    );
    const big = Array.from({ length: 40 }, (_, at) => `${at}${"x".repeat(500_000)}\n`);
    const first = await run.deliver(...big);
    expect(first).toMatchObject({
      outcome: "retry",
      reason: expect.stringMatching(/takes no bytes|does not acknowledge/),
    });
    expect((await run.deliver("again\n")).outcome).toBe("delivered");
    await until(() => server.last.received.length > 0);
    expect(countedMessages(server.last.received)).toHaveLength(1);
  });

  test.each(["reset", "end"] as const)(
    "a connection that ends (%s) in the middle of a batch is a retry",
    async (how) => {
      const { run, server } = await open(
        {},
        { onData: (visit) => server.visits.length === 1 && visit.received.length > 100_000 && visit[how]() },
      );
      const lines = Array.from({ length: 4_000 }, (_, at) => `${at} ${"x".repeat(2_000)}\n`);
      expect((await run.deliver(...lines)).outcome).toBe("retry");
      expect((await run.deliver(...lines)).outcome).toBe("delivered");
      await until(() => server.visits.length === 2 && server.last.received.length > 8_000_000);
      const numbers = countedMessages(server.last.received).map((bytes) =>
        Number.parseInt(parse5424(bytes).message, 10),
      );
      expect(numbers).toEqual(lines.map((_, at) => at));
    },
  );

  test("a receiver that ended between two batches gets the second one on a new connection", async () => {
    const { run, server } = await open();
    await run.deliver("one\n");
    server.last.end();
    await until(() => server.last.closed);
    await Bun.sleep(20);
    expect((await run.deliver("two\n")).outcome).toBe("delivered");
    expect(server.visits).toHaveLength(2);
  });

  test("the last lines of a drain are given up when its time is over", async () => {
    const { run, server } = await open({}, { onOpen: (visit) => visit.pause() });
    const delivery = run.deliver(...Array.from({ length: 40 }, () => `${"x".repeat(500_000)}\n`));
    await until(() => server.visits.length === 1);
    run.end.abort();
    expect(await delivery).toMatchObject({ outcome: "retry", reason: expect.stringContaining("given up") });
  });
});

describe("what delivered means", () => {
  test("received: not before the receiver's kernel has acknowledged the last byte", async () => {
    // Its window closes at some point: what is beyond waits in our kernel, and counts for nothing.
    const { run, server } = await open({ timeout: "5s" }, { onOpen: (visit) => visit.pause() });
    let settled = false;
    const delivery = run.deliver(...Array.from({ length: 20 }, () => `${"x".repeat(300_000)}\n`)).then((result) => {
      settled = true;
      return result;
    });
    await until(() => server.visits.length === 1);
    await Bun.sleep(200);
    expect(settled).toBe(false);
    server.last.resume();
    expect(await delivery).toEqual({ outcome: "delivered" });
  });

  test("read: not before the receiver has read everything, though its kernel has it long since", async () => {
    const { run, server } = await open({ confirm: "read", timeout: "5s" }, { onOpen: (visit) => visit.pause() });
    let settled = false;
    const delivery = run.deliver("small\n").then((result) => {
      settled = true;
      return result;
    });
    await until(() => server.visits.length === 1);
    await Bun.sleep(200);
    expect(settled).toBe(false);
    server.last.resume();
    expect(await delivery).toEqual({ outcome: "delivered" });
    expect(server.last.received.length).toBeGreaterThan(0);
  });

  test("read: a receiver that dies with the batch unread is a retry, where `received` would have lost it", async () => {
    const { run, server } = await open(
      { confirm: "read" },
      { onOpen: (visit) => server.visits.length === 1 && visit.pause() },
    );
    const delivery = run.deliver("small\n");
    await until(() => server.visits.length === 1);
    await Bun.sleep(50);
    server.last.reset();
    expect((await delivery).outcome).toBe("retry");
    expect((await run.deliver("small\n")).outcome).toBe("delivered");
  });
});

describe.skipIf(!canMakeCertificates)("TLS", () => {
  test("messages arrive, from a client that shows its certificate", async () => {
    const authority = new Authority();
    ends.push(() => authority.remove());
    const server = authority.issue({ names: "DNS:logs.test,IP:127.0.0.1" });
    const client = authority.issue({ subject: "/CN=outrigger" });
    const tls = { ...server.pem, ca: authority.pem, requestCert: true, rejectUnauthorized: true };
    const files = { ca: authority.ca, cert: client.cert, key: client.key };
    for (const confirm of ["received", "read"]) {
      const { run, server: receiver } = await open({ tls: files, confirm }, { tls });
      const lines = Array.from({ length: 2_000 }, (_, at) => `${at} ${"x".repeat(1_000)}\n`);
      expect(await run.deliver(...lines)).toEqual({ outcome: "delivered" });
      await until(() => receiver.last.received.length > 2_000_000);
      expect(countedMessages(receiver.last.received)).toHaveLength(2_000);
    }
  });

  test("a certificate of another name is a retry that says so, and nothing is sent", async () => {
    const authority = new Authority();
    ends.push(() => authority.remove());
    const { pem } = authority.issue({ names: "DNS:other.test" });
    const { run, server } = await open({ tls: { ca: authority.ca } }, { tls: { ...pem } });
    const delivery = await run.deliver("secret\n");
    expect(delivery).toMatchObject({ outcome: "retry", reason: expect.stringContaining("certificate") });
    expect(server.visits.map(({ received }) => received.length)).not.toContain(1);
    expect(Buffer.concat(server.visits.map(({ received }) => received)).length).toBe(0);
  });
});
