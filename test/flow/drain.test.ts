import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { gate, HeldApp } from "../kit/held-app.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { StalledPipe } from "../kit/stalled-pipe.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

let pod: Pod;
let app: HeldApp;
beforeEach(() => {
  pod = new Pod();
  app = new HeldApp();
});
afterEach(async () => {
  await pod.remove();
  await app.stop();
});

const startInbound = (grace: string) =>
  pod.start(`shutdown: { grace: ${grace} }\ninbound:\n  - { listen: "127.0.0.1:0", to: "${app.url}" }`);

const url = (sidecar: SidecarProcess) => `http://${sidecar.address()}/`;

const askedTimes = (times: number) => until(() => app.asked.length === times, { what: `request ${times} at the app` });

/** Milliseconds until it ended, and its exit code. */
async function ending(sidecar: SidecarProcess): Promise<{ code: number; tookMs: number }> {
  const startedAt = performance.now();
  return { code: await sidecar.exited, tookMs: performance.now() - startedAt };
}

describe("SIGTERM in the middle of", () => {
  test("a request: it is answered, so are new ones, each on its last connection; then the sidecar ends", async () => {
    const sidecar = await startInbound("8s");
    const held = gate();
    app.answer = async (request) => {
      if (request.url.endsWith("/slow")) await held.promise;
      return new Response("Hello");
    };
    const slow = fetch(`${url(sidecar)}slow`);
    await askedTimes(1);
    sidecar.signal("SIGTERM");
    await sidecar.event("announcing");
    expect((await fetch(`${sidecar.healthUrl}/ready`)).status).toBe(503);
    const late = await fetch(url(sidecar));
    expect([late.status, await late.text(), late.headers.get("connection")]).toEqual([200, "Hello", "close"]);
    await sidecar.event("draining");
    const later = await fetch(url(sidecar));
    expect([later.status, later.headers.get("connection")]).toEqual([200, "close"]);
    held.resolve();
    const answer = await slow;
    expect([answer.status, await answer.text(), answer.headers.get("connection")]).toEqual([200, "Hello", "close"]);
    expect(await sidecar.exited).toBe(0);
    expect(sidecar.count("exchanges_cut")).toBe(0);
  });

  test("a streamed answer: it arrives whole", async () => {
    const sidecar = await startInbound("8s");
    const held = gate();
    app.answer = () =>
      new Response(
        (async function* () {
          yield new TextEncoder().encode("first ");
          await held.promise;
          yield new TextEncoder().encode("last");
        })(),
      );
    const answer = await fetch(url(sidecar));
    sidecar.signal("SIGINT");
    await sidecar.event("draining");
    await Bun.sleep(50);
    expect(sidecar.hasEnded).toBe(false);
    held.resolve();
    expect(await answer.text()).toBe("first last");
    expect(await sidecar.exited).toBe(0);
  });

  test("a request that never ends: it is cut within the grace, which is an event and no failure", async () => {
    const sidecar = await startInbound("2s");
    app.answer = () => new Promise(() => {});
    const outcome = fetch(url(sidecar)).then(
      (answer) => answer.status,
      () => "broken",
    );
    await askedTimes(1);
    sidecar.signal("SIGTERM");
    const { code, tookMs } = await ending(sidecar);
    expect(code).toBe(0);
    expect(tookMs).toBeGreaterThan(1200);
    expect(tookMs).toBeLessThan(6000);
    expect(await outcome).not.toBe(200);
    expect(sidecar.entries.find(({ event }) => event === "exchanges_cut")).toMatchObject({ level: "warn", count: 1 });
  });

  test("a schedule: its answer is waited for, and no further request is sent", async () => {
    const held = gate();
    app.answer = async () => {
      await held.promise;
      return new Response("Hello");
    };
    const sidecar = await pod.start(
      `schedules:\n  - { name: hello, every: 50ms, request: "${app.url}/", print: none }`,
    );
    await askedTimes(1);
    sidecar.signal("SIGTERM");
    await sidecar.event("draining");
    await Bun.sleep(200);
    expect(sidecar.hasEnded).toBe(false);
    held.resolve();
    expect(await sidecar.exited).toBe(0);
    expect(app.asked).toHaveLength(1);
    expect(sidecar.count("schedules_cut")).toBe(0);
    expect(sidecar.count("schedule_failed")).toBe(0);
  });

  test("a schedule whose target hangs: it is cut within the grace and said so", async () => {
    app.answer = () => new Promise(() => {});
    const sidecar = await pod.start(
      `shutdown: { grace: 1s }\nschedules:\n  - { name: hello, every: 50ms, request: "${app.url}/", print: none }`,
    );
    await askedTimes(1);
    sidecar.signal("SIGTERM");
    expect(await sidecar.exited).toBe(0);
    expect(sidecar.entries.find(({ event }) => event === "schedules_cut")).toMatchObject({ level: "warn", count: 1 });
  });

  test("a burst of collected lines: each is on stdout once, also those written after the signal", async () => {
    const log = pod.file("logs/app.log");
    const sidecar = await pod.start(`shutdown: { grace: 10s }\nlogs:\n  - files: [${pod.folder}/logs/*.log]`);
    const written: string[] = [];
    for (let burst = 0; burst < 40; burst++) {
      const lines = Array.from({ length: 500 }, (_, n) => `line ${burst * 500 + n} ${"x".repeat(80)}`);
      appendFileSync(log, `${lines.join("\n")}\n`);
      written.push(...lines);
      if (burst === 20) sidecar.signal("SIGTERM");
      await Bun.sleep(2);
    }
    expect(await sidecar.exited).toBe(0);
    expect(sidecar.records.length).toBe(written.length);
    expect(sidecar.records).toEqual(written);
    expect(sidecar.count("collector_cut")).toBe(0);
  });

  test("lines nobody takes from stdout: what could not be written is said, and the sidecar ends in time", async () => {
    const pipe = await StalledPipe.make();
    pod.file("logs/app.log", `${"x".repeat(99)}\n`.repeat(5000));
    const config = `shutdown: { grace: 2s }\nlogs:\n  - files: [${pod.folder}/logs/*.log]`;
    const sidecar = await pod.start(config, { stdout: pipe.writeFd });
    const taken = 'outrigger_log_read_lines_total{input="files"}';
    await until(async () => (await sidecar.metric(taken)) === 5000, { what: "all lines read" });
    sidecar.signal("SIGTERM");
    const { code, tookMs } = await ending(sidecar);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(6000);
    const { unsentBytes } = await sidecar.event("collector_cut");
    expect(Number(unsentBytes)).toBeGreaterThan(400_000);
    pipe.close();
  });

  test("reloads: the sidecar ends with 0, and nothing is left of the half-made one", async () => {
    const sidecar = await startInbound("2s");
    for (let times = 0; times < 20; times++) sidecar.signal("SIGHUP");
    sidecar.signal("SIGINT");
    expect(await sidecar.exited).toBe(0);
    expect(sidecar.complaints).toEqual([]);
    expect(sidecar.count("unexpected_error") + sidecar.count("part_not_stopped")).toBe(0);
  });
});

