/** `deploy/`: one source, valid, restricted, and in agreement with the code it runs. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import manifest from "../../package.json" with { type: "json" };
import { itemsOf, memberOf } from "../../src/config/raw.ts";
import { injectLabel } from "../../src/injector/annotations.ts";
import { decide, systemNamespaces } from "../../src/injector/decide.ts";
import { dig } from "../../src/injector/pod.ts";
import { certificateSecret, configurationName, rights } from "../../src/injector/rights.ts";
import { podIn } from "../../src/injector/workloads.ts";
import { main } from "../../src/main.ts";
import { program } from "../kit/commands.ts";
import {
  calledFor,
  found,
  installObjects,
  type KubernetesObject,
  kustomized,
  objectsOf,
  placeOf,
  selects,
} from "../kit/deployment.ts";
import { fetchSchemas, KubernetesSchema, schemaVersions } from "../kit/kubernetes-schema.ts";
import { podSecurityFaults, podSecurityLevel, restrictedChecks } from "../kit/pod-security.ts";

const kubectl = program("kubectl", "the overlays are not rendered");
const root = join(import.meta.dirname, "../..");
const install = installObjects();
const deployment = found(install, "Deployment outrigger-system/outrigger-webhook");
const configuration = found(install, `MutatingWebhookConfiguration ${configurationName}`);
const template = dig(deployment, "spec", "template");
const container = itemsOf(dig(template, "spec"), "containers")[0];
const podLabels = dig(template, "metadata", "labels") as Record<string, string>;
const overlays = ["strict", "registry", "cert-manager"];

/** Every rendered variant by its name. */
const variants = new Map<string, KubernetesObject[]>([["install.yaml", install]]);
let schemas: KubernetesSchema[] = [];

beforeAll(async () => {
  if (kubectl !== undefined) for (const one of overlays) variants.set(one, await kustomized(`overlays/${one}`));
  if (await fetchSchemas()) schemas = schemaVersions.map((version) => new KubernetesSchema(version));
}, 400_000);

describe("install.yaml", () => {
  test.skipIf(kubectl === undefined)("is what kubectl makes of the base", async () => {
    const sorted = (objects: KubernetesObject[]) => objects.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    expect(sorted(await kustomized("base"))).toEqual(sorted(install));
  });

  test("makes the namespace first and calls nobody before there is a Deployment", () => {
    const kinds = install.map(({ kind }) => kind);
    expect(kinds[0]).toBe("Namespace");
    expect(kinds.at(-1)).toBe("MutatingWebhookConfiguration");
    expect(new Set(install.map(placeOf)).size).toBe(install.length);
  });

  test("reads the same in YAML 1.1 and 1.2", () => {
    const text = readFileSync(join(root, "deploy/install.yaml"), "utf8");
    const newer = parseAllDocuments(text, { version: "1.2" }).map((document) => document.toJS());
    expect(newer).toEqual(objectsOf("install.yaml", text));
  });
});

test("every object is valid for the oldest and the newest Kubernetes, strictly", () => {
  for (const [variant, objects] of variants) {
    for (const schema of schemas) {
      for (const object of objects) {
        const foreign = String(object.apiVersion).startsWith("cert-manager.io/");
        expect({ variant, place: placeOf(object), faults: schema.faults(object) }).toEqual({
          variant,
          place: placeOf(object),
          faults: foreign ? undefined : [],
        });
      }
    }
  }
});

