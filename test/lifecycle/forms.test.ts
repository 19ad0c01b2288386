/** Pods of both forms end, as processes: what the app still does goes through, and nobody stays longer than needed. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { freePort } from "../kit/free-port.ts";
import { Network, whyNoNetworks } from "../kit/network.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";
import { PodProcesses, type PodWish } from "./pod.ts";

// Other work may share these cores.
setDefaultTimeout(120_000);

interface Place {
  readonly folder: Pod;
  /** A log file of the app. */
  readonly log: string;
  readonly appPort: number;
  readonly outPort: number;
  /** Inbound, outbound and logs. */
  readonly config: string;
}

/** Pods at the same time: more of them keep two cores so busy that times say nothing. */
let freePlaces = 4;
const waiting: (() => void)[] = [];

async function takePlace(): Promise<void> {
  if (freePlaces > 0) freePlaces--;
  else await new Promise<void>((resolve) => void waiting.push(resolve));
}

function givePlace(): void {
  const next = waiting.shift();
  if (next === undefined) freePlaces++;
  else next();
}

/** Gives a test a folder and ports of its own, and takes away what it started. */
async function inPod(use: (place: Place, start: (wish: Partial<PodWish>) => Promise<PodProcesses>) => Promise<void>) {
  await takePlace();
  const folder = new Pod();
  const [appPort, outPort] = [freePort(), freePort()];
  const log = folder.file("logs/app.log");
  const config = [
    `inbound:\n  - { listen: "127.0.0.1:0", to: "http://127.0.0.1:${appPort}" }`,
    `outbound:\n  - { listen: "127.0.0.1:${outPort}", routes: [{ respond: { body: ok } }] }`,
    `logs:\n  - files: [${folder.folder}/logs/*.log]`,
  ].join("\n");
  const pods: PodProcesses[] = [];
  const start = async (wish: Partial<PodWish>) => {
    const pod = await PodProcesses.start({ form: "native", graceSeconds: 30, config, ...wish }, folder);
    pods.push(pod);
    return pod;
  };
  try {
    await use({ folder, log, appPort, outPort, config }, start);
  } finally {
    for (const pod of pods) await pod.kill();
    await folder.remove();
    givePlace();
  }
}

/** Every call was answered, and every line is on the sidecar's stdout, once. */
function expectNothingLost({ app, sidecar }: PodProcesses): void {
  const calls = app.said("called");
  expect(calls).toEqual(Array(calls.length).fill("ok ok"));
  expect(sidecar.records).toEqual(app.said("wrote"));
  expect(sidecar.count("collector_cut") + sidecar.count("part_not_stopped")).toBe(0);
}

const isReady = async (sidecar: SidecarProcess) => (await fetch(`${sidecar.healthUrl}/ready`)).ok;

