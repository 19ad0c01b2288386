import { describe, expect, test } from "bun:test";
import { FakeTime } from "../../test/kit/fake-time.ts";
import type { Schedule as Config } from "../config/schema.ts";
import type { RecordStream } from "../contracts.ts";
import { spineEvents } from "../events.ts";
import { MetricsRegion, spineMetrics } from "../metrics.ts";
import { EventLog } from "../telemetry/event-log.ts";
import type { SendRequest } from "./schedule.ts";
import { Schedules } from "./schedules.ts";

type Sent = Parameters<SendRequest>[0];
type Answer = Awaited<ReturnType<SendRequest>>;

function config(changes: Partial<Config> = {}): Config {
  return {
    name: "hello",
    when: { everyMs: 1000 },
    jitterMs: 0,
    request: { url: "http://localhost:7878/?key=k", method: "GET", headers: [], body: undefined },
    timeoutMs: 500,
    expect: { status: [{ from: 200, to: 399 }], body: undefined },
    ready: false,
    print: "body",
    ...changes,
  };
}

function answer(text: string, status = 200): Answer {
  return { status, body: new TextEncoder().encode(text), truncated: false };
}

/** Schedules in made-up time, whose requests are answered by `respond` or wait until `settle` is called. */
function house(respond?: (request: Sent) => Answer) {
  const time = new FakeTime(0);
  const metrics = new MetricsRegion(spineMetrics, { strict: true });
  const sent: Sent[] = [];
  const records: [RecordStream, string][] = [];
  const events: Record<string, unknown>[] = [];
  const open: ((answer: Answer) => void)[] = [];
  const log = new EventLog(
    {
      sink: (line) => void events.push(JSON.parse(line)),
      metrics,
      clock: time.clock,
      format: "json",
      level: "info",
      strict: true,
    },
    spineEvents,
  );
  const send: SendRequest = (request) => {
    sent.push(request);
    return respond ? Promise.resolve(respond(request)) : new Promise((resolve) => open.push(resolve));
  };
  const record = (stream: RecordStream, line: string) => records.push([stream, line]) > 0;
  const schedules = new Schedules({ thread: { emit: log.emit, metrics, record }, timing: time, send });
  /** Lets time pass step by step, and promises settle after each. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      time.pass(100);
      await Bun.sleep(0);
    }
  };
  const plan = async (...configs: Config[]) => (await schedules.prepare({ schedules: configs })).commit();
  const settle = async (result: Answer) => {
    open.shift()?.(result);
    await Bun.sleep(0);
  };
  const runs = (result: string) => {
    const found = metrics.series.find((s) => s.name.endsWith("runs_total") && s.labels[1]![1] === result);
    return found === undefined ? 0 : metrics.values[found.slot]!;
  };
  return { schedules, sent, records, events, pass, plan, settle, runs };
}

describe("a schedule", () => {
  test("sends its first request after one interval and prints the answer's lines", async () => {
    const { plan, pass, sent, records, runs } = house(() => answer("Hello\r\nagain\n"));
    await plan(config());
    expect(sent).toHaveLength(0);
    await pass(2000);
    expect(sent).toHaveLength(2);
    expect(records).toEqual(["Hello", "again", "Hello", "again"].map((line) => ["schedule", line]));
    expect(runs("success")).toBe(2);
  });

  test("sends method, headers and body as configured, and says who it is unless told otherwise", async () => {
    const { plan, pass, sent } = house(() => answer(""));
    const request = { url: "http://h/x", method: "POST", headers: [["X-A", "1"]] as const, body: "données" };
    await plan(config({ request }), config({ name: "own", request: { ...request, headers: [["User-Agent", "me"]] } }));
    await pass(1000);
    expect(sent[0]).toMatchObject({ url: "http://h/x", method: "POST", timeoutMs: 500 });
    expect(sent[0]!.headers).toEqual([
      ["user-agent", expect.stringMatching(/^outrigger\/\d/)],
      ["X-A", "1"],
    ]);
    expect(new TextDecoder().decode(sent[0]!.body)).toBe("données");
    expect(sent[1]!.headers).toEqual([["User-Agent", "me"]]);
  });

  test("prints nothing when told so, and 64 KiB at most of a long answer", async () => {
    const { plan, pass, records, events } = house(() => answer("x".repeat(64 * 1024 + 1)));
    await plan(config(), config({ name: "quiet", print: "none" }));
    await pass(1000);
    expect(records.map(([, line]) => line.length)).toEqual([64 * 1024]);
    expect(events.map((event) => event.event)).toEqual(["schedule_body_cut"]);
  });

  test("never overlaps itself: ticks that come while it runs are counted, not made up", async () => {
    const { plan, pass, sent, settle, runs } = house();
    await plan(config());
    await pass(4000);
    expect(sent).toHaveLength(1);
    expect(runs("skipped")).toBe(3);
    await settle(answer("ok"));
    await pass(1000);
    expect(sent).toHaveLength(2);
  });

  test("that fails says so each time, without the query, and says once that it recovered", async () => {
    let status = 503;
    const { plan, pass, events, runs, records } = house(() => answer("no", status));
    await plan(config());
    await pass(2000);
    status = 200;
    await pass(2000);
    expect(runs("failure")).toBe(2);
    expect(records).toHaveLength(4);
    expect(events.map((event) => event.message)).toEqual([
      "schedule hello failed: expected status 200 to 399, got 503",
      "schedule hello failed: expected status 200 to 399, got 503",
      "schedule hello succeeds again after 2 failures",
    ]);
    expect(events[0]).toMatchObject({ level: "warn", schedule: "hello", url: "http://localhost:7878/", failures: 1 });
  });

  test("survives a send that fails by code and one that throws", async () => {
    const results = [
      () => ({ failure: "upstream_timeout", detail: "no answer in 500 ms" }) as const,
      () => {
        throw new Error("bug");
      },
    ];
    const { plan, pass, events } = house(() => results.shift()!());
    await plan(config());
    await pass(2000);
    expect(events.map((event) => event.detail)).toEqual([
      "upstream_timeout: no answer in 500 ms",
      "could not be sent: Error: bug",
    ]);
  });

  test.each([
    [{ contains: "ell" }, undefined],
    [{ contains: "x" }, 'expected a body that contains "x"'],
    [{ matches: /^h/i }, undefined],
    [{ matches: /^h/ }, "expected a body that matches /^h/"],
    [{ equals: "Hello" }, undefined],
    [{ equals: "Hell" }, 'expected the body "Hell"'],
  ])("expects a body %o", async (body, detail) => {
    const { plan, pass, events } = house(() => answer("Hello"));
    await plan(config({ expect: { status: [{ from: 200, to: 200 }], body } }));
    await pass(1000);
    expect(events[0]?.detail).toBe(detail);
  });
});

describe("readiness", () => {
  test("asks only schedules with ready: true, which must have run and succeeded", async () => {
    let status = 500;
    const { schedules, plan, pass } = house(() => answer("", status));
    await plan(config(), config({ name: "needed", ready: true }));
    expect(schedules.readyReasons()).toEqual(["schedule needed: has not run yet"]);
    await pass(1000);
    expect(schedules.readyReasons()).toEqual(["schedule needed: expected status 200 to 399, got 500"]);
    status = 204;
    await pass(1000);
    expect(schedules.readyReasons()).toEqual([]);
  });
});

describe("a reload", () => {
  test("leaves what did not change on its grid, stops what is gone and starts what is new", async () => {
    const { plan, pass, sent } = house(() => answer(""));
    const urls = () => sent.splice(0).map((request) => new URL(request.url).pathname);
    const at = (name: string, path: string) =>
      config({ name, request: { url: `http://h/${path}`, method: "GET", headers: [], body: undefined } });
    await plan(at("same", "same"), at("gone", "gone"), at("changed", "old"));
    await pass(600);
    await plan(at("same", "same"), at("changed", "new"), at("added", "added"));
    await pass(400);
    expect(urls()).toEqual(["/same"]);
    await pass(600);
    expect(urls()).toEqual(["/new", "/added"]);
  });

  test("keeps readiness over a change of the same schedule, and does nothing before it is committed", async () => {
    const { schedules, plan, pass, sent } = house(() => answer(""));
    await plan(config({ ready: true }));
    await pass(1000);
    const change = await schedules.prepare({ schedules: [config({ ready: true, timeoutMs: 1 })] });
    await pass(1000);
    expect(sent.map((request) => request.timeoutMs)).toEqual([500, 500]);
    change.commit();
    expect(schedules.readyReasons()).toEqual([]);
  });

  test("with a cron expression that cannot be read is refused as a whole", async () => {
    const { schedules } = house();
    const bad = config({ name: "bad", when: { cron: "61 * * * *" } });
    await expect(schedules.prepare({ schedules: [config(), bad] })).rejects.toThrow(
      "schedules, bad: the cron expression cannot be read",
    );
  });
});

describe("draining", () => {
  test("waits for the runs in flight, those of replaced schedules too, but not longer than it may", async () => {
    const { schedules, plan, pass, settle } = house();
    await plan(config(), config({ name: "replaced" }));
    await pass(1000);
    await plan(config());
    schedules.stop();
    const drained = schedules.drain(1000);
    await settle(answer(""));
    await pass(1000);
    expect(await drained).toEqual({ cut: 1 });
    await settle(answer(""));
    expect(await schedules.drain(1000)).toEqual({ cut: 0 });
  });

  test("no further request is sent after it was stopped", async () => {
    const { schedules, plan, pass, sent } = house(() => answer(""));
    await plan(config());
    schedules.stop();
    await pass(3000);
    expect(sent).toHaveLength(0);
  });
});
