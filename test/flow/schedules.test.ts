import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { HeldApp } from "../kit/held-app.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
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

const runs = (sidecar: SidecarProcess, result: string, schedule = "hello") =>
  sidecar.metric(`outrigger_schedule_runs_total{schedule="${schedule}",result="${result}"}`);

const ready = async (sidecar: SidecarProcess) => {
  const answer = await fetch(`${sidecar.healthUrl}/ready`);
  return { ...((await answer.json()) as { reasons?: string[] }), status: answer.status };
};

test("as in the tutorial: the app is asked again and again, and what it answers is printed", async () => {
  const sidecar = await pod.start(`schedules:\n  - { every: 100ms, request: "${app.url}/" }`);
  await until(() => sidecar.records.length >= 3, { what: "three answers on stdout" });
  expect(sidecar.records.slice(0, 3)).toEqual(["Hello", "Hello", "Hello"]);
  expect(await sidecar.stop()).toBe(0);
});

test("need no state folder: a pod with a read-only root file system and no volume runs them", async () => {
  const state = `${pod.file("a-file")}/below`;
  const sidecar = await pod.start(`state: ${state}\nschedules:\n  - { every: 100ms, request: "${app.url}/" }`);
  await until(() => sidecar.records.length >= 1, { what: "an answer on stdout" });
  expect(await sidecar.stop()).toBe(0);
});

describe("a schedule whose target hangs", () => {
  test("fails by its timeout, never overlaps itself, and recovers without a restart", async () => {
    let open = 0;
    let mostOpen = 0;
    app.answer = async (request) => {
      mostOpen = Math.max(mostOpen, ++open);
      await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
      open--;
      return new Response();
    };
    const sidecar = await pod.start(
      `schedules:\n  - { name: hello, every: 100ms, timeout: 350ms, request: "${app.url}/", print: none, ready: true }`,
    );
    expect((await ready(sidecar)).reasons).toEqual(["schedule hello: has not run yet"]);
    const failed = await sidecar.event("schedule_failed", { after: 1 });
    expect(failed).toMatchObject({ level: "warn", schedule: "hello", failures: 2 });
    expect(failed.detail).toMatch(/^upstream_timeout: /);
    expect(Number(failed.durationMs)).toBeGreaterThanOrEqual(300);
    expect(mostOpen).toBe(1);
    expect(await runs(sidecar, "skipped")).toBeGreaterThan(3);
    expect(await runs(sidecar, "failure")).toBeGreaterThanOrEqual(2);
    expect((await ready(sidecar)).status).toBe(503);

    app.answer = () => new Response("Hello");
    await sidecar.event("schedule_recovered");
    expect(await ready(sidecar)).toMatchObject({ status: 200 });
    await until(async () => (await runs(sidecar, "success")) > 1, { what: "successes" });
    expect(await sidecar.stop()).toBe(0);
  });
});

describe("a schedule that fails", () => {
  test("because nobody listens, or because of what is answered, goes on", async () => {
    await app.stop();
    const gone = app.url;
    app = new HeldApp((request) =>
      request.url.endsWith("/body") ? new Response("cold") : new Response("", { status: 418 }),
    );
    const sidecar = await pod.start(
      [
        "schedules:",
        `  - { name: gone, every: 100ms, request: "${gone}/?key=hidden", print: none }`,
        `  - { name: status, every: 100ms, request: "${app.url}/", print: none }`,
        `  - { name: body, every: 100ms, request: "${app.url}/body", print: none, expect: { status: 2xx, body: { contains: warm } } }`,
      ].join("\n"),
    );
    const failure = async (name: string) => {
      const found = () =>
        sidecar.entries.filter(({ event, schedule }) => event === "schedule_failed" && schedule === name)[1];
      await until(() => found() !== undefined, { what: `two failures of ${name}` });
      return found()!;
    };
    const first = await failure("gone");
    expect(first.detail).toMatch(/^upstream_unreachable: /);
    expect(JSON.stringify(first)).not.toContain("hidden");
    expect((await failure("status")).detail).toBe("expected status 200 to 399, got 418");
    expect((await failure("body")).detail).toBe('expected a body that contains "warm"');
    expect((await ready(sidecar)).status).toBe(200);
    expect(await runs(sidecar, "failure", "body")).toBeGreaterThan(1);
  });

  test("does not end the sidecar with a request that is refused on the wire", async () => {
    const rude = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nHello"),
      },
    });
    const sidecar = await pod.start(
      `schedules:\n  - { name: hello, every: 100ms, request: "http://127.0.0.1:${rude.port}/", print: none }`,
    );
    expect((await sidecar.event("schedule_failed")).detail).toMatch(/^upstream_bad_response: /);
    rude.stop(true);
    expect(await sidecar.stop()).toBe(0);
  });
});

test("a POST with headers and a body arrives as it was written; cron with seconds ticks", async () => {
  const seen: string[] = [];
  app.answer = async (request) => {
    const { method, headers } = request;
    seen.push(`${method} ${headers.get("x-key")} ${headers.get("user-agent")?.split("/")[0]} ${await request.text()}`);
    return new Response(null, { status: 204 });
  };
  const request = `{ url: "${app.url}/", method: POST, headers: { x-key: abc }, body: "données" }`;
  const sidecar = await pod.start(
    `schedules:\n  - { name: hello, cron: "* * * * * *", request: ${request}, print: none }`,
  );
  await until(() => seen.length > 0, { what: "a request" });
  expect(seen[0]).toBe("POST abc outrigger données");
  await until(async () => (await runs(sidecar, "success")) > 0, { what: "a success" });
});

test("a reload that changes other schedules does not disturb one that waits for its answer", async () => {
  const held = Promise.withResolvers<void>();
  app.answer = async () => {
    await held.promise;
    return new Response("Hello");
  };
  const schedule = (name: string, every: string) =>
    `  - { name: ${name}, every: ${every}, request: "${app.url}/${name}", print: none }`;
  const sidecar = await pod.start(["schedules:", schedule("kept", "50ms")].join("\n"));
  await until(() => app.asked.length === 1, { what: "the request" });
  pod.write(["schedules:", schedule("kept", "50ms"), schedule("added", "1h")].join("\n"));
  sidecar.signal("SIGHUP");
  await sidecar.event("config_applied");
  await Bun.sleep(200);
  expect(app.asked).toEqual(["/kept"]);
  held.resolve();
  await until(async () => (await runs(sidecar, "success", "kept")) > 1, { what: "further runs" });
  expect(sidecar.count("schedule_failed")).toBe(0);
});
