/** What a container takes away: other users' files, a root to write to, a home, memory. */
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { made, missingOf, numbersIn, sidecarWithout } from "./kit/made.ts";
import { RunningPod } from "./kit/pod.ts";

const collect = "logs: [{ files: [/logs/*.log] }]\n";
const idle = "setInterval(() => {}, 1e6); process.on('SIGTERM', () => process.exit(0));";

test.concurrent("a log that only its app may read is named, and read once it may be", async () => {
  const app = `
    import { appendFileSync, chmodSync } from "node:fs";
    process.umask(0o077);
    for (let n = 1; n <= 100; n++) appendFileSync("/logs/app.log", "line " + n + "\\n");
    setTimeout(() => chmodSync("/logs/app.log", 0o644), 4000);
    ${idle}`;
  await using pod = await RunningPod.start(made({ name: "private", app, config: collect }));
  const sidecar = pod.container("sidecar");
  await sidecar.shows(/"log_path_unreadable".*\/logs\/app\.log.*EACCES/, { descriptor: 2 });
  const metrics = async () => (await fetch(`http://${pod.address}:7411/metrics`)).text();
  const unreadable = /^outrigger_log_files\{.*state="unreadable".*\} 1$/m;
  await until(async () => unreadable.test(await metrics()), { what: "one unreadable file in the metrics" });
  expect(await sidecar.get({ path: "/ready", port: "outrigger" })).toBe(200);
  await sidecar.shows(/^line 100$/m);
  expect(missingOf(numbersIn(sidecar.output()), 100)).toEqual([]);
});

const filter = `
import { defineFilter } from "outrigger";
export default defineFilter({
  phase: "shape",
  response(x) { x.response.setHeader("x-hello", "from a filter"); },
});
`;

test.concurrent("no state, no /tmp, a user without a name: requests are carried all the same, by a filter too", async () => {
  const app = `Bun.serve({ hostname: "127.0.0.1", port: 7878, fetch: () => new Response("Hello") }); ${idle}`;
  const config = `inbound: [{ listen: 8080, to: "http://127.0.0.1:7878" }]\nfilters: [{ use: ./say-hello.ts }]\n`;
  const nobody = "root:x:0:0:root:/root:/sbin/nologin\n";
  const without = sidecarWithout("state");
  const sidecar = {
    volumeMounts: [...without.volumeMounts!, { name: "config", subPath: "passwd", mountPath: "/etc/passwd" }],
    securityContext: {
      runAsUser: 54321,
      runAsGroup: 54321,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
  const files = { "say-hello.ts": filter, passwd: nobody };
  await using pod = await RunningPod.start(made({ name: "bare", app, config, files, sidecar }));
  const answer = await fetch(`http://${pod.address}:8080/`);
  expect([answer.headers.get("x-hello"), await answer.text()]).toEqual(["from a filter", "Hello"]);
  const ends = await pod.stop();
  expect(ends.sidecar!.code).toBe(0);
});

test.concurrent("logs without a place for state are a fault that says what is missing", async () => {
  const sidecar = sidecarWithout("state");
  const starting = RunningPod.start(
    made({
      name: "stateless",
      app: idle,
      config: collect,
      sidecar: {
        ...sidecar,
        startupProbe: { httpGet: { path: "/startup", port: "outrigger" }, periodSeconds: 1, failureThreshold: 4 },
      },
    }),
  );
  await expect(starting).rejects.toThrow(
    /\/var\/lib\/outrigger cannot be written.*write state: with a folder that can be written/s,
  );
});

test.concurrent("an app that is killed at its memory limit: its last lines arrive, the sidecar lives", async () => {
  const app = `
    import { appendFileSync } from "node:fs";
    for (let n = 1; n <= 1000; n++) appendFileSync("/logs/app.log", "line " + n + "\\n");
    const kept = [];
    for (;;) kept.push(Buffer.alloc(1 << 20, 1));`;
  await using pod = await RunningPod.start(made({ name: "greedy", app, config: collect }));
  const end = await pod.container("app").ended(60_000);
  // Nobody but the kernel sends this KILL; that it was for memory, podman does not always hear in time.
  expect(end?.code).toBe(137);
  const sidecar = pod.container("sidecar");
  await sidecar.shows(/^line 1000$/m);
  expect(missingOf(numbersIn(sidecar.output()), 1000)).toEqual([]);
  expect((await sidecar.state()).running).toBe(true);
});

test.concurrent("the sidecar stays within 128 MiB while 40 MB of lines pass as fast as they can", async () => {
  const lines = 200_000;
  const app = `
    import { appendFileSync } from "node:fs";
    const rest = " ".padEnd(190, "x");
    for (let n = 1; n <= ${lines}; n += 1000) {
      appendFileSync("/logs/app.log", Array.from({ length: 1000 }, (_, i) => "line " + (n + i) + rest + "\\n").join(""));
    }
    ${idle}`;
  const sidecar = { resources: { limits: { memory: "128Mi", cpu: "1" } } };
  await using pod = await RunningPod.start(made({ name: "narrow", app, config: collect, sidecar }));
  const beside = pod.container("sidecar");
  await beside.shows(new RegExp(`^line ${lines} x`, "m"), { within: 60_000 });
  const numbers = [...beside.output().matchAll(/^line (\d+) x+$/gm)].map(([, number]) => Number(number));
  expect(missingOf(numbers, lines)).toEqual([]);
  expect((await beside.state()).running).toBe(true);
});
