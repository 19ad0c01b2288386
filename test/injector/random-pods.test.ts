/** What holds for every pod: judged by an RFC 6902 library, kubectl, the API's schema and the Pod Security Standards. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { applyPatch, type Operation } from "rfc6902";
import { stringify } from "yaml";
import { type Injection, inject } from "../../src/injector/inject.ts";
import { containersOf, dig } from "../../src/injector/pod.ts";
import { isGuaranteed } from "../../src/injector/resources.ts";
import { uninject } from "../../src/injector/uninject.ts";
import { editYaml } from "../../src/injector/yaml-edit.ts";
import { parseManifest } from "../../src/injector/yaml-text.ts";
import { program, run } from "../kit/commands.ts";
import { fetchSchemas, KubernetesSchema, schemaVersions } from "../kit/kubernetes-schema.ts";
import { podSecurityLevel } from "../kit/pod-security.ts";
import { type Json, randomPod } from "../kit/random-pods.ts";

const runs = { numRuns: 400 };

/** Asserts something of every pod that is injected; fast-check prints the seed and the smallest pod where it fails. */
function forInjected(assertion: (pod: Json, injection: Injection) => void, numRuns = runs.numRuns): void {
  let injected = 0;
  fc.assert(
    fc.property(randomPod, (pod) => {
      const injection = inject(pod);
      if (injection.outcome !== "injected") return;
      injected++;
      assertion(pod, injection);
    }),
    { numRuns },
  );
  // Most are: what is refused is refused for a reason that others of the random settings give.
  expect(injected).toBeGreaterThan(numRuns / 5);
}

function byAnother(pod: unknown, injection: { patch: readonly unknown[] }): unknown {
  const document = structuredClone(pod);
  const errors = applyPatch(document, structuredClone(injection.patch) as Operation[]).filter((one) => one !== null);
  expect(errors).toEqual([]);
  return document;
}

function restore(after: Json, before: Json, key: string): void {
  if (key in before) after[key] = before[key];
  else delete after[key];
}

const ours = ["outrigger", "outrigger-redirect"];

describe("of every pod", () => {
  test("the input is left as it was, refusals and skips make no patch", () => {
    fc.assert(
      fc.property(randomPod, (pod) => {
        const before = structuredClone(pod);
        const { outcome, patch, faults, reason } = inject(pod);
        expect(pod).toEqual(before);
        if (outcome === "injected") expect(patch.length).toBeGreaterThan(5);
        else expect(patch).toEqual([]);
        expect(faults.length > 0).toBe(outcome === "refused");
        expect(reason !== undefined).toBe(outcome === "skipped");
      }),
      runs,
    );
  });

  test("the patch applies with another implementation, to what we say", () => {
    forInjected((pod, injection) => expect(byAnother(pod, injection)).toEqual(injection.pod));
  });

  test("a second injection does nothing", () => {
    forInjected((_, injection) => {
      const again = inject(injection.pod);
      expect([again.outcome, again.patch]).toEqual(["unchanged", []]);
    });
  });

  test("taking it out gives the input back", () => {
    forInjected((pod, injection) => {
      const back = uninject(injection.pod);
      expect(back.pod).toEqual(pod);
      expect(byAnother(injection.pod, back)).toEqual(pod);
    });
  });

  test("the app's containers are as they were, but for mounts and a preStop that were asked for", () => {
    forInjected((pod, injection) => {
      const kept = containersOf(injection.pod).filter(({ name }) => !ours.includes(name));
      expect(kept.map(({ name }) => name)).toEqual(containersOf(pod).map(({ name }) => name));
      const sleeps = dig(pod, "metadata", "annotations", "outrigger.dev/app-pre-stop-sleep") !== undefined;
      for (const { name, list, container } of containersOf(pod)) {
        const after = structuredClone(kept.find((one) => one.name === name)!.container) as Json;
        const before = container as Record<string, unknown>;
        const [was, is] = [before.volumeMounts ?? [], after.volumeMounts ?? []] as [unknown[], unknown[]];
        expect(is.slice(0, was.length)).toEqual(was);
        restore(after, before, "volumeMounts");
        if (sleeps && list === "containers") {
          expect(after.lifecycle).toMatchObject((before.lifecycle ?? {}) as Json);
          restore(after, before, "lifecycle");
        }
        expect(after).toEqual(container as Json);
      }
    });
  });

  test("names are unique and have at most 63 characters, ports' at most 15", () => {
    forInjected((_, injection) => {
      const containers = containersOf(injection.pod).map(({ name }) => name);
      const volumes = ((dig(injection.pod, "spec", "volumes") ?? []) as Json[]).map((one) => String(one.name));
      for (const names of [containers, volumes]) {
        expect(new Set(names).size).toBe(names.length);
        expect(names.every((one) => one.length <= 63)).toBe(true);
      }
      for (const { name, container } of containersOf(injection.pod).filter((one) => ours.includes(one.name))) {
        const { ports = [], volumeMounts = [], env = [] } = container as Record<string, Json[]>;
        for (const list of [
          ports.map((one) => one.name),
          volumeMounts.map((one) => one.mountPath),
          env.map((one) => one.name),
        ])
          expect(`${name} ${new Set(list).size}`).toBe(`${name} ${list.length}`);
        expect(ports.every((one) => String(one.name).length <= 15)).toBe(true);
        expect(volumeMounts.every((one) => volumes.includes(String(one.name)))).toBe(true);
      }
    });
  });

  test("no pod fits a laxer security standard than before, unless it has a redirect", () => {
    const levels = ["privileged", "baseline", "restricted"];
    let restricted = 0;
    forInjected((pod, injection) => {
      if (containersOf(injection.pod).some(({ name }) => name === "outrigger-redirect")) return;
      const [before, after] = [podSecurityLevel(pod), podSecurityLevel(injection.pod)];
      expect(levels.indexOf(after)).toBeGreaterThanOrEqual(levels.indexOf(before));
      if (before === "restricted") restricted++;
    }, 1500);
    expect(restricted).toBeGreaterThan(5);
  });

  test("a Guaranteed pod stays Guaranteed, unless it was told otherwise", () => {
    let guaranteed = 0;
    forInjected((pod, injection) => {
      if (!isGuaranteed(pod)) return;
      guaranteed++;
      const annotations = (dig(pod, "metadata", "annotations") ?? {}) as Json;
      const told = "outrigger.dev/cpu-request" in annotations && "outrigger.dev/cpu-limit" in annotations;
      if (!told && dig(pod, "spec", "resources") === undefined) expect(isGuaranteed(injection.pod)).toBe(true);
    }, 1000);
    expect(guaranteed).toBeGreaterThan(5);
  });

  test("what other webhooks and the API server add is left alone, what they take away comes back", () => {
    forInjected((pod, injection) => {
      // It would go to the other webhook's container as well.
      if (dig(pod, "metadata", "annotations", "outrigger.dev/app-pre-stop-sleep") !== undefined) return;
      const changed = structuredClone(injection.pod) as { spec: Record<string, Json[]> };
      const list = containersOf(changed).find(({ name }) => name === "outrigger")!;
      const sidecar = list.container as Record<string, Json[]> & { restartPolicy?: string };
      // Defaults, a token, another webhook's container, volume and annotation.
      Object.assign(sidecar, { terminationMessagePath: "/dev/termination-log" });
      sidecar.volumeMounts!.push({ name: "kube-api-access", mountPath: "/var/run/other", readOnly: true });
      // It asks for what the app asks, and leaves the pod in its class.
      const { resources } = containersOf(pod, "containers")[0]!.container as Json;
      changed.spec.containers!.push({ name: "of-another-webhook", image: "other", resources });
      changed.spec.volumes!.push({ name: "kube-api-access", emptyDir: {} });
      expect(inject(changed).outcome).toBe("unchanged");
      sidecar.image = "stripped" as never;
      delete sidecar.restartPolicy;
      const repaired = inject(changed);
      expect(repaired.outcome).toBe("injected");
      expect(byAnother(changed, repaired)).toEqual(repaired.pod);
      expect(containersOf(repaired.pod).map(({ name }) => name)).toContain("of-another-webhook");
      expect(inject(repaired.pod).outcome).toBe("unchanged");
    });
  });

  test("as YAML, in block and in flow, the same edits make the same pod", () => {
    forInjected((pod, injection) => {
      for (const options of [
        { indentSeq: true },
        { indentSeq: false },
        { collectionStyle: "flow" },
        { indent: 4 },
      ] as const) {
        const text = stringify(pod, { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false, ...options });
        const plain = parseManifest(text).toJS();
        const wanted = inject(plain);
        expect(parseManifest(editYaml(text, wanted.patch)).toJS()).toEqual(wanted.pod);
        if (options.indent === undefined) expect(wanted.patch).toEqual(injection.patch);
      }
      const json = `${JSON.stringify(pod, null, 2)}\n`;
      expect(JSON.parse(editYaml(json, injection.patch))).toEqual(injection.pod);
    }, 25);
  });
});