describe("a native sidecar", () => {
  test.concurrent("serves the app to its end, unready all the while, and ends right after it", () =>
    inPod(async ({ appPort, outPort, log }, start) => {
      const pod = await start({ tellsForm: true });
      await pod.startApp({
        port: appPort,
        call: { url: `http://127.0.0.1:${outPort}/`, forMs: 6000 },
        log: { path: log, forMs: 6000 },
      });
      expect(await isReady(pod.sidecar)).toBe(true);
      const ending = pod.end();
      await pod.sidecar.event("announcing");
      while (!pod.app.hasEnded) {
        expect(await isReady(pod.sidecar)).toBe(false);
        await Bun.sleep(100);
      }
      const { app, sidecar, appMs, sidecarMs } = await ending;
      expect([app, sidecar]).toEqual([0, 0]);
      expect(appMs).toBeGreaterThan(5900);
      expect(sidecarMs - appMs).toBeLessThan(5000);
      expect(pod.app.said("called").length).toBeGreaterThan(3);
      expectNothingLost(pod);
    }));

  test.concurrent("of a Job lets it complete: its calls answered, its lines delivered, exit code 0, at once", () =>
    inPod(async ({ outPort, log, config }, start) => {
      const pod = await start({ config: config.replace(/inbound:\n.*\n/, ""), tellsForm: true });
      const url = `http://127.0.0.1:${outPort}/`;
      const app = await pod.startApp({ isJob: true, call: { url, forMs: 1000 }, log: { path: log, forMs: 1000 } });
      expect(await app.exited).toBe(0);
      const { sidecar, sidecarMs } = await pod.end();
      expect(sidecar).toBe(0);
      // Less than an announcement, which nobody is there to hear.
      expect(sidecarMs).toBeLessThan(4900);
      expectNothingLost(pod);
    }));

  test.concurrent("stays ready for who asks /drain without ending the pod", () =>
    inPod(async ({ appPort }, start) => {
      const pod = await start({});
      await pod.startApp({ port: appPort });
      await fetch(`${pod.sidecar.healthUrl}/drain`);
      expect(await isReady(pod.sidecar)).toBe(false);
      await until(() => isReady(pod.sidecar), { what: "the end of the announcement", deadlineMs: 12_000 });
    }));
});

const noNetworks = whyNoNetworks(["curl"]);
if (noNetworks !== undefined) process.stderr.write(`SKIPPED: pods with a network of their own: ${noNetworks}\n`);

/** As `inPod`, with a network that only this pod has: the sockets of others on this machine are none of its. */
async function inOwnNetwork(use: (...given: [...Parameters<Parameters<typeof inPod>[0]>, Network]) => Promise<void>) {
  const network = await Network.create();
  try {
    await inPod((place, start) => use(place, (wish) => start({ through: network.words, ...wish }), network));
  } finally {
    await network.end();
  }
}

describe.skipIf(noNetworks !== undefined)("a plain sidecar, asked to stop together with the app,", () => {
  const plain = { form: "plain", tellsForm: true } as const;

  test.concurrent("stays as long as the app calls and writes, then ends early", () =>
    inOwnNetwork(async ({ appPort, outPort, log }, start) => {
      const pod = await start(plain);
      const url = `http://127.0.0.1:${outPort}/`;
      await pod.startApp({ port: appPort, call: { url, forMs: 4000 }, log: { path: log, forMs: 4000 } });
      const { app, sidecar, appMs, sidecarMs } = await pod.end();
      expect([app, sidecar]).toEqual([0, 0]);
      expect(pod.app.said("called").length).toBeGreaterThan(3);
      expect(sidecarMs).toBeGreaterThan(appMs);
      expect(sidecarMs - appMs).toBeLessThan(6000);
      expectNothingLost(pod);
    }));

  test.concurrent("stays for an app that is silent for long and has a socket", () =>
    inOwnNetwork(async ({ appPort, outPort }, start) => {
      const pod = await start(plain);
      const call = { url: `http://127.0.0.1:${outPort}/`, forMs: 200, afterMs: 8000 };
      await pod.startApp({ port: appPort, holdsSocket: true, call });
      const { sidecar, appMs, sidecarMs } = await pod.end();
      expect(sidecar).toBe(0);
      expect(pod.app.said("called").length).toBeGreaterThan(0);
      expect(sidecarMs - appMs).toBeLessThan(6000);
      expectNothingLost(pod);
    }));

  test.concurrent("does not stay longer than the grace for one that does not end", () =>
    inOwnNetwork(async ({ appPort }, start) => {
      const pod = await start({ ...plain, graceSeconds: 6 });
      await pod.startApp({ port: appPort, holdsSocket: true, servesOnMs: 60_000 });
      const { sidecar, sidecarMs } = await pod.end();
      expect(sidecar).toBe(0);
      expect(sidecarMs).toBeLessThan(6000);
    }));

  test.concurrent("that only collects logs stays for the app's last lines", () =>
    inOwnNetwork(async ({ log, config }, start) => {
      const pod = await start({ ...plain, config: config.slice(config.indexOf("logs:")) });
      await pod.startApp({ log: { path: log, forMs: 3000 } });
      const { sidecar, sidecarMs, appMs } = await pod.end();
      expect(sidecar).toBe(0);
      expect(sidecarMs - appMs).toBeLessThan(8000);
      expect(pod.app.said("wrote").length).toBeGreaterThan(3);
      expectNothingLost(pod);
    }));
});

