/** The output `forward` against a strict receiver that reads with a MessagePack library of its own. */
import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { encode } from "@msgpack/msgpack";
import forward from "../../src/log-outputs/forward.ts";
import { ByteServer } from "../kit/byte-server.ts";
import { Authority, canMakeCertificates } from "../kit/certificates.ts";
import { ackOf, ForwardReceiver, type ForwardReceiverOptions } from "../kit/forward-receiver.ts";
import { blockOf, OutputRun, recordBlock, testSource } from "../kit/output-run.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const wallMs = 1_700_000_000_123;

async function open(options: Record<string, unknown> = {}, behaviour: ForwardReceiverOptions = {}) {
  const receiver = new ForwardReceiver(behaviour);
  const given = { address: `127.0.0.1:${receiver.server.port}`, timeout: "400ms", ...options };
  const run = await OutputRun.open(forward, given, { wall: () => wallMs });
  ends.push(
    () => run.close(),
    () => receiver.server.stop(),
  );
  return { run, receiver };
}

describe("messages", () => {
  test("golden: a PackedForward message, byte by byte", async () => {
    const server = new ByteServer();
    ends.push(() => server.stop());
    const options = { address: `127.0.0.1:${server.port}`, timeout: "100ms" };
    const run = await OutputRun.open(forward, options, { wall: () => wallMs });
    ends.push(() => run.close());
    await run.deliver(blockOf("hi\n", 0, { ...testSource, fields: { n: 300, ok: true } }));
    const hex = (text: string) => Buffer.from(text).toString("hex");
    const chunk = createHash("md5").update("s1 0 3\napp\n1").digest("base64");
    const record = `83a7${hex("message")}a2${hex("hi")}a1${hex("n")}d20000012ca2${hex("ok")}c3`;
    const entries = `92d7006553f1000754d4c0${record}`;
    const told = `82a5${hex("chunk")}b8${hex(chunk)}a4${hex("size")}01`;
    const length = (entries.length / 2).toString(16);
    expect(server.last.received.toString("hex")).toBe(`93a3${hex("app")}c4${length}${entries}${told}`);
  });

  test("text, parsed records, severities, times and bytes that are no UTF-8", async () => {
    const { run, receiver } = await open({ tag: "{fields.app}.{input}", message: "log" });
    const source = { ...testSource, fields: { app: "shop", log: "not this" } };
    const time = 1_600_000_000_000_000_007n;
    const fields = {
      s: "ü",
      i: -5,
      l: 2 ** 40,
      m: -(2 ** 40),
      f: 1.5,
      b: false,
      z: null,
      a: [1, { x: "y" }],
      big: 70_000,
    };
    const records = [
      { text: "plain", time, severity: "error" as const },
      { text: "raw", fields },
    ];
    const lines = "gr\u00c3\u00bc\u00c3\u009fe\n\u00ff\u00fe\r\n";
    expect((await run.deliver(blockOf(lines, 0, source), recordBlock(records, source))).outcome).toBe("delivered");
    expect(receiver.entries.map(({ tag, record }) => [tag, record])).toEqual([
      ["shop.app", { log: "grüße", app: "shop" }],
      ["shop.app", { log: new Uint8Array([0xff, 0xfe]), app: "shop" }],
      ["shop.app", { log: "plain", severity: "error", app: "shop" }],
      ["shop.app", { app: "shop", log: "not this", ...fields }],
    ]);
    expect(receiver.entries[2]?.time).toBe(time);
    expect(receiver.faults).toEqual([]);
  });

  test.each([false, true])("thousands of lines of all lengths, in order; gzip: %s", async (gzip) => {
    const { run, receiver } = await open({ gzip, timeout: "20s" });
    const lines = Array.from({ length: 3_000 }, (_, at) => `${at} ${"x".repeat((at * 31) % 2_000)}`);
    lines.push("y".repeat(70_000));
    for (let at = 0; at < lines.length; at += 1_000) {
      const some = lines.slice(at, at + 1_000).map((line) => `${line}\n`);
      expect(await run.deliver(...some)).toEqual({ outcome: "delivered" });
    }
    expect(receiver.entries.map(({ record }) => record.message)).toEqual(lines);
    expect(new Set(receiver.compressed)).toEqual(new Set([gzip]));
    expect(receiver.server.visits).toHaveLength(1);
  });

  test("a message for each tag, and the same chunk for the same lines when they come again", async () => {
    let acknowledges = false;
    const { run, receiver } = await open(
      { tag: "{file}" },
      { answer: (chunk) => (acknowledges ? ackOf(chunk) : undefined) },
    );
    const other = { ...testSource, path: "/logs/other.log" };
    const blocks = [blockOf("a\n"), blockOf("b\n", 0, other), blockOf("c\n", 2)];
    expect((await run.deliver(...blocks)).outcome).toBe("retry");
    acknowledges = true;
    expect((await run.deliver(...blocks)).outcome).toBe("delivered");
    const said = receiver.entries.map(({ tag, record }) => `${tag} ${record.message}`);
    const once = ["app.log a", "app.log c", "other.log b"];
    expect(said).toEqual([...once, ...once]);
    expect(receiver.chunks.slice(2)).toEqual(receiver.chunks.slice(0, 2));
    expect(new Set(receiver.chunks).size).toBe(2);
  });
});

