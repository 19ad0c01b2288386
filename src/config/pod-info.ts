/**
 * What Kubernetes tells a container of its pod, through the downward API: environment variables, and files of a
 * downwardAPI volume, which change when labels or annotations do.
 */
import { join } from "node:path";
import type { Environment } from "./references.ts";

export interface PodWish {
  /** Folder of the downwardAPI volume. */
  readonly volume: string;
  /** Which labels become fields: all but those that are made by controllers, or these. */
  readonly labels: boolean | readonly string[];
  readonly annotations: boolean | readonly string[];
}

/** Reads a file; undefined when it is not there. The files that were asked for are watched. */
export type ReadFile = (path: string) => string | undefined;

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/** Fields, and the variables they are taken from: the first that is set. */
const variables: readonly (readonly [field: string, names: readonly string[]])[] = [
  ["pod", ["POD_NAME", "MY_POD_NAME", "K8S_POD_NAME"]],
  ["namespace", ["POD_NAMESPACE", "MY_POD_NAMESPACE", "K8S_NAMESPACE"]],
  ["node", ["NODE_NAME", "MY_NODE_NAME", "K8S_NODE_NAME"]],
  ["service_account", ["POD_SERVICE_ACCOUNT", "MY_POD_SERVICE_ACCOUNT", "SERVICE_ACCOUNT"]],
  ["pod_ip", ["POD_IP", "MY_POD_IP"]],
  ["host_ip", ["HOST_IP", "MY_HOST_IP", "NODE_IP"]],
  ["pod_uid", ["POD_UID", "MY_POD_UID", "K8S_POD_UID"]],
];

/** Labels that change with every rollout and say nothing to people. */
const controllers = new Set(["pod-template-hash", "controller-revision-hash", "pod-template-generation"]);

/** The fields: `pod`, `namespace`, `node` …, `label_app`, `annotation_team`. What is not known is left out. */
export function podFields(wish: PodWish, env: Environment, read: ReadFile): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [field, names] of variables) {
    const value = names.map((name) => env[name]).find((one) => one !== undefined && one !== "");
    if (value !== undefined) fields[field] = value;
  }
  // Kubernetes gives a container the pod's name as its host name, unless it shares the node's network.
  if (env.KUBERNETES_SERVICE_HOST && env.HOSTNAME) fields.pod ??= env.HOSTNAME;
  const namespace = fields.namespace === undefined ? read(namespaceFile)?.trim() : undefined;
  if (namespace) fields.namespace = namespace;
  addChosen(fields, "label", wish.labels, () => read(join(wish.volume, "labels")));
  addChosen(fields, "annotation", wish.annotations, () => read(join(wish.volume, "annotations")));
  return fields;
}

function addChosen(
  fields: Record<string, string>,
  kind: "label" | "annotation",
  chosen: PodWish["labels"],
  read: () => string | undefined,
): void {
  if (chosen === false) return;
  const wanted = (key: string) => (chosen === true ? !controllers.has(key) : chosen.includes(key));
  for (const [key, value] of parsePairs(read() ?? "")) {
    if (wanted(key)) fields[`${kind}_${key.replace(/[^A-Za-z0-9]/g, "_")}`] = value;
  }
}

/** One pair a line, `key="value"`, the value quoted as Go's `%q` does it. Lines of another form are left out. */
export function parsePairs(text: string): [string, string][] {
  return text.split("\n").flatMap((line): [string, string][] => {
    const match = /^([^="\s]+)="((?:[^"\\]|\\.)*)"\s*$/.exec(line);
    return match === null ? [] : [[match[1]!, unquoted(match[2]!)]];
  });
}

const letters: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function unquoted(text: string): string {
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/g,
    (_, byte?: string, short?: string, long?: string, letter = "") => {
      const code = Number.parseInt(byte ?? short ?? long ?? "", 16);
      if (Number.isNaN(code)) return letters[letter] ?? letter;
      return code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
    },
  );
}