describe("a plain sidecar that nobody told so", () => {
  test.concurrent("stays as long as the app calls", () =>
    inPod(async ({ appPort, outPort, log }, start) => {
      const pod = await start({ form: "plain" });
      const url = `http://127.0.0.1:${outPort}/`;
      await pod.startApp({ port: appPort, call: { url, forMs: 4000 }, log: { path: log, forMs: 4000 } });
      const { sidecar, sidecarMs, appMs } = await pod.end();
      expect(sidecar).toBe(0);
      expect(sidecarMs - appMs).toBeLessThan(6000);
      expectNothingLost(pod);
    }));

  test.concurrent("of a Job ends with 0 when the app asks for /quit, its lines delivered", () =>
    inPod(async ({ log, config }, start) => {
      const adminPort = freePort();
      const pod = await start({
        form: "plain",
        config: `admin: 127.0.0.1:${adminPort}\nshutdown: { quit: true }\n${config}`,
      });
      const app = await pod.startApp({ isJob: true, log: { path: log, forMs: 500 } });
      expect(await app.exited).toBe(0);
      const quit = () => fetch(`http://127.0.0.1:${adminPort}/quit`, { method: "POST" });
      const [asked] = await Promise.all([quit(), quit()]);
      expect([asked.status, await asked.json()]).toEqual([202, { status: "stopping" }]);
      expect(await pod.sidecar.exited).toBe(0);
      expect(pod.sidecar.count("hurried")).toBe(0);
      expectNothingLost(pod);
    }));
});

describe("a sidecar that is killed at the end of the grace", () => {
  test.concurrent("has lost no line: the one after it delivers what was left", () =>
    inPod(async ({ folder, log, config }, start) => {
      const written: string[] = [];
      const write = (count: number) => {
        const lines = Array.from({ length: count }, (_, at) => `line ${written.length + at} ${"x".repeat(200)}`);
        appendFileSync(log, `${lines.join("\n")}\n`);
        written.push(...lines);
      };
      const first = await start({ config: config.slice(config.indexOf("logs:")) });
      write(30_000);
      first.sidecar.signal("SIGTERM");
      write(30_000);
      await first.sidecar.event("draining");
      await first.sidecar.kill();
      await first.sidecar.exited;
      const second = await folder.start();
      await until(() => second.records.at(-1) === written.at(-1), { what: "the last line" });
      expect(await second.stop()).toBe(0);
      // Its last line may be half of one.
      const before = first.sidecar.records.filter(
        (line) => line.length === written[Number(line.split(" ")[1])]?.length,
      );
      const from = written.indexOf(second.records[0]!);
      expect(from).toBeGreaterThanOrEqual(0);
      expect(from).toBeLessThanOrEqual(before.length);
      expect(before).toEqual(written.slice(0, before.length));
      expect(second.records).toEqual(written.slice(from));
    }));
});

