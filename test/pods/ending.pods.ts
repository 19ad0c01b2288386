/** How pods end, for real: the app's last words, Jobs, an app that does not listen, a sidecar that is killed. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { made, missingOf, numbersIn } from "./kit/made.ts";
import { RunningPod } from "./kit/pod.ts";

const collect = "logs: [{ files: [/logs/*.log] }]\n";

/** Writes `line 1`, `line 2` … and says at its end how many they were. */
const writing = `
import { appendFileSync } from "node:fs";
let count = 0;
const write = () => appendFileSync("/logs/app.log", "line " + ++count + "\\n");
const end = () => { console.log("wrote " + count); process.exit(0); };
`;

function wrote(pod: RunningPod): number {
  return Number(/^wrote (\d+)$/m.exec(pod.container("app").output())?.[1]);
}

test.concurrent.each([false, true])(
  "what the app writes for two seconds after its TERM arrives (plain form: %p)",
  async (isPlain) => {
    const app = `${writing}
      setInterval(write, 20);
      process.on("SIGTERM", () => setTimeout(end, 2000));`;
    await using pod = await RunningPod.start(made({ name: "last-words", app, config: collect, isPlain }));
    await pod.container("sidecar").shows(/^line 20$/m);
    const ends = await pod.stop();
    expect([ends.app!.code, ends.sidecar!.code]).toEqual([0, 0]);
    const numbers = numbersIn(pod.container("sidecar").output());
    expect(missingOf(numbers, wrote(pod))).toEqual([]);
    expect(wrote(pod)).toBeGreaterThan(60);
  },
);

test.concurrent("a Job completes: the app ends, the sidecar is told, sends the rest and ends with 0", async () => {
  const app = `${writing} while (count < 5000) write(); end();`;
  await using pod = await RunningPod.start(made({ name: "job", app, config: collect }));
  const ends = await pod.complete();
  expect([ends.app!.code, ends.sidecar!.code]).toEqual([0, 0]);
  expect(missingOf(numbersIn(pod.container("sidecar").output()), 5000)).toEqual([]);
  expect(ends.sidecar!.finishedAt - ends.app!.finishedAt).toBeLessThan(10_000);
});

test.concurrent("an app that does not listen is killed when the grace is over; the sidecar still ends in good order", async () => {
  const app = `${writing} process.on("SIGTERM", () => {}); setInterval(write, 20);`;
  await using pod = await RunningPod.start(made({ name: "deaf", app, config: collect, graceSeconds: 3 }));
  await pod.container("sidecar").shows(/^line 20$/m);
  const before = Date.now();
  // That it ends by itself is asked here, not that it does so within a kubelet's two seconds on a busy machine.
  const ends = await pod.stop({ leastSeconds: 20 });
  expect(ends.app!.code).toBe(137);
  expect(ends.app!.finishedAt - before).toBeGreaterThan(2900);
  expect(ends.sidecar!.code).toBe(0);
  const numbers = numbersIn(pod.container("sidecar").output());
  expect(missingOf(numbers, Math.max(...numbers))).toEqual([]);
  expect(Math.max(...numbers)).toBeGreaterThan(100);
});

test.concurrent("a sidecar that is killed comes back while the app serves, and no line is missing", async () => {
  const app = `${writing}
    setInterval(write, 10);
    Bun.serve({ hostname: "127.0.0.1", port: 7878, fetch: () => new Response("Hello") });
    process.on("SIGTERM", end);`;
  const config = `${collect}inbound: [{ listen: 8080, to: "http://127.0.0.1:7878" }]\n`;
  await using pod = await RunningPod.start(made({ name: "killed", app, config }));
  const sidecar = pod.container("sidecar");
  const ask = async () => (await fetch(`http://${pod.address}:8080/`)).text();
  await sidecar.shows(/^line 50$/m);
  expect(await ask()).toBe("Hello");

  const appBefore = await pod.container("app").state();
  await sidecar.signal("KILL");
  expect((await sidecar.ended(10_000))?.code).toBe(137);
  expect(ask()).rejects.toThrow();
  const seen = Math.max(...numbersIn(sidecar.output()));
  await Bun.sleep(1000);
  await sidecar.startAgain();
  await sidecar.passes(sidecar.manifest.startupProbe!);
  expect(await ask()).toBe("Hello");
  await sidecar.shows(new RegExp(`^line ${seen + 200}$`, "m"));
  expect((await pod.container("app").state()).startedAt).toBe(appBefore.startedAt);

  const ends = await pod.stop();
  expect([ends.app!.code, ends.sidecar!.code]).toEqual([0, 0]);
  const numbers = numbersIn(sidecar.output());
  expect(missingOf(numbers, wrote(pod))).toEqual([]);
  // A second of lines, and what was under way: no more may come twice (docs/delivery.md).
  expect(numbers.length - new Set(numbers).size).toBeLessThan(200);
});

/** Whether a process has a function for TERM: until then, the kernel drops one that is sent to process 1 of a container. */
function takesTerm(pid: number): boolean {
  const caught = /^SigCgt:\t(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${caught}`) & (1n << BigInt(constants.signals.SIGTERM - 1))) !== 0n;
}

test.concurrent("a sidecar that is told to end as soon as it can hear ends, though it has not loaded its command", async () => {
  await using pod = await RunningPod.start(
    made({ name: "early", app: "setInterval(() => {}, 1e6);", config: collect }),
  );
  const sidecar = pod.container("sidecar");
  await sidecar.signal("KILL");
  await sidecar.ended(10_000);
  const pid = await sidecar.prepareAgain();
  const started = sidecar.startAgain();
  while (!takesTerm(pid)) await Bun.sleep(0);
  process.kill(pid, "SIGTERM");
  await started;
  expect((await sidecar.ended(10_000))?.code).toBe(0);
});
