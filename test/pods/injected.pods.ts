/** Pods that `outrigger inject` makes of apps which know nothing of the sidecar, run for real: they do what they did by hand. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { injected, injectedSample, type Plain } from "./kit/injected.ts";
import { missingOf, numbersIn } from "./kit/made.ts";
import { network, podman, RunningPod } from "./kit/pod.ts";
import { often, promises } from "./kit/promises.ts";

const forms = [
  ...Object.keys(promises).map((sample) => [sample, "native"] as const),
  ...["forward-requests", "all-in-one"].map((sample) => [sample, "plain"] as const),
];

describe("samples' apps alone, injected", () => {
  const pods = new Map<string, RunningPod>();

  beforeAll(async () => {
    const left = [...forms];
    const startNext = async (): Promise<void> => {
      for (let form = left.shift(); form !== undefined; form = left.shift()) {
        pods.set(form.join(), await RunningPod.start(injectedSample(form[0], form[1])));
      }
    };
    await Promise.all([startNext(), startNext()]);
  }, 180_000);

  afterAll(async () => {
    await Promise.all([...pods.values()].map((pod) => pod[Symbol.asyncDispose]()));
  }, 60_000);

  test.each(forms)("%s (%s) prints what the tutorial promises", async (...form) => {
    const pod = pods.get(form.join())!;
    for (const promised of promises[form[0]]!) {
      // A Deployment of the app alone has its own name for its one container.
      const app = pod.names().includes(promised.container) ? promised.container : pod.names().at(-1)!;
      await pod.container(promised.isSidecar ? "outrigger" : app).shows(often(promised), { within: 60_000 });
    }
  });

  test("all of them end with 0 when they are told to", async () => {
    const ends = await Promise.all([...pods].map(async ([form, pod]) => [form, await pod.stop()] as const));
    expect(ends.length).toBe(forms.length);
    const bad = ends.flatMap(([form, states]) =>
      Object.entries(states).flatMap(([name, { code, running }]) =>
        running || code !== 0 ? [[form, name, code]] : [],
      ),
    );
    expect(bad).toEqual([]);
  }, 120_000);
});

/** An app of a few lines that stands in its manifest, as a team deploys it. */
function manifestOf(name: string, program: string, { kind = "Pod", annotations = "", podSpec = "", mounts = "" } = {}) {
  const pod = `metadata:
  labels: { app: ${name} }
  annotations: { a: b${annotations} }
spec:
${podSpec}
  securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault }, fsGroup: 4711 }
  containers:
    - name: app
      image: outrigger-samples:0.1.0
      command: [bun, -e, ${JSON.stringify(program)}]
      resources: { limits: { memory: 128Mi, cpu: 500m } }
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
        runAsUser: 10001
        runAsGroup: 10001
      volumeMounts: [{ name: app-tmp, mountPath: /tmp }${mounts}]
  volumes:
    - { name: app-tmp, emptyDir: { medium: Memory, sizeLimit: 16Mi } }
    - { name: app-logs, emptyDir: {} }
`;
  const version = kind === "Pod" ? "v1" : "batch/v1";
  const head = `apiVersion: ${version}\nkind: ${kind}\n`;
  if (kind === "Pod") return `${head}${pod.replace("metadata:", `metadata:\n  name: ${name}`)}`;
  return `${head}metadata: { name: ${name} }\nspec:\n  template:\n${pod.replace(/^/gm, "    ")}`;
}

const atLogs = ", { name: app-logs, mountPath: /logs }";
const collect = "logs: [{ files: [/logs/*.log] }]\n";

test.concurrent("a Job's app ends, and the sidecar after it with 0 and without a line missing", async () => {
  const program = `const { appendFileSync } = require("node:fs");
    process.umask(0o027);
    for (let count = 1; count <= 3000; count++) appendFileSync("/logs/app.log", "line " + count + "\\n");`;
  const more = { kind: "Job", podSpec: "  restartPolicy: Never", mounts: atLogs };
  await using pod = await RunningPod.start(
    injected({ manifest: manifestOf("counting", program, more), config: collect }),
  );
  const ends = await pod.complete();
  expect([ends.app!.code, ends.outrigger!.code]).toEqual([0, 0]);
  expect(missingOf(numbersIn(pod.container("outrigger").output()), 3000)).toEqual([]);
});

