/** Services that lead to the app's port are led to the sidecar's (`inbound: service`), and back again. */
import { entriesOf, isMap, itemsOf, memberOf, textOf } from "../config/raw.ts";
import type { PortPair } from "./annotation-kinds.ts";
import { statusAnnotation } from "./annotations.ts";
import { type JsonPatchOperation, WorkingModel } from "./patch.ts";
import { declaredPorts, dig, metadataMap } from "./pod.ts";

/** What becomes of a Service. */
export interface Retargeting {
  readonly patch: readonly JsonPatchOperation[];
  /** One sentence for each port that is led elsewhere. */
  readonly changes: readonly string[];
}

/** The status of a Service: its ports' `targetPort` before, null where there was none, by place in `spec.ports`. */
interface ServiceStatus {
  readonly v: 1;
  readonly targetPorts: Readonly<Record<string, unknown>>;
  readonly made: readonly string[];
}

/** True when the Service's selector takes these labels. One without a selector takes none. */
export function selects(service: unknown, labels: Readonly<Record<string, unknown>>): boolean {
  const wanted = entriesOf(dig(service, "spec", "selector"));
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** Leads the ports that lead to the app's ports to the sidecar's. `pod` is one that the Service selects. */
export function retarget(service: unknown, pod: unknown, pairs: readonly PortPair[]): Retargeting {
  const model = new WorkingModel(service);
  const before: Record<string, unknown> = {};
  const changes: string[] = [];
  itemsOf(memberOf(service, "spec"), "ports").forEach((port, at) => {
    if ((textOf(port, "protocol") ?? "TCP") !== "TCP") return;
    const target = targetOf(port, pod);
    const pair = pairs.find(({ app }) => app === target);
    if (pair === undefined) return;
    const written = memberOf(port, "targetPort");
    before[String(at)] = written ?? null;
    // By its number: before Kubernetes 1.33 a name is not looked up in a native sidecar.
    model.add(["spec", "ports", at, "targetPort"], pair.listen);
    changes.push(
      `port ${memberOf(port, "port")} led to port ${pair.app} of the app and leads to port ${pair.listen} of the sidecar`,
    );
  });
  if (changes.length > 0) addStatus(model, before);
  return { patch: model.operations, changes };
}

/** The container port that a Service's port leads to. */
function targetOf(port: unknown, pod: unknown): number | undefined {
  const target = memberOf(port, "targetPort") ?? memberOf(port, "port");
  if (typeof target === "number") return target;
  return declaredPorts(pod, "containers").find(({ name }) => name === target)?.port;
}

function addStatus(model: WorkingModel, targetPorts: Readonly<Record<string, unknown>>): void {
  const made: string[] = [];
  if (!isMap(model.get(["metadata", "annotations"]))) {
    made.push("/metadata/annotations");
    model.add(["metadata", "annotations"], {});
  }
  const earlier = serviceStatus(model.root);
  const status: ServiceStatus = {
    v: 1,
    targetPorts: { ...targetPorts, ...earlier?.targetPorts },
    made: [...(earlier?.made ?? []), ...made],
  };
  model.add(["metadata", "annotations", statusAnnotation], JSON.stringify(status));
}

/** Leads the Service's ports back to where they led before. */
export function retargetBack(service: unknown): readonly JsonPatchOperation[] {
  const status = serviceStatus(service);
  if (status === undefined) return [];
  const model = new WorkingModel(service);
  for (const [at, before] of Object.entries(status.targetPorts)) {
    const place = ["spec", "ports", Number(at), "targetPort"];
    if (model.get(place) === undefined) continue;
    if (before === null) model.remove(place);
    else model.replace(place, before);
  }
  model.remove(["metadata", "annotations", statusAnnotation]);
  const isEmpty = Object.keys(metadataMap(model.root, "annotations")).length === 0;
  if (isEmpty && status.made.includes("/metadata/annotations")) model.remove(["metadata", "annotations"]);
  return model.operations;
}

function serviceStatus(service: unknown): ServiceStatus | undefined {
  const text = metadataMap(service, "annotations")[statusAnnotation];
  try {
    const value: unknown = JSON.parse(String(text));
    if (!isMap(value) || !isMap(value.targetPorts)) return undefined;
    return { v: 1, targetPorts: value.targetPorts, made: itemsOf(value, "made").map(String) };
  } catch {
    return undefined;
  }
}