test("pods are restricted, and their namespace wants them so", () => {
  for (const objects of variants.values()) {
    const workload = objects.find(({ kind }) => kind === "Deployment")!;
    const pod = podIn("Deployment", workload);
    expect(podSecurityFaults(pod, restrictedChecks)).toEqual([]);
    expect(podSecurityLevel(pod)).toBe("restricted");
    expect(dig(container, "securityContext", "readOnlyRootFilesystem")).toBe(true);
  }
  const labels = dig(found(install, "Namespace outrigger-system"), "metadata", "labels");
  expect(labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
});

describe("selectors", () => {
  const selectors = [
    dig(deployment, "spec", "selector"),
    { matchLabels: dig(found(install, "Service outrigger-system/outrigger-webhook"), "spec", "selector") },
    dig(found(install, "PodDisruptionBudget outrigger-system/outrigger-webhook"), "spec", "selector"),
    dig(found(install, "NetworkPolicy outrigger-system/outrigger-webhook"), "spec", "podSelector"),
    ...itemsOf(dig(template, "spec"), "topologySpreadConstraints").map((one) => memberOf(one, "labelSelector")),
  ];

  test("find the pods, by labels that never change", () => {
    expect(selectors).toHaveLength(6);
    for (const selector of selectors) {
      expect(selector).toEqual({
        matchLabels: { "app.kubernetes.io/name": "outrigger", "app.kubernetes.io/component": "webhook" },
      });
      expect(selects(selector, podLabels)).toBe(true);
      expect(selects(selector, { ...podLabels, "app.kubernetes.io/component": "other" })).toBe(false);
    }
  });

  test("every object has the labels of the convention", () => {
    for (const [variant, objects] of variants) {
      for (const object of objects)
        expect({ variant, ...(dig(object, "metadata", "labels") as object) }).toMatchObject({
          "app.kubernetes.io/name": "outrigger",
          "app.kubernetes.io/part-of": "outrigger",
        });
    }
  });
});

describe("the webhook configuration", () => {
  const called = (namespace: string, ofNamespace: string | undefined, ofPod: string | undefined) =>
    calledFor(
      configuration,
      namespace,
      ofNamespace === undefined ? {} : { [injectLabel]: ofNamespace },
      ofPod === undefined ? {} : { [injectLabel]: ofPod },
    );

  test("calls for pods that ask, by their namespace or themselves, and for none that opts out", () => {
    const [byNamespace, byPod] = [["namespaces.outrigger.dev"], ["pods.outrigger.dev"]];
    expect(called("shop", "enabled", undefined)).toEqual(byNamespace);
    expect(called("shop", "enabled", "true")).toEqual(byNamespace);
    expect(called("shop", "enabled", "false")).toEqual([]);
    expect(called("shop", undefined, undefined)).toEqual([]);
    expect(called("shop", undefined, "true")).toEqual(byPod);
    expect(called("shop", "disabled", "true")).toEqual(byPod);
    expect(called("shop", undefined, "false")).toEqual([]);
    expect(called("shop", undefined, "yes")).toEqual(byPod); // refused, in words
  });

  test("never leaves out a pod that would be injected, and never calls twice", () => {
    for (const namespace of ["shop", ...systemNamespaces]) {
      for (const ofNamespace of [undefined, "enabled", "disabled"]) {
        for (const ofPod of [undefined, "true", "false", "yes"]) {
          const pod = { metadata: { labels: ofPod === undefined ? {} : { [injectLabel]: ofPod } } };
          const namespaceLabels: Record<string, string> =
            ofNamespace === undefined ? {} : { [injectLabel]: ofNamespace };
          const isMeant = decide(pod, { namespace, namespaceLabels, requireOptIn: true }) === undefined;
          const calls = called(namespace, ofNamespace, ofPod).length;
          expect(calls).toBeLessThanOrEqual(1);
          if (isMeant) expect(calls).toBe(1);
        }
      }
    }
  });

  test("calls for nothing in Kubernetes' namespaces and ours", () => {
    for (const namespace of systemNamespaces) expect(called(namespace, "enabled", "true")).toEqual([]);
    expect(podLabels[injectLabel]).toBe("false");
  });

  test("says what a webhook must say", () => {
    const service = { name: "outrigger-webhook", namespace: "outrigger-system", path: "/inject", port: 443 };
    for (const webhook of itemsOf(configuration, "webhooks")) {
      expect(webhook).toMatchObject({
        admissionReviewVersions: ["v1"],
        clientConfig: { service },
        sideEffects: "NoneOnDryRun",
        reinvocationPolicy: "IfNeeded",
        failurePolicy: "Ignore",
        timeoutSeconds: 5,
      });
      // It is the webhook's: what is applied again must not take it away.
      expect(dig(webhook, "clientConfig", "caBundle")).toBeUndefined();
      expect(memberOf(webhook, "rules")).toEqual([
        { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"], scope: "Namespaced" },
      ]);
    }
  });
});

describe("the Deployment", () => {
  const args = itemsOf(container, "args").map(String);

  test("runs this version, and injects it", () => {
    const image = `outrigger:${manifest.version}`;
    expect(memberOf(container, "image")).toBe(image);
    expect(memberOf(container, "imagePullPolicy")).toBe("IfNotPresent");
    expect(args).toEqual(["webhook", `--image=${image}`]);
    expect(podLabels["app.kubernetes.io/version"]).toBe(manifest.version);
  });

  test("stays for its requests while it leaves", () => {
    expect(Number(dig(template, "spec", "terminationGracePeriodSeconds"))).toBeGreaterThan(20);
    expect(dig(deployment, "spec", "replicas")).toBe(2);
    expect(dig(deployment, "spec", "strategy", "rollingUpdate", "maxUnavailable")).toBe(0);
  });

  test("its arguments are understood in every variant", async () => {
    for (const [variant, objects] of variants) {
      const workload = objects.find(({ kind }) => kind === "Deployment")!;
      const [one] = itemsOf(dig(workload, "spec", "template", "spec"), "containers");
      let told = "";
      const tell = (text: string | Uint8Array) => {
        told += text;
      };
      const clock = { now: () => 0, wall: () => 0 };
      const io = { env: {}, clock, random: () => 0, colours: false, out: tell, err: tell };
      // One more mistake, so that it does not start: nothing else may be wrong.
      const code = await main([...itemsOf(one, "args").map(String), "--grace=never", "--api-server=https://x"], io);
      expect({ variant, code, faults: told.trim().split("\n") }).toEqual({
        variant,
        code: 2,
        faults: [expect.stringContaining("--grace")],
      });
    }
  });

  test("has ports and probes where it listens", () => {
    expect(memberOf(container, "ports")).toEqual([
      { name: "webhook", containerPort: 8443 },
      { name: "health", containerPort: 7411 },
    ]);
    for (const [probe, path] of [
      ["startupProbe", "/startup"],
      ["readinessProbe", "/ready"],
      ["livenessProbe", "/live"],
    ])
      expect(dig(container, probe!, "httpGet")).toEqual({ path, port: "health" });
    const service = found(install, "Service outrigger-system/outrigger-webhook");
    expect(itemsOf(memberOf(service, "spec"), "ports")[0]).toMatchObject({ port: 443, targetPort: "webhook" });
  });

  test("finds its Secret, empty", () => {
    const secret = found(install, `Secret outrigger-system/${certificateSecret}`);
    expect("data" in secret || "stringData" in secret).toBe(false);
  });
});

describe.skipIf(kubectl === undefined)("the overlay", () => {
  test("strict refuses where the base lets through", () => {
    const webhooks = itemsOf(found(variants.get("strict")!, "MutatingWebhookConfiguration outrigger"), "webhooks");
    expect(webhooks.map((one) => memberOf(one, "failurePolicy"))).toEqual(["Fail", "Fail"]);
  });

  test("registry leads the webhook and the sidecars to one image", () => {
    const workload = found(variants.get("registry")!, "Deployment outrigger-system/outrigger-webhook");
    const [one] = itemsOf(dig(workload, "spec", "template", "spec"), "containers");
    const image = "registry.example/outrigger:0.1.0";
    expect([memberOf(one, "image"), itemsOf(one, "args")[1]]).toEqual([image, `--image=${image}`]);
  });

  test("cert-manager gives the webhook its files, and takes the rights to make them", () => {
    const objects = variants.get("cert-manager")!;
    const text = JSON.stringify(objects);
    expect(objects.map(placeOf).filter((place) => /certificate$/.test(place))).toEqual([]);
    for (const { resource } of rights.filter(({ forCertificate }) => forCertificate))
      expect(text).not.toContain(`"resources":["${resource}"]`);
    const issued = dig(found(objects, "Certificate outrigger-system/outrigger-webhook"), "spec");
    const workload = found(objects, "Deployment outrigger-system/outrigger-webhook");
    const [volume] = itemsOf(dig(workload, "spec", "template", "spec"), "volumes");
    expect(dig(volume, "secret", "secretName")).toBe(memberOf(issued, "secretName"));
    expect(itemsOf(issued, "dnsNames")).toContain("outrigger-webhook.outrigger-system.svc");
  });
});
