/**
 * The ConfigMap that `outrigger inject -c FILE` writes. A ConfigMap and not an annotation of the pod: the sidecar reloads
 * when it changes, while another annotation is another pod template and so a rollout; it may have the files of filters
 * beside the configuration; and it is what the samples show.
 */
import { memberOf } from "../config/raw.ts";
import { statusAnnotation } from "./annotations.ts";
import { dig, metadataMap } from "./pod.ts";
import { blockText } from "./yaml-text.ts";

/** The key that the sidecar looks for. */
export const configKey = "outrigger.yaml";

/** The ConfigMap as an object. */
export function configMap(name: string, namespace: string | undefined, text: string): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      annotations: { [statusAnnotation]: JSON.stringify({ v: 1, configMap: "made" }) },
    },
    data: { [configKey]: text },
  };
}

/** As a document of its own. */
export function configMapText(object: Record<string, unknown>): string {
  return `---\n${blockText(object, 2, true)}`;
}

/** The configuration that a ConfigMap holds. */
export function configIn(value: unknown): string | undefined {
  const text = dig(value, "data", configKey);
  return typeof text === "string" ? text : undefined;
}

/** True for one that we wrote, and that goes when the injection is undone. */
export function isOurs(value: unknown): boolean {
  try {
    const status: unknown = JSON.parse(String(metadataMap(value, "annotations")[statusAnnotation]));
    return memberOf(status, "configMap") === "made";
  } catch {
    return false;
  }
}

/** A name for it: the workload's, with what it is. ConfigMaps' names have up to 253 characters. */
export function configMapName(workload: string): string {
  return `${workload.slice(0, 253 - "-outrigger".length).replace(/[-.]+$/, "") || "pod"}-outrigger`;
}
