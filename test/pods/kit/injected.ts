/** Pods that `outrigger inject` makes of manifests that know nothing of the sidecar, which is then the container `outrigger`. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { type Container, type Manifests, manifestsIn, type PodManifest } from "./manifest.ts";

const root = join(import.meta.dirname, "../../..");
const samples = join(root, "samples");

/** What is injected. */
export interface Plain {
  /** Manifests without a sidecar. */
  manifest: string;
  /** outrigger.yaml; left out where the manifest says where it is. */
  config?: string;
  /** Further words of `outrigger inject`. */
  words?: readonly string[];
}

/** Runs the command itself; gives the pod it makes. Throws with what the command complains of. */
export function injected({ manifest, config, words = [] }: Plain): Manifests {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-injected-"));
  try {
    writeFileSync(join(folder, "app.yaml"), manifest);
    if (config !== undefined) writeFileSync(join(folder, "outrigger.yaml"), config);
    const files = ["-f", join(folder, "app.yaml"), ...(config === undefined ? [] : ["-c", `${folder}/outrigger.yaml`])];
    const command = [process.execPath, join(root, "src/main.ts"), "inject", ...files, ...words];
    const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: root });
    if (exitCode !== 0) throw new Error(`outrigger inject: exit code ${exitCode}\n${stderr}`);
    return manifestsIn(stdout.toString(), "what outrigger inject prints");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A sample's app, as it is without its sidecar, injected with the sample's configuration. */
export function injectedSample(sample: string, lifecycle: "native" | "plain"): Manifests {
  const folder = join(samples, sample);
  const own = join(folder, "app.yaml");
  const written = splitSample(readFileSync(join(folder, "pod.yaml"), "utf8"));
  const manifest = existsSync(own) ? readFileSync(own, "utf8") : stringify(written.app);
  const env = (written.sidecar.env ?? []).map(({ name, value }) => `${name}=${value}`).join(",");
  const words = ["--lifecycle", lifecycle, ...(env === "" ? [] : ["--set", `env=${env}`])];
  return injected({ manifest, config: readFileSync(join(folder, "outrigger.yaml"), "utf8"), words });
}

/** The pod of a sample in its two parts: the app as its team would deploy it, and the sidecar written by hand. */
function splitSample(text: string): { app: PodManifest; sidecar: Container } {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as PodManifest & { kind: string });
  const app = documents.find(({ kind }) => kind === "Pod");
  const [sidecar] = (app?.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  if (app === undefined || sidecar === undefined) throw new Error("the sample's pod has no native sidecar");
  const { spec } = app;
  const initContainers = spec.initContainers?.filter((one) => one !== sidecar) ?? [];
  const volumes = spec.volumes?.filter(({ name }) => !name.startsWith("outrigger-")) ?? [];
  return { app: { ...app, spec: { ...spec, initContainers, volumes } }, sidecar };
}
