/** The kinds of Kubernetes that make pods, and where the pod stands in them. */
import { isMap } from "../config/raw.ts";
import { prefix } from "./annotations.ts";
import { dig, metadataMap } from "./pod.ts";

const templates: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  Deployment: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** Where the pod stands in an object of this kind; undefined when the kind makes none. */
export function templatePath(kind: string): readonly string[] | undefined {
  return Object.hasOwn(templates, kind) ? templates[kind] : undefined;
}

/** The pod in an object of this kind, if one is there. */
export function podIn(kind: string, value: unknown): Record<string, unknown> | undefined {
  const path = templatePath(kind);
  const pod = path === undefined ? undefined : dig(value, ...path);
  return isMap(pod) ? pod : undefined;
}

/** Labels and annotations of ours that stand on the workload, where nobody reads them. */
export function misplaced(kind: string, value: unknown): string[] {
  const path = templatePath(kind);
  if (path === undefined || path.length === 0) return [];
  return (["annotations", "labels"] as const).flatMap((where) =>
    Object.keys(metadataMap(value, where))
      .filter((key) => key.startsWith(prefix))
      .map(
        (key) => `${key} stands on the ${kind}, where nobody reads it: write it in ${path.join(".")}.metadata.${where}`,
      ),
  );
}
