/** What is read of a pod's manifest. Everything else in it would be left out silently, so keys that are not known are refused. */
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

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

export interface SecurityContext {
  runAsNonRoot?: boolean;
  runAsUser?: number;
  runAsGroup?: number;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  capabilities?: { drop?: string[]; add?: string[] };
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
  env?: { name: string; value: string }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  lifecycle?: { preStop: { httpGet: HttpGet } };
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: SecurityContext;
  volumeMounts?: VolumeMount[];
}

export interface Volume {
  name: string;
  emptyDir?: { medium?: "Memory"; sizeLimit?: string };
  configMap?: { name: string };
}

export interface PodSpec {
  terminationGracePeriodSeconds?: number;
  restartPolicy?: string;
  securityContext?: SecurityContext & { seccompProfile?: unknown; supplementalGroups?: number[] };
  initContainers?: Container[];
  containers: Container[];
  volumes?: Volume[];
}

export interface PodManifest {
  metadata: { name: string };
  spec: PodSpec;
}

/** A pod and the contents of the ConfigMaps that stand beside it, by name. */
export interface Manifests {
  pod: PodManifest;
  configMaps: Record<string, Record<string, string>>;
}

const containerKeys = [
  ["name", "image", "imagePullPolicy", "restartPolicy", "command", "args", "env", "ports", "startupProbe"],
  ["readinessProbe", "livenessProbe", "lifecycle", "resources", "securityContext", "volumeMounts"],
].flat();
const specKeys = [
  ["terminationGracePeriodSeconds", "restartPolicy", "securityContext", "initContainers", "containers", "volumes"],
].flat();

function refuseUnknown(what: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Error(`${what} says ${unknown.join(", ")}, which these tests do not act on`);
}

/** Checks that all of it is acted on. */
export function known(pod: PodManifest): PodManifest {
  refuseUnknown(pod.metadata.name, pod.spec, specKeys);
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    refuseUnknown(container.name, container, containerKeys);
  }
  return pod;
}

interface Document {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
}

/** Reads a file with one Pod and any number of ConfigMaps. */
export function readManifests(file: string): Manifests {
  const documents: Document[] = parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS());
  const pod = documents.find(({ kind }) => kind === "Pod");
  if (pod === undefined) throw new Error(`${file} has no Pod`);
  const maps = documents.filter(({ kind }) => kind === "ConfigMap");
  const configMaps = Object.fromEntries(maps.map(({ metadata, data = {} }) => [metadata.name, data]));
  return { pod: known(pod as unknown as PodManifest), configMaps };
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
