/** The injection of manifests: of every pod and workload in them, and of the Services that lead there. */
import { isMap, itemsOf, memberOf } from "../config/raw.ts";
import type { AnnotationName } from "./annotations.ts";
import { formatAnnotationFault, prefix } from "./annotations.ts";
import { configIn, configKey, configMap, configMapName, configMapText, isOurs } from "./config-map.ts";
import { serviceWarning } from "./inbound-ports.ts";
import { type Injection, inject } from "./inject.ts";
import { joinDocuments, type ManifestDocument, type ManifestObject, splitDocuments } from "./manifest.ts";
import { type JsonPatchOperation, pointer } from "./patch.ts";
import { metadataMap } from "./pod.ts";
import { retarget, retargetBack, selects } from "./services.ts";
import { uninject } from "./uninject.ts";
import { misplaced, podIn, templatePath } from "./workloads.ts";
import { CannotEdit } from "./yaml-edit.ts";

/** A text and the name of its file, for messages. */
export interface ManifestSource {
  readonly file: string;
  readonly text: string;
}

export interface ManifestOptions {
  /** Namespace of objects that do not say. */
  readonly namespace?: string | undefined;
  readonly set: Readonly<Partial<Record<AnnotationName, string>>>;
  /** The configuration for every pod, which becomes ConfigMaps. */
  readonly config?: string | undefined;
}

/** What was done with one pod, in the order of the manifests. */
export interface InjectedObject {
  readonly object: ManifestObject;
  readonly before: unknown;
  readonly injection: Injection;
}

export interface ManifestsResult {
  /** The manifests; empty when there are faults. */
  readonly output: string;
  /** What was done and what the user should know, a line each. */
  readonly notes: readonly string[];
  /** `file:line object: what is wrong; what would be right`. With any, nothing is done. */
  readonly faults: readonly string[];
  readonly injected: readonly InjectedObject[];
}

/** Injects every pod in the texts. */
export function injectManifests(sources: readonly ManifestSource[], options: ManifestOptions): ManifestsResult {
  return new Manifests(sources).inject(options);
}

/** Takes the sidecar out of every pod in the texts. */
export function uninjectManifests(sources: readonly ManifestSource[]): ManifestsResult {
  return new Manifests(sources).uninject();
}

/** A document that is put before another. */
interface NewDocument {
  readonly before: ManifestDocument;
  readonly text: string;
}

class Manifests {
  readonly #documents: readonly ManifestDocument[];
  readonly #notes: string[] = [];
  readonly #faults: string[] = [];
  readonly #injected: InjectedObject[] = [];
  readonly #new: NewDocument[] = [];

  constructor(sources: readonly ManifestSource[]) {
    this.#documents = sources.flatMap(({ file, text }) => splitDocuments(file, text));
    this.#faults.push(...this.#documents.flatMap(({ faults }) => faults));
  }

  inject(options: ManifestOptions): ManifestsResult {
    if (this.#faults.length > 0) return this.#result();
    for (const object of this.#objects()) this.#injectObject(object, options);
    for (const object of this.#objects().filter(({ kind }) => kind === "Service")) this.#lead(object, options);
    for (const one of this.#injected.filter(({ injection }) => injection.outcome === "injected"))
      this.#tellOfServices(one);
    return this.#result();
  }

  uninject(): ManifestsResult {
    if (this.#faults.length > 0) return this.#result();
    for (const object of this.#objects()) this.#uninjectObject(object);
    // Those of a list from its end on, so that the places of the others stay.
    const maps = this.#objects().filter(({ kind, value }) => kind === "ConfigMap" && isOurs(value));
    for (const { document, path } of maps.toReversed()) {
      if (path.length === 0) document.isRemoved = true;
      else document.edit([], [{ op: "remove", path: pointer(path) }]);
    }
    return this.#result();
  }

  #objects(): ManifestObject[] {
    return this.#documents.flatMap(({ objects }) => objects);
  }

  #injectObject(object: ManifestObject, options: ManifestOptions): void {
    const pod = podIn(object.kind, object.value);
    if (pod === undefined) return;
    const namespace = object.namespace ?? options.namespace;
    const wanted = options.config === undefined ? undefined : wantedConfigMap(object, pod);
    const set = wanted === undefined ? options.set : { ...options.set, "config-map": wanted };
    const injection = inject(pod, {
      namespace,
      namespaceLabels: this.#namespaceLabels(namespace),
      owner: object.kind,
      leadsServices: true,
      set,
      config: options.config ?? this.#configOf(pod, namespace, options),
    });
    // Edits change the document in place.
    this.#injected.push({ object, before: structuredClone(pod), injection });
    this.#say(object, injection);
    object.document.edit([...object.path, ...templatePath(object.kind)!], injection.patch);
    const hasSidecar = injection.outcome === "injected" || injection.outcome === "unchanged";
    if (hasSidecar && wanted !== undefined) this.#writeConfig(object, wanted, options);
  }

  /** The labels of a Namespace that stands in the manifests. */
  #namespaceLabels(name: string | undefined): Record<string, string> | undefined {
    const found = this.#objects().find((one) => one.kind === "Namespace" && one.name === name);
    if (found === undefined) return undefined;
    return Object.fromEntries(
      Object.entries(metadataMap(found.value, "labels")).map(([key, value]) => [key, String(value)]),
    );
  }

  /** The text of the ConfigMap that the pod names, when it stands in the manifests. */
  #configOf(pod: unknown, namespace: string | undefined, options: ManifestOptions): string | undefined {
    const annotation = options.set["config-map"] ?? metadataMap(pod, "annotations")[`${prefix}config-map`];
    if (options.set.config !== undefined || metadataMap(pod, "annotations")[`${prefix}config`] !== undefined)
      return undefined;
    return configIn(this.#findConfigMap(String(annotation ?? "outrigger"), namespace, options)?.value);
  }

  #findConfigMap(name: string, namespace: string | undefined, options: ManifestOptions): ManifestObject | undefined {
    return this.#objects().find(
      (one) => one.kind === "ConfigMap" && one.name === name && (one.namespace ?? options.namespace) === namespace,
    );
  }

  #writeConfig(object: ManifestObject, name: string, options: ManifestOptions): void {
    const text = options.config!;
    const there = this.#findConfigMap(name, object.namespace ?? options.namespace, options);
    if (there === undefined) this.#addConfigMap(object, name, text);
    else if (configIn(there.value) !== text) {
      const data = (there.value as { data?: unknown }).data;
      const operations: JsonPatchOperation[] = isMap(data) ? [] : [{ op: "add", path: "/data", value: {} }];
      operations.push({ op: "add", path: `/data/${configKey}`, value: text });
      there.document.edit(there.path, operations);
    }
  }

