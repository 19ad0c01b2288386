/** What is read of a pod's manifest. Everything else in it would be left out silently, so keys that are not known are refused. */
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import { podIn } from "../../../src/injector/workloads.ts";

export interface HttpGet {
  path: string;
  /** A number, or the name of a port of the container. */
  port: number | string;
}

export interface Probe {
  httpGet: HttpGet;
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
}

/** A field of the pod, which the downward API gives: `metadata.name`, `metadata.annotations['a/b']`. */
export interface FieldRef {
  fieldPath: string;
}

export interface Variable {
  name: string;
  value?: string;
  valueFrom?: { fieldRef: FieldRef };
}

export interface SecurityContext {
  runAsNonRoot?: boolean;
  runAsUser?: number;
  runAsGroup?: number;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  capabilities?: { drop?: string[]; add?: string[] };
  /** RuntimeDefault is what podman does unasked. */
  seccompProfile?: { type: "RuntimeDefault" };
}

export interface PodSecurityContext extends SecurityContext {
  supplementalGroups?: number[];
  /** Group of the volumes, and a group of every container. */
  fsGroup?: number;
}

/** What a container does once it is started (the kubelet waits for its end), and before it is told to stop. */
export interface Hooks {
  postStart?: { exec: { command: string[] } };
  preStop?: { httpGet?: HttpGet; sleep?: { seconds: number } };
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  /** A file or folder within the volume. */
  subPath?: string;
  readOnly?: boolean;
}

export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: string;
  restartPolicy?: "Always";
  command?: string[];
  args?: string[];
  env?: Variable[];
  ports?: { name?: string; containerPort: number; protocol?: "TCP" }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  lifecycle?: Hooks;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: SecurityContext;
  /** Of what a container leaves behind, only its exit code is read here. */
  terminationMessagePolicy?: "File" | "FallbackToLogsOnError";
  volumeMounts?: VolumeMount[];
}

export interface Volume {
  name: string;
  emptyDir?: { medium?: "Memory"; sizeLimit?: string };
  configMap?: ConfigMapSource;
  downwardAPI?: DownwardSource;
  /** Several sources in one folder. A token is none of them: there is nobody to issue it. */
  projected?: { sources: { configMap?: ConfigMapSource; downwardAPI?: DownwardSource }[] };
}

/** Without `items`, every key is a file of its name. */
export interface ConfigMapSource {
  name: string;
  items?: { key: string; path: string }[];
}

export interface DownwardSource {
  items: { path: string; fieldRef: FieldRef }[];
}

export interface PodSpec {
  terminationGracePeriodSeconds?: number;
  restartPolicy?: string;
  securityContext?: PodSecurityContext;
  initContainers?: Container[];
  containers: Container[];
  volumes?: Volume[];
}

