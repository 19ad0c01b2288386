/** A pod's volumes as the kubelet makes them: an emptyDir is root's and open to all, a ConfigMap a folder of links. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesOf, type Manifests, type Volume } from "./manifest.ts";

function makeEmpty(path: string, { medium, sizeLimit }: NonNullable<Volume["emptyDir"]>): void {
  mkdirSync(path);
  if (medium === "Memory") {
    const size = sizeLimit === undefined ? "" : `,size=${bytesOf(sizeLimit)}`;
    const { exitCode, stderr } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `mode=0777${size}`, "tmpfs", path]);
    if (exitCode !== 0) throw new Error(`no tmpfs at ${path}: ${stderr}`);
  }
  // mkdir's mode is cut by our umask; the kubelet's is not.
  chmodSync(path, 0o777);
}

/** https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go: each key is a link through `..data`. */
function makeConfigMap(path: string, data: Record<string, string>): void {
  const version = "..2026_01_01_00_00_00.000000001";
  mkdirSync(join(path, version), { recursive: true });
  symlinkSync(version, join(path, "..data"));
  for (const [key, text] of Object.entries(data)) {
    writeFileSync(join(path, version, key), text);
    symlinkSync(join("..data", key), join(path, key));
  }
}

/** Makes all volumes of a pod below `folder`; gives their paths by name. */
export function makeVolumes({ pod, configMaps }: Manifests, folder: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const { name, emptyDir, configMap } of pod.spec.volumes ?? []) {
    const path = join(folder, name);
    if (emptyDir !== undefined) makeEmpty(path, emptyDir);
    else if (configMap === undefined) throw new Error(`volume ${name} is of a kind that these tests do not make`);
    else if (configMaps[configMap.name] === undefined) throw new Error(`there is no ConfigMap ${configMap.name}`);
    else makeConfigMap(path, configMaps[configMap.name]!);
    paths.set(name, path);
  }
  return paths;
}