  /** Before the workload, so that it is there first; in a list, at its end. */
  #addConfigMap({ document, path, namespace }: ManifestObject, name: string, text: string): void {
    const object = configMap(name, namespace, text);
    const items = (document.value as { items?: unknown[] }).items;
    if (path[0] === "items" && Array.isArray(items)) {
      document.edit([], [{ op: "add", path: `/items/${items.length}`, value: object }]);
      return;
    }
    const written = this.#new.some((one) => one.text === configMapText(object));
    if (!written) this.#new.push({ before: document, text: configMapText(object) });
  }

  #lead(object: ManifestObject, options: ManifestOptions): void {
    const namespace = object.namespace ?? options.namespace;
    const selected = this.#injected.filter(
      (one) =>
        (one.object.namespace ?? options.namespace) === namespace &&
        selects(object.value, metadataMap(one.before, "labels")),
    );
    for (const { before, injection } of selected) {
      if (injection.plan === undefined || injection.plan.pairs.length === 0) continue;
      const { patch, changes } = retarget(object.value, before, injection.plan.pairs);
      object.document.edit(object.path, patch);
      this.#notes.push(...changes.map((change) => `${placeOf(object)}: ${change}`));
      const others = selected.filter((one) => one.injection.plan === undefined);
      if (changes.length > 0 && others.length > 0)
        this.#notes.push(
          `${placeOf(object)}: warning: it selects ${others.map((one) => nameOf(one.object)).join(", ")} too, which has no sidecar`,
        );
      if (changes.length > 0) return;
    }
  }

  /** A pair of ports to which no Service of the manifests leads. */
  #tellOfServices({ object, before, injection }: InjectedObject): void {
    const services = this.#objects().filter(
      ({ kind, value }) => kind === "Service" && selects(value, metadataMap(before, "labels")),
    );
    const led = services.flatMap(({ value }) => itemsOf(memberOf(value, "spec"), "ports"));
    for (const pair of injection.plan?.pairs ?? []) {
      if (led.some((port) => (memberOf(port, "targetPort") ?? memberOf(port, "port")) === pair.listen)) continue;
      this.#notes.push(`${placeOf(object)}: warning: ${serviceWarning(pair)}`);
    }
  }

  #uninjectObject(object: ManifestObject): void {
    if (object.kind === "Service") object.document.edit(object.path, retargetBack(object.value));
    const pod = podIn(object.kind, object.value);
    if (pod === undefined) return;
    const { outcome, patch, problem } = uninject(pod);
    if (problem !== undefined) this.#faults.push(`${placeOf(object)}: ${problem}; take the injected parts out by hand`);
    object.document.edit([...object.path, ...templatePath(object.kind)!], patch);
    this.#notes.push(
      `${placeOf(object)}: ${outcome === "unchanged" ? "unchanged: it has no sidecar of ours" : outcome}`,
    );
  }

  #say(object: ManifestObject, { outcome, reason, faults, warnings }: Injection): void {
    const place = placeOf(object);
    this.#faults.push(...faults.map((fault) => `${place}: ${formatAnnotationFault(fault)}`));
    if (outcome !== "refused")
      this.#notes.push(`${place}: ${outcome}${reason === undefined ? "" : `: ${reason.sentence}`}`);
    const said = [...warnings, ...misplaced(object.kind, object.value)];
    this.#notes.push(...said.map((warning) => `${place}: warning: ${warning}`));
  }

  #result(): ManifestsResult {
    const output = this.#faults.length > 0 ? "" : this.#output();
    return {
      output: this.#faults.length > 0 ? "" : output,
      notes: this.#notes,
      faults: this.#faults,
      injected: this.#injected,
    };
  }

  #output(): string {
    const texts = this.#documents.flatMap((document) => [
      ...this.#new.filter(({ before }) => before === document).map(({ text }) => text),
      this.#textOf(document),
    ]);
    return joinDocuments(texts);
  }

  #textOf(document: ManifestDocument): string {
    try {
      return document.output();
    } catch (error) {
      if (!(error instanceof CannotEdit)) throw error;
      this.#faults.push(
        `${document.file}:${document.line}: the document cannot be edited: ${error.message}; write it out`,
      );
      return document.text;
    }
  }
}

/** A name that the pod gives wins: others may use that ConfigMap as well. */
function wantedConfigMap({ name }: ManifestObject, pod: unknown): string {
  const annotation = metadataMap(pod, "annotations")[`${prefix}config-map`];
  return typeof annotation === "string" ? annotation : configMapName(name);
}

function nameOf({ kind, name }: ManifestObject): string {
  return `${kind.toLowerCase()}/${name}`;
}

function placeOf(object: ManifestObject): string {
  return `${object.document.file}:${object.document.line} ${nameOf(object)}`;
}