test.concurrent("the configuration in an annotation, the pod's fields, and logs that only the volume's group may read", async () => {
  const program = `const { appendFileSync } = require("node:fs");
    process.umask(0o027);
    appendFileSync("/logs/app.log", "from a group\\n");
    process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1e6);`;
  const config = JSON.stringify("logs: [{ files: [/logs/*.log], pod: true, to: [{ stdout: { format: json } }] }]");
  const more = { annotations: `, outrigger.dev/config: ${config}`, mounts: atLogs };
  await using pod = await RunningPod.start(injected({ manifest: manifestOf("told", program, more) }));
  const [line] = await pod.container("outrigger").shows(/^\{.*from a group.*\}$/m);
  expect(line).toContain('"pod":"told"');
  expect(line).toContain('"namespace":"default"');
  expect(line).toContain(pod.address);
  const labels = readFileSync(join(pod.volumes.get("outrigger-podinfo")!, "labels"), "utf8");
  expect(labels).toBe('app="told"\noutrigger.dev/injected="true"');
});

/** Answers at a port; calls `$CALL` for ever and prints the answers. Both are told from the sidecar's by their words. */
function serving(host: string, call = ""): string {
  return `Bun.serve({ hostname: "${host}", port: 7878, fetch: (asked) => new Response("the app at " + new URL(asked.url).pathname) });
    process.on("SIGTERM", () => process.exit(0));
    const call = async (url) => console.log(await fetch(url).then((answer) => answer.text(), (error) => "failed: " + error.code));
    if ("${call}" !== "") setInterval(() => { call("${call}/captured"); call("${call}/elsewhere"); }, 500);`;
}

async function answerOf(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
  return answer.text();
}

const routes = "    routes: [{ match: { path: /captured }, respond: { status: 200, body: by the sidecar } }]\n";

test.concurrent("inbound `service`: the sidecar's port leads to the app, which nobody reaches around it", async () => {
  const config = `inbound:\n  - listen: 8080\n${routes}    to: http://127.0.0.1:7878\n`;
  const plain: Plain = { manifest: manifestOf("served", serving("127.0.0.1")), config };
  await using pod = await RunningPod.start(injected(plain));
  expect(pod.container("outrigger").manifest.ports).toContainEqual(expect.objectContaining({ containerPort: 8080 }));
  expect(await answerOf(`http://${pod.address}:8080/a`)).toBe("the app at /a");
  expect(await answerOf(`http://${pod.address}:8080/captured`)).toBe("by the sidecar");
  expect(answerOf(`http://${pod.address}:7878/a`)).rejects.toThrow();
});

/** Why this kernel redirects nothing; undefined when it does. */
async function whyNoRedirect(): Promise<string | undefined> {
  const rules = "table inet t { chain c { type nat hook output priority -100; meta l4proto tcp redirect to :1; }; }";
  const root = ["--user=0:0", "--cap-drop=all", "--cap-add=net_admin", "--network=none"];
  const words = ["run", "--rm", "--pull=never", ...root, "--entrypoint=nft", "outrigger:0.1.0", rules];
  return podman.run(...words).then(
    () => undefined,
    (error) => String(error),
  );
}

const whyNot = await whyNoRedirect();
if (whyNot !== undefined) process.stderr.write(`SKIPPED: no connection was redirected in a pod, because ${whyNot}\n`);

test.skipIf(whyNot !== undefined).concurrent.each(["native", "plain"])(
  "`redirect`: connections to and from the app pass the sidecar, and it is told of none (%s)",
  async (lifecycle) => {
    using elsewhere = Bun.serve({
      port: 0,
      fetch: ({ url }) => new Response(`the outside at ${new URL(url).pathname}`),
    });
    const { gateway } = (await podman.ask<{ subnets: { gateway: string }[] }[]>("network", "inspect", network))[0]!
      .subnets[0]!;
    const config = `inbound:\n  - listen: 15006\n    capture: true\n${routes}    to: original\noutbound:\n  - listen: 15001\n    capture: true\n${routes}    to: original\n`;
    const manifest = manifestOf("caught", serving("0.0.0.0", `http://${gateway}:${elsewhere.port}`));
    const words = ["--inbound", "redirect", "--capture", "redirect", "--lifecycle", lifecycle];
    await using pod = await RunningPod.start(injected({ manifest, config, words }));
    expect(await answerOf(`http://${pod.address}:7878/a`)).toBe("the app at /a");
    expect(await answerOf(`http://${pod.address}:7878/captured`)).toBe("by the sidecar");
    await pod.container("app").shows(/^by the sidecar$/m);
    await pod.container("app").shows(/^the outside at \/elsewhere$/m);
    expect(pod.container("app").output()).not.toMatch(/the outside at \/captured|failed/);
    const ends = await pod.stop();
    expect(Object.values(ends).map(({ code }) => code)).toEqual([0, 0, 0]);
  },
);
