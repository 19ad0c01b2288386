/** What the downward API tells a container of its pod, as variables and as files. */
import { randomUUID } from "node:crypto";
import type { Container, FieldRef, PodManifest } from "./manifest.ts";

/** What is known of a pod once it has an address. */
export interface PodFacts {
  readonly pod: PodManifest;
  readonly uid: string;
  readonly address: string;
  /** Of the node, at which the tests stand. */
  readonly hostAddress: string;
}

export function factsOf(pod: PodManifest, address: string, hostAddress: string): PodFacts {
  return { pod, uid: randomUUID(), address, hostAddress };
}

/** The text of a field. Throws for one that these tests do not know. */
export function fieldOf({ pod, uid, address, hostAddress }: PodFacts, { fieldPath }: FieldRef): string {
  const { name, labels = {}, annotations = {} } = pod.metadata;
  const simple: Record<string, string> = {
    "metadata.name": name,
    "metadata.namespace": "default",
    "metadata.uid": uid,
    "metadata.labels": listed(labels),
    "metadata.annotations": listed(annotations),
    "spec.nodeName": "node",
    "spec.serviceAccountName": "default",
    "status.podIP": address,
    "status.hostIP": hostAddress,
  };
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath) ?? [];
  if (key !== undefined) return (map === "labels" ? labels : annotations)[key] ?? "";
  const text = simple[fieldPath];
  if (text === undefined) throw new Error(`these tests do not know the field ${fieldPath}`);
  return text;
}

/** https://github.com/kubernetes/kubernetes/blob/master/pkg/fieldpath/fieldpath.go (FormatMap): quoted as Go does. */
function listed(map: Readonly<Record<string, string>>): string {
  const lines = Object.entries(map).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return lines.sort().join("\n");
}

/** A container's variables as podman's flags. */
export function environmentOf({ env = [] }: Container, facts: PodFacts): string[] {
  return env.map(({ name, value, valueFrom }) => {
    const text = valueFrom === undefined ? value : fieldOf(facts, valueFrom.fieldRef);
    return `--env=${name}=${text ?? ""}`;
  });
}