describe("of every pod, as Kubernetes sees it", () => {
  let schemas: KubernetesSchema[] = [];

  beforeAll(async () => {
    if (await fetchSchemas()) schemas = schemaVersions.map((version) => new KubernetesSchema(version));
  }, 400_000);

  /** Places in lists may be others; what is wrong with the pod itself is none of our doing. */
  const told = (schema: KubernetesSchema, pod: unknown) =>
    new Set(schema.faults(pod)?.map((fault) => fault.replace(/\/\d+/g, "/#")));

  test("it is as valid as it was", () => {
    if (schemas.length === 0) return; // Said so already.
    forInjected((pod, injection) => {
      for (const schema of schemas) {
        const before = told(schema, pod);
        expect([...told(schema, injection.pod)].filter((fault) => !before.has(fault))).toEqual([]);
      }
    }, 150);
  });

  const kubectl = program("kubectl", "the package kubernetes-client or kubectl has it");

  test.skipIf(kubectl === undefined)("kubectl applies the patch, to what we say", async () => {
    const folder = mkdtempSync(join(tmpdir(), "outrigger-kubectl-"));
    const pods = fc.sample(randomPod, { numRuns: 80 }).filter((pod) => inject(pod).outcome === "injected");
    expect(pods.length).toBeGreaterThan(8);
    for (const [at, pod] of pods.slice(0, 25).entries()) {
      // kubectl wants a name; a pod about to be created may have none.
      const named = { ...pod, metadata: { ...(pod.metadata as Json | undefined), name: "web" } };
      const { patch, pod: wanted } = inject(named);
      const [podFile, patchFile] = [join(folder, `${at}.json`), join(folder, `${at}.patch.json`)];
      writeFileSync(podFile, JSON.stringify(named));
      writeFileSync(patchFile, JSON.stringify(patch));
      const words = ["patch", "--local", "--type=json", "-f", podFile, "--patch-file", patchFile, "-o", "json"];
      const { code, out, err } = await run(kubectl!, words);
      expect(`${code} ${err}`.trim()).toBe("0");
      expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(wanted)));
    }
    rmSync(folder, { recursive: true });
  });
});
