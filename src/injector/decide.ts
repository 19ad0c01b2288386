/** Whether a pod is injected: by its labels, its namespace's, and what it is. */
import { isMap, itemsOf, memberOf, textOf } from "../config/raw.ts";
import { type AnnotationFault, injectedLabel, injectLabel, prefix } from "./annotations.ts";
import { containersOf, dig, metadataMap } from "./pod.ts";

/** Why a pod is left as it is. `code` is stable: metrics and events carry it. */
export interface SkipReason {
  readonly code:
    | "opted_out"
    | "not_opted_in"
    | "system_namespace"
    | "mirror_pod"
    | "windows"
    | "host_network"
    | "sidecar_by_hand"
    | "already_injected";
  readonly sentence: string;
}

/** What is known of the pod beside the pod. */
export interface Surroundings {
  readonly namespace?: string | undefined;
  /** Labels of the namespace, where they are known. */
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
  /** True: the namespace or the pod must ask for it by label. A person who runs `outrigger inject` has asked. */
  readonly requireOptIn?: boolean | undefined;
}

/** Kubernetes' own namespaces, and ours: a webhook that is down must not keep itself down. */
export const systemNamespaces = ["kube-system", "kube-public", "kube-node-lease", "outrigger-system"];

/** The port of health where nothing says otherwise. */
export const defaultHealthPort = 7411;

/** Why the pod is skipped; undefined when it is injected. */
export function decide(pod: unknown, around: Surroundings): SkipReason | undefined {
  return mirror(pod) ?? byLabels(pod, around) ?? bySystem(pod) ?? byHand(pod);
}

/** What is wrong with labels under our prefix. */
export function labelFaults(pod: unknown): AnnotationFault[] {
  const labels = Object.entries(metadataMap(pod, "labels")).filter(([key]) => key.startsWith(prefix));
  return labels.flatMap(([key, value]): AnnotationFault[] => {
    if (key === injectedLabel) return [];
    if (key !== injectLabel)
      return [{ key, problem: "there is no such label", remedy: `known is ${injectLabel}; settings are annotations` }];
    if (value === "true" || value === "false") return [];
    return [{ key, problem: `${JSON.stringify(value)} is not known`, remedy: 'allowed are "true" or "false"' }];
  });
}

function mirror(pod: unknown): SkipReason | undefined {
  if (metadataMap(pod, "annotations")["kubernetes.io/config.mirror"] === undefined) return undefined;
  return skip("mirror_pod", "it mirrors a static pod: the kubelet would delete a mirror that differs");
}

function byLabels(pod: unknown, around: Surroundings): SkipReason | undefined {
  const wish = metadataMap(pod, "labels")[injectLabel];
  if (wish === "false") return skip("opted_out", `its label ${injectLabel} is "false"`);
  if (systemNamespaces.includes(around.namespace ?? ""))
    return skip("system_namespace", `the namespace ${around.namespace} is never injected`);
  if (around.requireOptIn !== true || wish === "true" || around.namespaceLabels?.[injectLabel] === "enabled")
    return undefined;
  return skip("not_opted_in", `neither its namespace has the label ${injectLabel}=enabled nor it ${injectLabel}=true`);
}

function bySystem(pod: unknown): SkipReason | undefined {
  const selector = dig(pod, "spec", "nodeSelector");
  const systems = [dig(pod, "spec", "os", "name"), memberOf(selector, "kubernetes.io/os")];
  if ([...systems, memberOf(selector, "beta.kubernetes.io/os")].includes("windows"))
    return skip("windows", "it runs on Windows, and the sidecar on Linux");
  if (dig(pod, "spec", "hostNetwork") === true)
    return skip(
      "host_network",
      "it uses the node's network (hostNetwork): the sidecar's ports would be the node's, and a redirect the whole node's",
    );
  return undefined;
}

/** A sidecar of ours that somebody wrote into the pod, as the samples do: it runs our image and has our health port. */
function byHand(pod: unknown): SkipReason | undefined {
  const own = containersOf(pod, "initContainers", "containers").find(
    ({ name, container }) =>
      name !== "outrigger" &&
      /(^|\/)outrigger(?=[:@]|$)/.test(textOf(container, "image") ?? "") &&
      itemsOf(container, "ports").some((one) => isMap(one) && one.containerPort === defaultHealthPort),
  );
  if (own === undefined) return undefined;
  return skip("sidecar_by_hand", `its container "${own.name}" is an Outrigger sidecar already, written by hand`);
}

function skip(code: SkipReason["code"], sentence: string): SkipReason {
  return { code, sentence };
}
