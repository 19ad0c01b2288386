/**
 * A pod's volumes as the kubelet makes them: an emptyDir is root's and open to all, one with files a folder of links.
 * With `fsGroup`, they are that group's.
 */
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fieldOf, type PodFacts } from "./downward.ts";
import { bytesOf, type ConfigMapSource, type DownwardSource, type Manifests, type Volume } from "./manifest.ts";

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

/** https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go: each file is a link through `..data`. */
function makeFiles(path: string, files: Readonly<Record<string, string>>): void {
  const version = "..2026_01_01_00_00_00.000000001";
  mkdirSync(join(path, version), { recursive: true });
  symlinkSync(version, join(path, "..data"));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, version, name), text);
    symlinkSync(join("..data", name), join(path, name));
  }
}

/** https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/volume_linux.go: the group may write only to an emptyDir. */
function giveToGroup(path: string, group: number, isWritable: boolean): void {
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) lchownSync(file, 0, group);
    else shareWithGroup(file, group, isWritable);
  }
  shareWithGroup(path, group, isWritable);
}

function shareWithGroup(path: string, group: number, isWritable: boolean): void {
  const stats = statSync(path);
  const bits = (isWritable ? 0o660 : 0o440) | (stats.isDirectory() ? 0o2110 : 0);
  chownSync(path, stats.uid, group);
  chmodSync(path, (stats.mode & 0o7777) | bits);
}

class VolumeMaking {
  readonly #manifests: Manifests;
  readonly #facts: PodFacts;

  constructor(manifests: Manifests, facts: PodFacts) {
    this.#manifests = manifests;
    this.#facts = facts;
  }

  make({ name, emptyDir, ...sources }: Volume, path: string): void {
    if (emptyDir !== undefined) makeEmpty(path, emptyDir);
    else makeFiles(path, this.#filesOf(name, sources));
    const group = this.#manifests.pod.spec.securityContext?.fsGroup;
    if (group !== undefined) giveToGroup(path, group, emptyDir !== undefined);
  }

  #filesOf(name: string, { configMap, downwardAPI, projected }: Omit<Volume, "name">): Record<string, string> {
    const all = [...(projected?.sources ?? []), { configMap, downwardAPI }];
    const files = all.map(({ configMap: map, downwardAPI: downward, ...others }) => {
      const unknown = Object.keys(others);
      if (unknown.length > 0)
        throw new Error(`volume ${name} has ${unknown.join(", ")}, which these tests do not make`);
      return { ...(map && this.#keysOf(map)), ...(downward && this.#fieldsOf(downward)) };
    });
    return Object.assign({}, ...files);
  }

  #keysOf({ name, items }: ConfigMapSource): Record<string, string> {
    const data = this.#manifests.configMaps[name];
    if (data === undefined) throw new Error(`there is no ConfigMap ${name}`);
    if (items === undefined) return data;
    return Object.fromEntries(items.map(({ key, path }) => [path, data[key] ?? ""]));
  }

  #fieldsOf({ items }: DownwardSource): Record<string, string> {
    return Object.fromEntries(items.map(({ path, fieldRef }) => [path, fieldOf(this.#facts, fieldRef)]));
  }
}

/** Makes all volumes of a pod below `folder`; gives their paths by name. */
export function makeVolumes(manifests: Manifests, facts: PodFacts, folder: string): Map<string, string> {
  const making = new VolumeMaking(manifests, facts);
  const volumes = manifests.pod.spec.volumes ?? [];
  for (const volume of volumes) making.make(volume, join(folder, volume.name));
  return new Map(volumes.map(({ name }) => [name, join(folder, name)]));
}
