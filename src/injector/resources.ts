/** What the injected containers may use: always declared, without changing what the pod is to the scheduler. */
import { isMap } from "../config/raw.ts";
import { type AnnotationFault, prefix, type Settings } from "./annotations.ts";
import { containersOf, dig } from "./pod.ts";
import { amountOf, sameAmount } from "./quantities.ts";

type Resource = "cpu" | "memory" | "ephemeral-storage";

export interface ContainerResources {
  readonly requests?: Readonly<Partial<Record<Resource, string>>>;
  readonly limits?: Readonly<Partial<Record<Resource, string>>>;
}

export interface ResourcePlan {
  readonly sidecar: ContainerResources;
  readonly redirect: ContainerResources;
  readonly faults: readonly AnnotationFault[];
  readonly warnings: readonly string[];
}

interface Share {
  readonly request: string | undefined;
  readonly limit: string | undefined;
}

/** What a pod asks of a node as a whole (its quality-of-service class, docs "Pod Quality of Service Classes"). */
export function isGuaranteed(pod: unknown): boolean {
  const all = containersOf(pod, "initContainers", "containers");
  return (
    all.length > 0 &&
    all.every(({ container }) =>
      (["cpu", "memory"] as const).every((resource) => {
        const limit = dig(container, "resources", "limits", resource);
        // A request that is not written is the limit.
        const request = dig(container, "resources", "requests", resource) ?? limit;
        return (amountOf(limit) ?? 0) > 0 && sameAmount(limit, request);
      }),
    )
  );
}

/** True when the pod itself has requests or limits (KEP-2837): containers' must fit into them. */
export function hasPodResources(pod: unknown): boolean {
  return ["requests", "limits"].some((kind) => {
    const given = dig(pod, "spec", "resources", kind);
    return isMap(given) && Object.keys(given).length > 0;
  });
}

/**
 * The kubelet adds up the ephemeral-storage limits of those containers that have one, and evicts the pod that uses more
 * in all its containers and volumes (eviction_manager.go, podEphemeralStorageLimitEviction): ours alone would become
 * the app's.
 */
function allLimitStorage(pod: unknown): boolean {
  const all = containersOf(pod, "initContainers", "containers");
  return all.every(({ container }) => dig(container, "resources", "limits", "ephemeral-storage") !== undefined);
}

/** The resources of the sidecar and of the init container that redirects. */
export function planResources(pod: unknown, settings: Settings): ResourcePlan {
  const guaranteed = isGuaranteed(pod);
  const whole = hasPodResources(pod);
  const storage = allLimitStorage(pod);
  const shares = {
    cpu: share(settings, "cpu", { request: "50m", limit: guaranteed ? "500m" : "1" }, guaranteed, whole),
    memory: share(settings, "memory", { request: "64Mi", limit: "192Mi" }, guaranteed, whole),
    "ephemeral-storage": share(
      settings,
      "ephemeral-storage",
      { request: "64Mi", limit: storage ? "512Mi" : undefined },
      false,
      false,
    ),
  };
  const init: Record<Resource, Share> = {
    cpu: whole ? none : { request: guaranteed ? "200m" : "10m", limit: "200m" },
    memory: whole ? none : { request: guaranteed ? "128Mi" : "64Mi", limit: "128Mi" },
    "ephemeral-storage": storage ? { request: "16Mi", limit: "16Mi" } : none,
  };
  return {
    sidecar: written(shares),
    redirect: written(init),
    faults: Object.entries(shares).flatMap(([resource, one]) => tooSmall(resource, one)),
    warnings: warnings(guaranteed, whole, shares),
  };
}

const none: Share = { request: undefined, limit: undefined };

function share(settings: Settings, resource: Resource, usual: Share, isEqual: boolean, isWhole: boolean): Share {
  const request = settings[`${resource}-request`];
  const limit = settings[`${resource}-limit`];
  if (request !== undefined && limit !== undefined) return { request, limit };
  const given = limit ?? request;
  if (isEqual) return { request: given ?? usual.limit, limit: given ?? usual.limit };
  if (isWhole) return { request, limit };
  // What is given pulls the other along, when the usual value does not fit beside it.
  if (limit !== undefined) return { request: smaller(usual.request, limit), limit };
  return { request: request ?? usual.request, limit: larger(usual.limit, request) };
}

function smaller(usual: string | undefined, limit: string): string {
  return (amountOf(usual) ?? 0) <= amountOf(limit)! ? usual! : limit;
}

function larger(usual: string | undefined, request: string | undefined): string | undefined {
  if (usual === undefined || request === undefined) return usual;
  return amountOf(usual)! >= amountOf(request)! ? usual : request;
}

function written(shares: Readonly<Record<Resource, Share>>): ContainerResources {
  const side = (kind: keyof Share) =>
    Object.fromEntries(
      Object.entries(shares).flatMap(([name, one]) => (one[kind] === undefined ? [] : [[name, one[kind]]])),
    );
  const [requests, limits] = [side("request"), side("limit")];
  return {
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

function tooSmall(resource: string, { request, limit }: Share): AnnotationFault[] {
  if (request === undefined || limit === undefined || amountOf(request)! <= amountOf(limit)!) return [];
  const key = `${prefix}${resource}-limit`;
  return [{ key, problem: `${limit} is less than the request, ${request}`, remedy: "write a limit that is not less" }];
}

function warnings(guaranteed: boolean, whole: boolean, shares: Readonly<Record<Resource, Share>>): string[] {
  const { cpu, memory } = shares;
  const said: string[] = [];
  if (guaranteed && !(sameAmount(cpu.request, cpu.limit) && sameAmount(memory.request, memory.limit)))
    said.push("the pod was Guaranteed and becomes Burstable: the sidecar's requests and limits were set to differ");
  else if (guaranteed)
    said.push(
      `the pod is Guaranteed and stays so: the sidecar's requests are its limits, cpu ${cpu.limit} and memory ${memory.limit}`,
    );
  if (whole) said.push("the pod has resources of its own (spec.resources): the sidecar shares them and asks for none");
  return said;
}
