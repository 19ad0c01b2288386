/** docs/kubernetes.md: kubectl understands its commands, its files are there, and its samples can be injected. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAnnotationFault } from "../../src/injector/annotations.ts";
import { inject } from "../../src/injector/inject.ts";
import { containersOf } from "../../src/injector/pod.ts";
import { podIn } from "../../src/injector/workloads.ts";
import { program, run } from "../kit/commands.ts";
import { consoleSteps } from "../kit/console-blocks.ts";
import { objectsOf, placeOf } from "../kit/deployment.ts";
import { fetchSchemas, KubernetesSchema, schemaVersions } from "../kit/kubernetes-schema.ts";
import { podSecurityFaults, restrictedChecks } from "../kit/pod-security.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/kubernetes.md"), "utf8");
const steps = consoleSteps("docs/kubernetes.md", page);
const kubectl = program("kubectl", "the page's commands are not read by it");
const samples = [
  "collect-logs/app.yaml",
  "forward-requests/app.yaml",
  "intercept-requests/app.yaml",
  "intercept-requests/job.yaml",
  "intercept-requests/capture.yaml",
];

/** Nobody listens on port 1: a command that kubectl understands gets as far as the connection. */
async function readByKubectl(command: string): Promise<string> {
  const made = join(tmpdir(), `hello-${process.pid}.yaml`);
  writeFileSync(made, readFileSync(join(root, "samples/forward-requests/app.yaml")));
  const here = command.replace(/> hello\.yaml/, "> /dev/null").replace("hello.yaml", made);
  const words = here.replace(/^kubectl /, "kubectl --server=http://127.0.0.1:1 --request-timeout=2s ");
  const { out, err } = await run("sh", ["-c", `cd '${root}' && ${words}`]);
  rmSync(made);
  return out + err;
}

test("the page shows what it must", () => {
  expect(steps.length).toBeGreaterThan(35);
  const commands = steps.map(({ command }) => command);
  expect(commands.every((command) => command.startsWith("kubectl "))).toBe(true);
  const removal = commands.findIndex((command) => command.includes("delete mutatingwebhookconfiguration"));
  expect(removal).toBeGreaterThan(-1);
  expect(removal).toBeLessThan(commands.findIndex((command) => command.includes("delete -f deploy/install.yaml")));
  for (const sample of samples) expect(page).toContain(`samples/${sample}`);
});

test("every file and folder it names is there", () => {
  const named = [...page.matchAll(/\b(?:deploy|samples)\/[\w./-]+\w/g)].map(([path]) => path);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

describe.skipIf(kubectl === undefined)("kubectl understands", () => {
  for (const { place, command } of steps)
    test(`${place} $ ${command}`, async () => {
      expect(await readByKubectl(command)).toMatch(/connection (to the server 127\.0\.0\.1:1 was )?refused/);
    });

  test("and would not understand a slip", async () => {
    const slips = ["kubectl get pods --lable a=b", "kubectl aply -f x", "kubectl apply -f samples/none.yaml"];
    for (const slip of slips) expect(await readByKubectl(slip)).not.toMatch(/connection .*refused/);
  });
});

describe("a sample for the webhook", () => {
  let schemas: KubernetesSchema[] = [];
  beforeAll(async () => {
    if (await fetchSchemas()) schemas = schemaVersions.map((version) => new KubernetesSchema(version));
  }, 400_000);

  for (const file of samples) {
    const objects = objectsOf(file, readFileSync(join(root, "samples", file), "utf8"));
    const pods = objects.flatMap((one) => podIn(String(one.kind), one) ?? []);

    test(`${file} is valid, alone and injected`, () => {
      for (const schema of schemas) {
        for (const object of objects) expect([placeOf(object), schema.faults(object)]).toEqual([placeOf(object), []]);
        for (const pod of pods) {
          const whole = { apiVersion: "v1", kind: "Pod", ...(inject(pod).pod as object) };
          expect(schema.faults(whole)).toEqual([]);
        }
      }
    });

    test(`${file} has a sidecar after injection, and only capture takes more than restricted gives`, () => {
      expect(pods).toHaveLength(1);
      const { outcome, faults, pod } = inject(pods[0], {
        namespace: "shop",
        requireOptIn: true,
        namespaceLabels: { "outrigger.dev/inject": "enabled" },
      });
      expect({ outcome, faults }).toEqual({ outcome: "injected", faults: [] });
      const names = containersOf(pod, "initContainers").map(({ name }) => name);
      const isCaptured = file.endsWith("capture.yaml");
      expect(names).toEqual(isCaptured ? ["outrigger-redirect", "outrigger"] : ["outrigger"]);
      const others = podSecurityFaults(pod, restrictedChecks).filter((fault) => !/ outrigger-redirect: /.test(fault));
      expect(others).toEqual([]);
      const policies = containersOf(pod).map(
        ({ container }) => (container as { imagePullPolicy?: string }).imagePullPolicy,
      );
      expect(new Set(policies)).toEqual(new Set(["IfNotPresent"]));
    });
  }

  test("the refusal that the page shows is the one there is", () => {
    const wrong = {
      metadata: { annotations: { "outrigger.dev/inbound": "everywhere" } },
      spec: { containers: [{ name: "wrong" }] },
    };
    const [fault] = inject(wrong).faults;
    expect(page).toContain(
      `admission webhook "namespaces.outrigger.dev" denied the request: ${formatAnnotationFault(fault!)}`,
    );
  });
});
