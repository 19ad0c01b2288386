/** `protocol: relp` of the output `syslog`, against a strict receiver. */
import { afterEach, expect, test } from "bun:test";
import syslog from "../../src/log-outputs/syslog.ts";
import { OutputRun } from "../kit/output-run.ts";
import { type RelpAnswers, RelpReceiver } from "../kit/relp-receiver.ts";
import { parse5424 } from "../kit/syslog-receiver.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function open(answers: RelpAnswers = {}, options: Record<string, unknown> = {}) {
  const receiver = new RelpReceiver(answers);
  const address = `127.0.0.1:${receiver.server.port}`;
  const run = await OutputRun.open(syslog, { address, protocol: "relp", timeout: "400ms", ...options });
  ends.push(
    () => run.close(),
    () => receiver.server.stop(),
  );
  const texts = () => receiver.messages.map((bytes) => parse5424(bytes).message);
  return { run, receiver, texts };
}

test("every message is acknowledged before the batch is delivered, in one session", async () => {
  const { run, receiver, texts } = await open();
  const lines = Array.from({ length: 3_000 }, (_, at) => `line ${at} \u00ff${"x".repeat(at % 700)}`);
  for (let at = 0; at < lines.length; at += 1_000) {
    const delivery = await run.deliver(...lines.slice(at, at + 1_000).map((line) => `${line}\n`));
    expect(delivery).toEqual({ outcome: "delivered" });
    expect(texts()).toEqual(lines.slice(0, at + 1_000));
  }
  await run.close();
  expect([receiver.server.visits.length, receiver.faults]).toEqual([1, []]);
});

test("a message without an answer is no delivery: only those come again", async () => {
  let silent = true;
  const { run, texts } = await open({ syslog: (_, transaction) => (silent && transaction > 3 ? undefined : "200 OK") });
  const delivery = await run.deliver("a\n", "b\n", "c\n", "d\n");
  expect(delivery).toMatchObject({
    outcome: "retry",
    only: [2, 3],
    reason: expect.stringContaining("does not answer"),
  });
  silent = false;
  expect((await run.deliver("c\n", "d\n")).outcome).toBe("delivered");
  expect(texts()).toEqual(["a", "b", "c", "d"]);
});

test("a message that is refused comes again alone, with what the receiver said", async () => {
  const { run, receiver, texts } = await open({
    syslog: (bytes) => (String(bytes).endsWith(" bad") ? "500 cannot\nqueue" : "200 OK"),
  });
  const delivery = await run.deliver("a\n", "bad\n", "c\n");
  const reason = `127.0.0.1:${receiver.server.port} answered 500 cannot queue`;
  expect(delivery).toEqual({ outcome: "retry", reason, only: [1], rejected: [] });
  expect([texts(), receiver.server.visits.length]).toEqual([["a", "c"], 1]);
});

test("bytes cut off a message count once it is acknowledged, though others of its batch come again", async () => {
  let silent = true;
  const answer = (_: Buffer, transaction: number) => (silent && transaction > 2 ? undefined : "200 OK");
  const { run, texts } = await open({ syslog: answer }, { maxMessage: "300" });
  const long = "x".repeat(400);
  expect(await run.deliver(`${long}\n`, `${long}\n`)).toMatchObject({ outcome: "retry", only: [1] });
  const once = 400 - texts()[0]!.length;
  expect([once > 0, run.count("outrigger_log_syslog_cut_bytes_total")]).toEqual([true, once]);
  silent = false;
  expect((await run.deliver(`${long}\n`)).outcome).toBe("delivered");
  expect(run.count("outrigger_log_syslog_cut_bytes_total")).toBe(2 * once);
});

test("a connection cut in the middle of a batch: what was acknowledged does not come again", async () => {
  const visits = (): number => opened.receiver.server.visits.length;
  const opened: Awaited<ReturnType<typeof open>> = await open({
    syslog(_, transaction, visit): string | undefined {
      if (visits() > 1 || transaction <= 500) return "200 OK";
      visit.reset();
      return undefined;
    },
  });
  const { run, texts } = opened;
  const lines = Array.from({ length: 1_000 }, (_, at) => `${at}\n`);
  const delivery = await run.deliver(...lines);
  if (delivery.outcome !== "retry" || delivery.only === undefined) throw new Error(`not ${JSON.stringify(delivery)}`);
  expect((await run.deliver(...delivery.only.map((item) => lines[item]!))).outcome).toBe("delivered");
  // The reset may have overtaken acknowledgements: those lines come twice, and none is missing.
  expect(new Set(texts()).size).toBe(1_000);
});

test("a batch larger than what the kernel holds is delivered as soon as the receiver has taken it", async () => {
  let visits = 0;
  const { run, receiver } = await open(
    {
      // Our last bytes have to wait for this receiver, and its first answers come before they are written.
      syslog(_, transaction, visit) {
        if (transaction === 2) {
          visits++;
          visit.pause();
          setTimeout(() => visit.resume(), 200);
        }
        return "200 OK";
      },
    },
    { maxMessage: "2MiB", timeout: "20s" },
  );
  const start = performance.now();
  const lines = Array.from({ length: 24 }, (_, at) => `${at}${"x".repeat(1024 * 1024)}\n`);
  expect(await run.deliver(...lines)).toEqual({ outcome: "delivered" });
  expect([visits, receiver.server.visits.length, receiver.server.last.closed]).toEqual([1, 1, false]);
  expect(performance.now() - start).toBeLessThan(15_000);
});

test.each([
  ["refuses", () => "500 not you", "refused the session: 500 not you"],
  ["does not take syslog", () => "200 OK\nrelp_version=0\ncommands=eventlog", "does not take syslog messages"],
  ["says nothing", () => undefined, "does not answer for 400 ms"],
] satisfies [string, () => string | undefined, string][])(
  "a receiver that %s at the opening",
  async (_, answer, reason) => {
    const { run, texts } = await open({ open: answer });
    expect(await run.deliver("a\n")).toMatchObject({ outcome: "retry", reason: expect.stringContaining(reason) });
    expect(texts()).toEqual([]);
  },
);

test.each([
  ["the wrong number", "9 rsp 6 200 OK\n", "answered something that was not asked"],
  ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak RELP"],
  ["an endless answer", "2 rsp 999999999 x", "an answer that is too long"],
  ["a close", "0 serverclose 0\n", "closes the session"],
])("an answer that is %s ends the connection, and the batch comes again", async (_, bytes, reason) => {
  const { run } = await open({
    syslog(_message, _transaction, visit) {
      visit.say(bytes);
      return undefined;
    },
  });
  const delivery = await run.deliver("a\n");
  expect(delivery).toMatchObject({ outcome: "retry", only: [0], reason: expect.stringContaining(reason) });
});
