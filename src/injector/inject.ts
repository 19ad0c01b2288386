/**
 * The injection of one pod: plain JSON in, JSON Patch operations out. No input or output, no clock, no chance: the
 * command `inject` and the webhook are two callers of it.
 */
import { isMap, itemsOf, textOf } from "../config/raw.ts";
import { Additions } from "./additions.ts";
import {
  type AnnotationFault,
  type AnnotationName,
  injectedLabel,
  prefix,
  readSettings,
  type Settings,
  statusAnnotation,
} from "./annotations.ts";
import { redirects } from "./capture.ts";
import { covers } from "./covers.ts";
import { decide, labelFaults, type SkipReason, type Surroundings } from "./decide.ts";
import { type JsonPatchOperation, WorkingModel } from "./patch.ts";
import { type InjectionPlan, type PlanContext, planInjection } from "./plan.ts";
import { containersOf, dig, metadataMap } from "./pod.ts";
import {
  disposableVolumes,
  redirectContainer,
  redirectName,
  sidecarContainer,
  sidecarName,
  volumes,
} from "./sidecar-container.ts";
import { emptyStatus, readStatus, type Status } from "./status.ts";
import { undo } from "./undo.ts";

/** What is known beside the pod. */
export interface InjectOptions extends Surroundings {
  /** The kind that makes the pod, where it is known otherwise than by its owner: `Job`, `CronJob`, `Deployment`. */
  readonly owner?: string | undefined;
  /** Settings for pods that do not say, by the annotation's name without prefix. */
  readonly defaults?: Readonly<Partial<Record<AnnotationName, string>>>;
  /** Settings that are written into the pod as annotations. */
  readonly set?: Readonly<Partial<Record<AnnotationName, string>>>;
  /** True: the caller leads Services to the sidecar's ports by itself; otherwise the user is told to. */
  readonly leadsServices?: boolean | undefined;
  /** The sidecar's configuration, where it is not in the pod and can be seen all the same. */
  readonly config?: string | undefined;
}

/** What becomes of a pod. */
export interface Injection {
  /**
   * `injected`: the patch makes it so. `skipped`: it stays as it is, for `reason`. `unchanged`: it is injected already
   * and needs nothing, `reason` says so. `refused`: something is wrong, `faults` say what; nothing may be made of it.
   */
  readonly outcome: "injected" | "unchanged" | "skipped" | "refused";
  /** Empty unless injected. Paths start at the pod. */
  readonly patch: readonly JsonPatchOperation[];
  readonly reason?: SkipReason;
  readonly faults: readonly AnnotationFault[];
  /** What the user should know, a sentence each, without a dot. */
  readonly warnings: readonly string[];
  /** The pod as the patch makes it; the pod itself where there is no patch. */
  readonly pod: unknown;
  /** With what it is injected; undefined when it is not. */
  readonly plan?: InjectionPlan;
}

/** Plans the injection of a pod: an object with `metadata` and `spec`, as a Pod or a workload's template has them. */
export function inject(pod: unknown, options: InjectOptions = {}): Injection {
  if (!isMap(pod) || itemsOf(pod.spec, "containers").length === 0)
    return refused(pod, [{ key: "spec.containers", problem: "there is no container", remedy: "give a pod" }]);
  const status = readStatus(pod);
  if (status !== undefined && "problem" in status)
    return refused(pod, [
      { key: statusAnnotation, problem: status.problem, remedy: "take the injected parts out by hand" },
    ]);
  const model = new WorkingModel(pod);
  if (status !== undefined) undo(model, status);
  const reason = decide(model.root, options);
  if (reason !== undefined) return { outcome: "skipped", patch: [], reason, faults: [], warnings: [], pod };
  const set = { ...(status === undefined ? {} : settingsBefore(pod, status)), ...options.set };
  const result = new Injecting(model, { ...options, set }, status).run(pod);
  return status === undefined ? result : again(pod, status, result);
}

/** Settings that an injection wrote into the pod: they hold when it is injected again by somebody who does not give them. */
function settingsBefore(pod: unknown, status: Status): Record<string, string> {
  const there = metadataMap(pod, "annotations");
  const written = [...status.annotations, ...Object.keys(status.was)].filter((key) => key.startsWith(prefix));
  return Object.fromEntries(
    written.flatMap((key) => (key in there ? [[key.slice(prefix.length), String(there[key])]] : [])),
  );
}

/** An injected pod that has all it should have stays as it is, whatever else was added to it. */
function again(pod: unknown, before: Status, result: Injection): Injection {
  if (result.outcome !== "injected" || !isStillWanted(before, result.pod) || !covers(pod, result.pod)) return result;
  const reason = { code: "already_injected", sentence: "it has the sidecar already" } as const;
  return { ...result, outcome: "unchanged", patch: [], reason, pod };
}

/** False when a part that was injected once would not be any more. */
function isStillWanted(before: Status, pod: unknown): boolean {
  const now = readStatus(pod);
  if (now === undefined || "problem" in now) return false;
  const parts = ["initContainers", "containers", "volumes", "sleeps"] as const;
  return (
    parts.every((part) => before[part].every((name) => now[part].includes(name))) &&
    Object.entries(before.mounts).every(([name, paths]) => paths.every((path) => now.mounts[name]?.includes(path)))
  );
}

