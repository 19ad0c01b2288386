/** The samples' pods are written by hand; what the injector makes of the same app must not fall behind them. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { covers } from "../../src/injector/covers.ts";
import { type Injection, inject } from "../../src/injector/inject.ts";
import { splitDocuments } from "../../src/injector/manifest.ts";
import { containersOf } from "../../src/injector/pod.ts";
import { podSecurityFaults, restrictedChecks } from "../kit/pod-security.ts";

const samples = join(import.meta.dirname, "../../samples");
const folders = readdirSync(samples).filter(
  (name) =>
    readdirSync(samples, { withFileTypes: true }).some((one) => one.name === name && one.isDirectory()) &&
    readdirSync(join(samples, name)).includes("pod.yaml"),
);

interface Container {
  name: string;
  env?: { name: string; value?: string }[];
  ports?: unknown;
  startupProbe?: unknown;
  volumeMounts: { name: string; mountPath: string }[];
  [key: string]: unknown;
}
interface Pod {
  metadata: { name: string; annotations?: Record<string, string> };
  spec: { initContainers?: Container[]; containers: Container[]; volumes: { name: string }[] };
}

/** A sample's pod as it was written, its sidecar, and the pod without it. */
function taken(folder: string, file: string): { sidecar: Container; bare: Pod; config: string } {
  const objects = splitDocuments(file, readFileSync(join(samples, folder, file), "utf8")).flatMap(
    ({ objects }) => objects,
  );
  const config = objects.find(({ kind }) => kind === "ConfigMap")!.value as { data: { "outrigger.yaml": string } };
  const pod = objects.find(({ kind }) => kind === "Pod")!.value as Pod;
  const sidecar = containersOf(pod).find(({ container }) => (container as Container).startupProbe !== undefined)!;
  const bare = structuredClone(pod);
  const isOther = ({ name }: { name: string }) => name !== sidecar.name;
  bare.spec.containers = bare.spec.containers.filter(isOther);
  if (bare.spec.initContainers !== undefined) bare.spec.initContainers = bare.spec.initContainers.filter(isOther);
  bare.spec.volumes = bare.spec.volumes.filter(({ name }) => !name.startsWith("outrigger-"));
  return { sidecar: sidecar.container as Container, bare, config: config.data["outrigger.yaml"] };
}

function injected(
  folder: string,
  file: string,
  lifecycle: string,
): { wanted: Container; result: Injection; made: Container } {
  const { sidecar, bare, config } = taken(folder, file);
  const env = (sidecar.env ?? []).map(({ name, value }) => `${name}=${value}`).join(",");
  const result = inject(bare, { config, set: { lifecycle, "config-map": "x", ...(env === "" ? {} : { env }) } });
  expect(result.faults).toEqual([]);
  const made = containersOf(result.pod).find(({ name }) => name === "outrigger")!.container as Container;
  return { wanted: { ...sidecar, name: "outrigger" }, result, made };
}

describe("what a sample's sidecar has, an injected one has", () => {
  test("(there are samples)", () => expect(folders.length).toBe(5));

  for (const folder of folders) {
    for (const [file, lifecycle] of [
      ["pod.yaml", "native"],
      ["pod-plain.yaml", "plain"],
    ] as const) {
      test(`${folder}/${file}`, () => {
        const { wanted, result, made } = injected(folder, file, lifecycle);
        // The sample's port for requests has a name that a Service may look for; ours has none of those.
        expect(covers(made, { ...wanted, ports: [{ name: "outrigger", containerPort: 7411 }] })).toBe(true);
        const app = (pod: unknown) => containersOf(pod, "containers").filter(({ name }) => name !== "outrigger");
        const before = app(taken(folder, file).bare).map(({ container }) => container);
        expect(app(result.pod).map(({ container }) => container)).toEqual(before);
        const mender = folder === "mend-permissions";
        const faults = podSecurityFaults(result.pod, restrictedChecks).filter(
          (one) => !(mender && / mend-permissions: /.test(one)),
        );
        expect(faults).toEqual([]);
      });
    }
  }

  test("a pod of the samples has its sidecar, and is left alone", () => {
    for (const folder of folders) {
      const [pod] = splitDocuments("x", readFileSync(join(samples, folder, "pod.yaml"), "utf8")).flatMap(
        ({ objects }) => objects.filter(({ kind }) => kind === "Pod"),
      );
      expect(inject(pod!.value).reason?.code).toBe("sidecar_by_hand");
    }
  });
});