describe("an app that starts", () => {
  test.concurrent("late: the sidecar is up and ready without it, and a request waits for it", () =>
    inPod(async ({ appPort }, start) => {
      const pod = await start({});
      for (const path of ["/startup", "/ready", "/live"])
        expect((await fetch(pod.sidecar.healthUrl + path)).status).toBe(200);
      const body = "x".repeat(5000);
      const early = fetch(`http://${pod.sidecar.address("127.0.0.1:0")}/`, {
        method: "POST",
        body,
        headers: { "x-id": "1" },
      });
      await Bun.sleep(1000);
      await pod.startApp({ port: appPort });
      const answer = await early;
      expect([answer.status, await answer.text()]).toEqual([200, "1 5000"]);
      await until(() => pod.got.length > 0);
      expect(pod.got).toEqual(["1"]);
    }));

  test.concurrent("never: requests get 503 with Retry-After in five seconds, and the pod ends at once", () =>
    inPod(async (_, start) => {
      const pod = await start({});
      const url = `http://${pod.sidecar.address("127.0.0.1:0")}/`;
      const startedAt = performance.now();
      const answer = await fetch(url);
      expect(performance.now() - startedAt).toBeGreaterThan(4500);
      expect(performance.now() - startedAt).toBeLessThan(9000);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await answer.json()).toMatchObject({ code: "app_not_started" });
      expect(await isReady(pod.sidecar)).toBe(true);
      const asked = performance.now();
      expect(await pod.sidecar.stop("SIGTERM")).toBe(0);
      expect(performance.now() - asked).toBeLessThan(3000);
    }));

  test.concurrent("and ends before the pod does: requests get 503 app_gone at once", () =>
    inPod(async ({ appPort }, start) => {
      const pod = await start({});
      await pod.startApp({ port: appPort });
      const url = `http://${pod.sidecar.address("127.0.0.1:0")}/`;
      expect((await fetch(url)).status).toBe(200);
      pod.app.signal("SIGTERM");
      await pod.app.exited;
      await fetch(`${pod.sidecar.healthUrl}/drain`);
      const answer = await fetch(url);
      expect([answer.status, answer.headers.get("retry-after"), answer.headers.get("connection")]).toEqual([
        503,
        "1",
        "close",
      ]);
      expect(await answer.json()).toMatchObject({ code: "app_gone" });
    }));
});

test.concurrent("a second SIGTERM ends a native sidecar at once, whatever the app does", () =>
  inPod(async ({ appPort }, start) => {
    const pod = await start({});
    await pod.startApp({ port: appPort });
    const slow = fetch(`http://${pod.sidecar.address("127.0.0.1:0")}/?ms=20000`).catch(() => undefined);
    await until(() => pod.app.lines.includes("asked"), { what: "the request at the app" });
    await fetch(`${pod.sidecar.healthUrl}/drain`);
    pod.sidecar.signal("SIGTERM");
    await pod.sidecar.event("announcing", { after: 1 });
    const asked = performance.now();
    pod.sidecar.signal("SIGTERM");
    expect(await pod.sidecar.exited).toBe(0);
    expect(performance.now() - asked).toBeLessThan(3000);
    expect(pod.sidecar.count("hurried")).toBe(1);
    await slow;
  }));

test.concurrent("SIGINT and SIGTERM in one moment are two signals: neither is lost", () =>
  inPod(async ({ appPort }, start) => {
    const pod = await start({});
    await pod.startApp({ port: appPort });
    pod.sidecar.signal("SIGINT");
    pod.sidecar.signal("SIGTERM");
    expect(await pod.sidecar.exited).toBe(0);
    expect(pod.sidecar.count("hurried")).toBe(1);
  }));

// By itself: it has to be done in 1.5 s, and the others keep the machine busy.
test("a native sidecar ends with 0 in the two seconds that are left when the app took the whole grace, its lines delivered", () =>
  inPod(async ({ appPort, log }, start) => {
    const pod = await start({ graceSeconds: 3 });
    await pod.startApp({ port: appPort, servesOnMs: 60_000, log: { path: log, forMs: 60_000 } });
    const { app, sidecar, appMs, sidecarMs } = await pod.end();
    expect([app, sidecar]).toEqual([137, 0]);
    expect(sidecarMs - appMs).toBeLessThan(2000);
    // What it said of its last lines went with it; they are in the file.
    const written = (await Bun.file(log).text()).split("\n").slice(0, -1);
    expect(pod.sidecar.records).toEqual(written);
  }));