describe("stopping", () => {
  test("takes no time when the app is gone already, as beside a native sidecar", async () => {
    const sidecar = await startInbound("25s");
    await app.stop();
    sidecar.signal("SIGTERM");
    const { code, tookMs } = await ending(sidecar);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(3000);
  });

  test("while the app is still there announces first, for a quarter of the grace", async () => {
    const sidecar = await startInbound("4s");
    sidecar.signal("SIGTERM");
    const { code, tookMs } = await ending(sidecar);
    expect(code).toBe(0);
    expect(tookMs).toBeGreaterThan(900);
    expect(tookMs).toBeLessThan(3900);
  });

  test("asked for a second time happens at once", async () => {
    const sidecar = await startInbound("60s");
    app.answer = () => new Promise(() => {});
    const outcome = fetch(url(sidecar)).catch(() => "broken");
    await askedTimes(1);
    sidecar.signal("SIGTERM");
    await sidecar.event("announcing");
    sidecar.signal("SIGTERM");
    const { code, tookMs } = await ending(sidecar);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(5000);
    await outcome;
    expect(sidecar.count("hurried")).toBe(1);
  });

  test("lets the app call out until it has been quiet for a second", async () => {
    const sidecar = await pod.start('outbound:\n  - { listen: "127.0.0.1:0", routes: [{ respond: { body: ok } }] }');
    sidecar.signal("SIGTERM");
    await sidecar.event("draining");
    const answers: string[] = [];
    for (let call = 0; call < 15; call++) {
      answers.push(await (await fetch(url(sidecar), { headers: { connection: "close" } })).text());
      await Bun.sleep(100);
    }
    expect(answers).toEqual(Array(15).fill("ok"));
    expect(await sidecar.exited).toBe(0);
  });
});