function refused(pod: unknown, faults: readonly AnnotationFault[]): Injection {
  return { outcome: "refused", patch: [], faults, warnings: [], pod };
}

/** One pod on its way, `model` being the pod without a sidecar. */
class Injecting {
  readonly #model: WorkingModel;
  readonly #options: InjectOptions;
  readonly #before: Status | undefined;
  readonly #faults: AnnotationFault[] = [];

  constructor(model: WorkingModel, options: InjectOptions, before: Status | undefined) {
    this.#model = model;
    this.#options = options;
    this.#before = before;
  }

  run(pod: unknown): Injection {
    const written = { ...metadataMap(this.#model.root, "annotations"), ...this.#set() };
    const defaults = { ...this.#options.defaults, ...this.#before?.defaults };
    const { settings, faults } = readSettings(written, defaults);
    this.#faults.push(...labelFaults(this.#model.root), ...faults, ...this.#nameFaults());
    if (this.#faults.length > 0) return refused(pod, this.#faults);
    const { plan, faults: more, warnings } = planInjection(this.#model.root, settings, this.#context());
    if (more.length > 0) return refused(pod, more);
    this.#add(plan, { ...defaults, image: settings.image }, written);
    const { operations: patch, root } = this.#model;
    return { outcome: "injected", patch, faults: [], warnings, pod: root, plan };
  }

  #context(): PlanContext {
    const { namespaceLabels, owner, config, leadsServices = false } = this.#options;
    return { enforced: namespaceLabels?.["pod-security.kubernetes.io/enforce"], owner, config, leadsServices };
  }

  #set(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.#options.set ?? {}).map(([name, value]) => [prefix + name, value]));
  }

  /** Our names must be free: they are how our parts are found again. */
  #nameFaults(): AnnotationFault[] {
    const containers = containersOf(this.#model.root).filter(({ name }) => [sidecarName, redirectName].includes(name));
    const ours = /^outrigger-(config|podinfo|token|state|tmp|logs(-\d+)?)$/;
    const names = itemsOf(dig(this.#model.root, "spec"), "volumes").map((one) => textOf(one, "name") ?? "");
    const remedy = "give it another name";
    return [
      ...containers.map(({ list, at, name }) => ({
        key: `spec.${list}[${at}].name`,
        problem: `"${name}" is the name of what is injected`,
        remedy,
      })),
      ...names.flatMap((name, at) =>
        ours.test(name)
          ? [{ key: `spec.volumes[${at}].name`, problem: `"${name}" is the name of a volume that is injected`, remedy }]
          : [],
      ),
    ];
  }

  #add(plan: InjectionPlan, defaults: Record<string, string>, written: Readonly<Record<string, unknown>>): void {
    const { settings } = plan;
    const additions = new Additions(this.#model, emptyStatus(settings.lifecycle));
    for (const [name, value] of Object.entries(defaults)) {
      if (written[prefix + name] === undefined) additions.status.defaults[name] = value;
    }
    for (const [key, value] of Object.entries(this.#set())) additions.annotation(key, value);
    addContainers(additions, plan);
    for (const volume of volumes(plan)) additions.volume(volume);
    for (const { name, mountPath, container } of plan.addedLogs) additions.mount(container, { name, mountPath });
    for (const container of this.#sleepers(settings)) additions.sleep(container, settings["app-pre-stop-sleep"]!);
    this.#addMetadata(additions, plan);
    additions.finish();
  }

  #sleepers(settings: Settings): string[] {
    if (settings["app-pre-stop-sleep"] === undefined) return [];
    const apps = containersOf(this.#model.root, "containers").filter(({ name }) => name !== sidecarName);
    return apps.filter(({ container }) => dig(container, "lifecycle", "preStop") === undefined).map(({ name }) => name);
  }

  #addMetadata(additions: Additions, plan: InjectionPlan): void {
    const there = metadataMap(this.#model.root, "annotations");
    additions.label(injectedLabel, "true");
    // Without it, kubectl takes the first container for logs and exec.
    const shown = "kubectl.kubernetes.io/default-container";
    if (there[shown] === undefined) additions.annotation(shown, this.#mainName(plan.settings));
    const evictable = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
    const volumes = [String(there[evictable] ?? ""), ...disposableVolumes(plan)].join(",").split(",").filter(Boolean);
    additions.annotation(evictable, [...new Set(volumes)].join(","));
  }

  #mainName(settings: Settings): string {
    const apps = containersOf(this.#model.root, "containers").filter(({ name }) => name !== sidecarName);
    return (apps.find(({ name }) => name === settings["log-container"]) ?? apps[0])?.name ?? "";
  }
}

/**
 * Native: first of the init containers, so that the app's own have it, and before it the redirect. Plain: first of the
 * containers, as the kubelet starts them in order; the redirect last of the init containers, as nobody would serve what
 * is redirected before.
 */
function addContainers(additions: Additions, plan: InjectionPlan): void {
  const isNative = plan.settings.lifecycle === "native";
  additions.container(isNative ? "initContainers" : "containers", sidecarContainer(plan), "first");
  if (!redirects(plan.settings)) return;
  additions.container("initContainers", redirectContainer(plan), isNative ? "first" : "last");
}
