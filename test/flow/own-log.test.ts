import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { spineEvents } from "../../src/events.ts";
import { FdWriter } from "../../src/logs/fd-writer.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";
import { OwnLog } from "../../src/own-log.ts";
import { EventLog } from "../../src/telemetry/event-log.ts";
import { freePort } from "../kit/free-port.ts";
import { Pod } from "../kit/sidecar-process.ts";
import { StalledPipe } from "../kit/stalled-pipe.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

let pipe: StalledPipe;
beforeEach(async () => {
  pipe = await StalledPipe.make();
});
afterEach(() => pipe.close());

function ownLog(writeFd: number) {
  const metrics = new MetricsRegion(spineMetrics, { strict: true });
  const log: OwnLog = new OwnLog(new FdWriter(writeFd, systemClock), {
    dropped: metrics.counter("outrigger_log_lines_dropped_total"),
    onDropped: (count) => events.emit("log_lines_dropped", { count }),
  });
  const shared = { clock: systemClock, metrics, format: "json", level: "info", strict: true } as const;
  const events = new EventLog({ ...shared, sink: log.write }, spineEvents, {
    noise: { level: "info", text: "{n}" },
  });
  const dropped = () => metrics.values[metrics.series[0]!.slot]!;
  return { log, events, dropped };
}

describe("a sidecar whose stderr is not read", () => {
  test("serves, reloads and stops as ever, and counts what it could not say", async () => {
    const pod = new Pod();
    const [port, trafficPort] = [freePort(), freePort()];
    const names = Array.from({ length: 40 }, (_, n) => `a-listener-with-a-rather-long-name-${n}`);
    const listeners = names.map((name) => `  - { name: ${name}, listen: "127.0.0.1:0", to: "http://127.0.0.1:1" }`);
    const answering = `health: 127.0.0.1:${port}\ninbound:\n  - { listen: "127.0.0.1:${trafficPort}", routes: [{ respond: { body: ok } }] }`;
    const sidecar = pod.spawn(answering, { stderr: pipe.writeFd });
    const metric = (series: string) => sidecar.metric(series, `http://127.0.0.1:${port}`).catch(() => 0);
    await until(async () => (await metric("outrigger_config_last_reload_successful")) === 1, { what: "the start" });
    const applied = () => metric('outrigger_config_reloads_total{result="applied"}');
    for (let turn = 1; (await metric("outrigger_log_lines_dropped_total")) === 0; turn++) {
      pod.write(turn % 2 === 1 ? [answering, ...listeners].join("\n") : answering);
      sidecar.signal("SIGHUP");
      await until(async () => (await applied()) >= turn, { what: `reload ${turn}` });
    }
    const startedAt = performance.now();
    expect((await fetch(`http://127.0.0.1:${port}/live`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${trafficPort}/`)).text()).toBe("ok");
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(await sidecar.stop()).toBe(0);
    await pod.remove();
  });
});

describe("the own log with a reader that stalls", () => {
  test("takes no time, keeps at most 1 MiB, drops and counts the rest, and says so when it is read again", async () => {
    const { events, dropped } = ownLog(pipe.writeFd);
    const startedAt = performance.now();
    for (let n = 0; n < 20_000; n++) events.emit("noise", { n, padding: "x".repeat(100) });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(dropped()).toBeGreaterThan(1000);

    let text = "";
    await until(() => {
      text += pipe.read();
      return text.includes("log_lines_dropped") && text.endsWith("\n");
    });
    const entries = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const noise = entries.filter((entry) => entry.event === "noise");
    expect(noise.map((entry) => entry.n)).toEqual(noise.map((_, n) => n)); // the first ones, in order, whole
    const reported = entries.filter((entry) => entry.event === "log_lines_dropped");
    expect(noise.length + reported[0].count).toBe(20_000);
    expect(text.length).toBeLessThan(1.2 * 1024 * 1024);
  });

  test("is given up at the end after its deadline", async () => {
    const { events, log } = ownLog(pipe.writeFd);
    for (let n = 0; n < 2000; n++) events.emit("noise", { n, padding: "x".repeat(100) });
    const startedAt = performance.now();
    expect(log.close(100)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  test("writes what still waits when the reader is there", async () => {
    const { events, log } = ownLog(pipe.writeFd);
    for (let n = 0; n < 10; n++) events.emit("noise", { n });
    expect(log.close(100)).toBe(true);
    expect(pipe.read().trimEnd().split("\n")).toHaveLength(10);
  });
});