describe("what goes wrong", () => {
  test("a missing acknowledgement is a retry, and what was acknowledged does not come again", async () => {
    let answers = 0;
    const answer = (chunk: string) => (answers++ === 0 ? ackOf(chunk) : undefined);
    const { run } = await open({ tag: "{file}" }, { answer });
    const other = { ...testSource, path: "/logs/other.log" };
    const delivery = await run.deliver(blockOf("a\n"), blockOf("b\nbb\n", 0, other), blockOf("c\n", 2));
    expect(delivery).toMatchObject({
      outcome: "retry",
      only: [1, 2],
      reason: expect.stringContaining("does not answer"),
    });
  });

  test.each([
    ["of another chunk", encode({ ack: "AAAAAAAAAAAAAAAAAAAAAA==" }), "acknowledged something that was not sent"],
    ["that is none", encode({ nack: 1 }), "does not acknowledge"],
    ["of a receiver with a key", encode(["HELO", { nonce: "x", auth: "" }]), "asks for a shared key"],
    ["in another protocol", Buffer.from([0xc1]), "does not speak the forward protocol"],
  ])("an answer %s is a retry that says so", async (_, bytes, reason) => {
    const { run } = await open({}, { answer: () => bytes });
    expect(await run.deliver("a\n")).toMatchObject({
      outcome: "retry",
      reason: expect.stringContaining(reason),
      only: [0],
    });
  });

  test("an answer that comes byte by byte is an answer", async () => {
    const { run } = await open(
      {},
      {
        answer(chunk, visit) {
          for (const [at, byte] of ackOf(chunk).entries()) setTimeout(() => visit.say(Uint8Array.of(byte)), at);
          return undefined;
        },
      },
    );
    expect((await run.deliver("a\n")).outcome).toBe("delivered");
    expect((await run.deliver("b\n")).outcome).toBe("delivered");
  });

  test("a connection cut in the middle of a message: all of it comes again on a new one, once", async () => {
    let first = true;
    const { run, receiver } = await open(
      { timeout: "10s" },
      {
        onOpen(visit) {
          if (first) setTimeout(() => visit.reset(), 5);
          first = false;
        },
      },
    );
    const lines = Array.from({ length: 200 }, (_, at) => `${at} ${"x".repeat(100_000)}\n`);
    expect((await run.deliver(...lines)).outcome).toBe("retry");
    expect((await run.deliver(...lines)).outcome).toBe("delivered");
    expect(receiver.entries).toHaveLength(200);
  }, 30_000);
});

describe("a shared key", () => {
  const user = { name: "shop", password: "p4ss" };

  test.each([
    ["alone", {}, {}],
    ["and a user", { user }, { user }],
  ])("%s lets us in", async (_, ours, theirs) => {
    const { run, receiver } = await open(
      { sharedKey: "k3y", hostname: "me", ...ours },
      { sharedKey: "k3y", ...theirs },
    );
    for (const line of ["a\n", "b\n"]) expect(await run.deliver(line)).toEqual({ outcome: "delivered" });
    expect([receiver.server.visits.length, receiver.entries.length, receiver.faults]).toEqual([1, 2, []]);
  });

  test("with keepalive false each batch has a connection of its own", async () => {
    const { run, receiver } = await open({ sharedKey: "k3y" }, { sharedKey: "k3y", keepalive: false });
    for (const line of ["a\n", "b\n"]) expect(await run.deliver(line)).toEqual({ outcome: "delivered" });
    expect(receiver.server.visits).toHaveLength(2);
  });

  test.each([
    ["a wrong key", { sharedKey: "wrong" }, {}, "turned us away: shared_key mismatch"],
    ["a wrong password", { user: { ...user, password: "no" } }, { user }, "turned us away: username/password mismatch"],
    ["no user", {}, { user }, "asks for a user and password"],
    ["a receiver without a key", {}, { sharedKey: undefined }, "does not answer"],
    ["its own name", { hostname: "receiver" }, {}, "does it send to itself?"],
  ])("%s is a retry that says so, and no line is sent", async (_, ours, theirs, reason) => {
    const { sharedKey = "k3y", ...more } = theirs as ForwardReceiverOptions;
    const isOpen = "sharedKey" in theirs;
    const { run, receiver } = await open({ sharedKey: "k3y", ...ours }, isOpen ? more : { sharedKey, ...more });
    expect(await run.deliver("a\n")).toMatchObject({ outcome: "retry", reason: expect.stringContaining(reason) });
    expect(receiver.entries).toEqual([]);
  });
});

test.skipIf(!canMakeCertificates)("TLS and a shared key together", async () => {
  const authority = new Authority();
  ends.push(() => authority.remove());
  const { pem } = authority.issue({ names: "IP:127.0.0.1" });
  const { run, receiver } = await open(
    { sharedKey: "k", tls: { ca: authority.ca } },
    { sharedKey: "k", tls: { ...pem } },
  );
  expect(await run.deliver("over TLS\n")).toEqual({ outcome: "delivered" });
  expect(receiver.entries.map(({ record }) => record)).toEqual([{ message: "over TLS" }]);
});