export interface PodManifest {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

/** A pod and the contents of the ConfigMaps that stand beside it, by name. */
export interface Manifests {
  pod: PodManifest;
  configMaps: Record<string, Record<string, string>>;
}

/** By where they stand, the keys that are acted on. */
const knownKeys = {
  spec: [
    ["terminationGracePeriodSeconds", "restartPolicy", "securityContext", "initContainers", "containers", "volumes"],
  ].flat(),
  container: [
    ["name", "image", "imagePullPolicy", "restartPolicy", "command", "args", "env", "ports", "startupProbe"],
    ["readinessProbe", "livenessProbe", "lifecycle", "resources", "securityContext", "terminationMessagePolicy"],
    ["volumeMounts"],
  ].flat(),
  security: [
    ["runAsNonRoot", "runAsUser", "runAsGroup", "allowPrivilegeEscalation", "readOnlyRootFilesystem"],
    ["capabilities", "seccompProfile"],
  ].flat(),
  podSecurity: ["supplementalGroups", "fsGroup"],
  probe: ["httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold"],
  hooks: ["postStart", "preStop"],
  postStart: ["exec"],
  preStop: ["httpGet", "sleep"],
  variable: ["name", "value", "valueFrom"],
  valueFrom: ["fieldRef"],
  mount: ["name", "mountPath", "subPath", "readOnly"],
  volume: ["name", "emptyDir", "configMap", "downwardAPI", "projected"],
};

function refuseUnknown(what: string, value: object | undefined, ...known: readonly string[][]): void {
  const unknown = Object.keys(value ?? {}).filter((key) => !known.flat().includes(key));
  if (unknown.length > 0) throw new Error(`${what} says ${unknown.join(", ")}, which these tests do not act on`);
}

function refuseInContainer(container: Container): void {
  const { name, securityContext, lifecycle, env = [], volumeMounts = [] } = container;
  const { startupProbe, readinessProbe, livenessProbe } = container;
  refuseUnknown(name, container, knownKeys.container);
  refuseUnknown(`${name}.securityContext`, securityContext, knownKeys.security);
  for (const probe of [startupProbe, readinessProbe, livenessProbe])
    refuseUnknown(`a probe of ${name}`, probe, knownKeys.probe);
  refuseUnknown(`${name}.lifecycle`, lifecycle, knownKeys.hooks);
  refuseUnknown(`${name}.lifecycle.postStart`, lifecycle?.postStart, knownKeys.postStart);
  refuseUnknown(`${name}.lifecycle.preStop`, lifecycle?.preStop, knownKeys.preStop);
  for (const variable of env) {
    refuseUnknown(`${name}.env ${variable.name}`, variable, knownKeys.variable);
    refuseUnknown(`${name}.env ${variable.name}`, variable.valueFrom, knownKeys.valueFrom);
  }
  for (const mount of volumeMounts) refuseUnknown(`the mount ${mount.mountPath} of ${name}`, mount, knownKeys.mount);
}

/** Checks that all of it is acted on. */
export function known(pod: PodManifest): PodManifest {
  const { initContainers = [], containers, volumes = [], securityContext } = pod.spec;
  refuseUnknown(pod.metadata.name, pod.spec, knownKeys.spec);
  refuseUnknown("spec.securityContext", securityContext, knownKeys.security, knownKeys.podSecurity);
  for (const container of [...initContainers, ...containers]) refuseInContainer(container);
  for (const volume of volumes) refuseUnknown(`volume ${volume.name}`, volume, knownKeys.volume);
  return pod;
}

interface Document {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
}

/** Reads a file with one Pod, or one workload that makes pods, and any number of ConfigMaps. */
export function readManifests(file: string): Manifests {
  return manifestsIn(readFileSync(file, "utf8"), file);
}

/** As `readManifests`, of a text. A pod of a workload is named after it; other objects do not matter to a pod. */
export function manifestsIn(text: string, from: string): Manifests {
  const documents: Document[] = parseAllDocuments(text).map((document) => document.toJS());
  const pods = documents.flatMap((document) => podOf(document) ?? []);
  if (pods.length !== 1) throw new Error(`${from} has ${pods.length} pods instead of one`);
  const maps = documents.filter(({ kind }) => kind === "ConfigMap");
  const configMaps = Object.fromEntries(maps.map(({ metadata, data = {} }) => [metadata.name, data]));
  return { pod: known(pods[0]!), configMaps };
}

function podOf(document: Document): PodManifest | undefined {
  const found = podIn(document.kind, document);
  if (found === undefined) return undefined;
  const pod = found as unknown as PodManifest;
  return { ...pod, metadata: { ...pod.metadata, name: document.metadata.name } };
}

const factors: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** A quantity of memory in bytes: `192Mi`. */
export function bytesOf(quantity: string): number {
  const [, amount, unit] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity) ?? [];
  if (amount === undefined) throw new Error(`${quantity} is no quantity of memory that these tests know`);
  return Number(amount) * (unit === undefined ? 1 : factors[unit]!);
}

/** A quantity of processors: `500m`, `1`. */
export function coresOf(quantity: string): number {
  return quantity.endsWith("m") ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity);
}
