import { describe, expect, test } from "bun:test";
import { type EventTable, spineEvents } from "../events.ts";
import { MetricsRegion, spineMetrics } from "../metrics.ts";
import { EventLog, type EventLogOptions } from "./event-log.ts";

const table: EventTable = {
  told: { level: "info", text: "{who} told {what}" },
  warned: { level: "warn", text: "careful with {what}", metric: "outrigger_failures_total" },
  cut: { level: "warn", text: "{count} cut", metric: "outrigger_exchanges_cut_total" },
  whispered: { level: "debug", text: "psst", metric: "outrigger_failures_total" },
};

/** A log whose clock is set by hand and whose lines are kept. */
function logWith(options: Partial<EventLogOptions> = {}) {
  const lines: string[] = [];
  const clock = { ms: 0, now: () => clock.ms, wall: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  const metrics = new MetricsRegion(spineMetrics, { strict: true });
  const sink = (line: string) => void lines.push(line);
  const log = new EventLog({ sink, metrics, clock, format: "json", level: "info", strict: true, ...options }, table);
  const total = (name: string) =>
    metrics.series.filter((s) => s.name === name).reduce((sum, s) => sum + metrics.values[s.slot]!, 0);
  return { log, lines, clock, metrics, total };
}

describe("an event", () => {
  test("is one JSON object a line: time, level, event, message, then its fields", () => {
    const { log, lines } = logWith();
    log.emit("told", { who: "Ann", what: "line\nbreak", times: 2, left: undefined });
    expect(lines).toEqual([
      '{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"told","message":"Ann told line break",' +
        '"who":"Ann","what":"line\\nbreak","times":2}\n',
    ]);
  });

  test("cannot have its own members replaced by a field", () => {
    const { log, lines } = logWith();
    log.emit("told", { level: "error", message: "forged", who: "Ann" });
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: "info", message: "Ann told -", event: "told" });
  });

  test("adds to its metric, also below the level that is written", () => {
    const { log, lines, metrics, total } = logWith();
    log.emit("warned", { code: "no_route" });
    log.emit("whispered", { code: "no_route" });
    log.emit("cut", { count: 7 });
    expect(total("outrigger_failures_total")).toBe(2);
    expect(total("outrigger_exchanges_cut_total")).toBe(7);
    expect(metrics.series[0]!.labels).toEqual([["code", "no_route"]]);
    expect(lines).toHaveLength(2);
  });

  test("that nobody declared throws in development and is written in production", () => {
    expect(() => logWith().log.emit("unknown")).toThrow("no event unknown is declared");
    const { log, lines } = logWith({ strict: false });
    log.emit("unknown", { x: 1 });
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: "error", event: "unknown", x: 1 });
  });

  test("of a drop-in can be added later, and never replaces one of the spine", () => {
    const { log, lines } = logWith();
    log.declare({ late: { level: "info", text: "late" }, told: { level: "error", text: "forged" } });
    log.emit("late");
    log.emit("told", { who: "Ann", what: "it" });
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(["late", "Ann told it"]);
  });

  test("in a terminal is a short line of text, a list's parts on lines of their own", () => {
    const { log, lines } = logWith({ format: "text" });
    log.emit("told", { who: "Ann", what: ["one", "two\x1b[31m"] });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}Ann told one\n {2}two \[31m\n$/);
  });

  test("with values nobody can write does not throw", () => {
    const { log, lines } = logWith();
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    log.emit("told", { who: cyclic, what: 10n, error: new Error("broken"), big: { n: 1n } });
    expect(JSON.parse(lines[0]!)).toMatchObject({ what: "10", error: "broken", big: '{"n":"1"}' });
  });
});

describe("secrets", () => {
  test("are not written, by the name of the field or as the user part of a URL", () => {
    const { log, lines } = logWith();
    log.emit("told", {
      who: "http://ann:pw@host/x",
      what: "-",
      apiKey: "k",
      Authorization: "Bearer t",
      setCookie: "c",
    });
    expect(lines[0]).not.toMatch(/pw|"k"|Bearer|"c"/);
    expect(JSON.parse(lines[0]!).who).toBe("http://[redacted]@host/x");
  });

  test("a text without end is cut", () => {
    const { log, lines } = logWith();
    log.emit("told", { who: "x".repeat(100_000), what: "-" });
    expect(lines[0]!.length).toBeLessThan(6000);
  });
});

describe("a warning that repeats", () => {
  test("is written ten times a second, the rest is counted and reported", () => {
    const { log, lines, clock, total } = logWith();
    for (let i = 0; i < 1000; i++) log.emit("warned", { code: "no_route" });
    log.reportSuppressed();
    expect(lines).toHaveLength(10);
    clock.ms = 1000;
    log.reportSuppressed();
    log.reportSuppressed();
    expect(lines).toHaveLength(11);
    expect(JSON.parse(lines[10]!)).toMatchObject({ event: "warned", suppressed: 990 });
    expect(total("outrigger_events_suppressed_total")).toBe(990);
    expect(total("outrigger_failures_total")).toBe(1000);
  });

  test("is written again in the next second, after the count of those held back", () => {
    const { log, lines, clock } = logWith();
    for (let i = 0; i < 11; i++) log.emit("warned", { code: "a" });
    clock.ms = 1500;
    log.emit("warned", { code: "b" });
    expect(lines.slice(10).map((line) => JSON.parse(line).suppressed ?? JSON.parse(line).code)).toEqual([1, "b"]);
  });

  test("holds back no other event and no news", () => {
    const { log, lines } = logWith();
    for (let i = 0; i < 20; i++) log.emit("warned", { code: "a" });
    for (let i = 0; i < 20; i++) log.emit("told", { who: "Ann", what: i });
    log.emit("cut", { count: 1 });
    expect(lines).toHaveLength(31);
  });
});

describe("the spine's events", () => {
  test("each name a counter that is declared, whose labels are among the places or fields", () => {
    for (const [name, event] of Object.entries(spineEvents as EventTable)) {
      expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*$/);
      if (event.metric !== undefined) {
        expect((spineMetrics as Record<string, { kind: string }>)[event.metric]?.kind).toBe("counter");
      }
    }
  });

  test("a client's own fault is written at debug only, an upstream's as a warning", () => {
    const { log, lines } = logWith();
    log.declare(spineEvents);
    const fields = { listener: "web", route: "-", id: "1", upstream: "-", detail: "x" };
    log.emit("request_failed", { code: "bad_host", ...fields });
    log.emit("request_failed", { code: "upstream_timeout", ...fields });
    expect(lines.map((line) => JSON.parse(line).code)).toEqual(["upstream_timeout"]);
  });
});
