/** The samples' apps for a cluster: valid, restricted with the sidecar in, and with configurations that fit them. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatFaults, inspectConfig } from "../../src/config/load.ts";
import { inject } from "../../src/injector/inject.ts";
import { splitDocuments } from "../../src/injector/manifest.ts";
import { containersOf, dig } from "../../src/injector/pod.ts";
import { podIn } from "../../src/injector/workloads.ts";
import { fetchSchemas, KubernetesSchema, schemaVersions } from "../kit/kubernetes-schema.ts";
import { podSecurityFaults, restrictedChecks } from "../kit/pod-security.ts";

const samples = join(import.meta.dirname, "../../samples");
const files = [...new Bun.Glob("*/{app,caller,job,capture}.yaml").scanSync({ cwd: samples })].sort();

function textOf(file: string): string {
  return readFileSync(join(samples, file), "utf8");
}

function objectsIn(file: string) {
  return splitDocuments(file, textOf(file)).flatMap(({ objects }) => objects);
}

/** As the webhook meets it in a namespace that opted in, where the pod security standard is not. */
function webhookInjects(file: string) {
  const { kind, value } = objectsIn(file).find((one) => one.kind !== "Service")!;
  const surroundings = { namespace: "demo", namespaceLabels: { "outrigger.dev/inject": "enabled" } };
  return inject(podIn(kind, value), { ...surroundings, requireOptIn: true, owner: kind });
}

let schemas: KubernetesSchema[] = [];
beforeAll(async () => {
  if (await fetchSchemas()) schemas = schemaVersions.map((version) => new KubernetesSchema(version));
}, 400_000);

test("there are those that docs/kubernetes.md applies", () => {
  expect(files).toEqual([
    "collect-logs/app.yaml",
    "forward-requests/app.yaml",
    "forward-requests/caller.yaml",
    "intercept-requests/app.yaml",
    "intercept-requests/capture.yaml",
    "intercept-requests/job.yaml",
  ]);
});

describe.each(files)("samples/%s", (file) => {
  test("is valid, before and after", () => {
    for (const schema of schemas) {
      for (const { value } of objectsIn(file)) expect(schema.faults(value)).toEqual([]);
      const pod = webhookInjects(file).pod as object;
      expect(schema.faults({ ...pod, apiVersion: "v1", kind: "Pod" })).toEqual([]);
    }
  });

  test("is restricted with its sidecar, but for capture's init container", () => {
    const faults = podSecurityFaults(webhookInjects(file).pod, restrictedChecks);
    const isCaptured = file.endsWith("capture.yaml");
    expect(faults.filter((one) => !(isCaptured && one.includes(" outrigger-redirect: ")))).toEqual([]);
    expect(faults.length > 0).toBe(isCaptured);
  });

  test("gets the sidecar from the webhook, unless it opted out", () => {
    const { outcome, reason, pod, warnings } = webhookInjects(file);
    const isCaller = file.endsWith("caller.yaml");
    expect([outcome, reason?.code]).toEqual(isCaller ? ["skipped", "opted_out"] : ["injected", undefined]);
    expect(containersOf(pod).some(({ name }) => name === "outrigger")).toBe(!isCaller);
    expect(warnings.filter((one) => !/NET_ADMIN|listens on every address|leads? /.test(one))).toEqual([]);
  });
});

test("a captured app's configuration is right", async () => {
  const annotations = dig(objectsIn("intercept-requests/capture.yaml")[0]!.value, "metadata", "annotations");
  const text = (annotations as Record<string, string>)["outrigger.dev/config"]!;
  const result = await inspectConfig("outrigger.yaml", { env: {}, text, keepReferences: true });
  expect(result.ok === false ? formatFaults(result.faults) : "").toBe("");
});

/** The program that stands in a manifest's command, run on this machine with other variables. */
async function runProgram(file: string, env: Record<string, string>) {
  const { container } = containersOf(podIn("Job", objectsIn(file)[0]!.value))[0]!;
  const [, , program] = dig(container, "command") as string[];
  const child = Bun.spawn([process.execPath, "-e", program!], { env: { ...process.env, ...env }, stdout: "pipe" });
  return { out: await child.stdout.text(), code: await child.exited };
}

describe("caller.yaml", () => {
  test("counts answers, and failures, which it says and fails for", async () => {
    let count = 0;
    using app = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("Hello") });
    using failing = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => (++count === 2 ? new Response("no", { status: 503 }) : new Response("Hello")),
    });
    const caller = (URL: string) => runProgram("forward-requests/caller.yaml", { URL, SECONDS: "0.6" });
    const good = await caller(app.url.href);
    expect(good).toEqual({ out: expect.stringMatching(/^[1-9]\d* answers, 0 failures\n$/), code: 0 });
    const bad = await caller(failing.url.href);
    expect(bad).toEqual({ out: expect.stringMatching(/ Error: 503 no\n[1-9]\d* answers, 1 failures\n$/), code: 1 });
    const none = await caller("http://127.0.0.1:1/");
    expect(none).toEqual({ out: expect.stringMatching(/\n0 answers, [1-9]\d* failures\n$/), code: 1 });
  }, 30_000);
});
