/** Adds things to a pod by JSON Patch operations, and keeps the record by which they can be taken out again. */
import { isMap } from "../config/raw.ts";
import { statusAnnotation } from "./annotations.ts";
import { pointer, type Step, type WorkingModel } from "./patch.ts";
import { metadataMap } from "./pod.ts";
import { type OpenStatus, statusText } from "./status.ts";
import { placeOf } from "./undo.ts";

export class Additions {
  readonly model: WorkingModel;
  readonly status: OpenStatus;

  constructor(model: WorkingModel, status: OpenStatus) {
    this.model = model;
    this.status = status;
  }

  label(key: string, value: string): void {
    this.#map(["metadata"]);
    this.#map(["metadata", "labels"]);
    if (metadataMap(this.model.root, "labels")[key] === undefined) this.status.labels.push(key);
    this.model.add(["metadata", "labels", key], value);
  }

  /** Sets an annotation; one that was there comes back when the injection is undone. */
  annotation(key: string, value: string): void {
    const before = metadataMap(this.model.root, "annotations")[key];
    if (before === value) return;
    this.#map(["metadata"]);
    this.#map(["metadata", "annotations"]);
    if (typeof before === "string") this.status.was[key] ??= before;
    else this.status.annotations.push(key);
    this.model.add(["metadata", "annotations", key], value);
  }

  /** Puts a container in front of a list, or behind its last one. */
  container(
    list: "initContainers" | "containers",
    container: { readonly name?: unknown },
    end: "first" | "last",
  ): void {
    const path = ["spec", list];
    this.#list(path);
    this.status[list].push(String(container.name));
    this.model.add([...path, end === "first" ? 0 : this.model.list(path).length], container);
  }

  volume(volume: { readonly name: string }): void {
    this.#list(["spec", "volumes"]);
    this.status.volumes.push(volume.name);
    this.model.append(["spec", "volumes"], volume);
  }

  /** Mounts a volume into one of the app's containers. */
  mount(container: string, mount: { readonly name: string; readonly mountPath: string }): void {
    const place = this.#containerPlace(container);
    this.#list([...place, "volumeMounts"], `/spec/containers/${container}/volumeMounts`);
    this.model.append([...place, "volumeMounts"], mount);
    const mounts = this.status.mounts[container] ?? [];
    this.status.mounts[container] = [...mounts, mount.mountPath];
  }

  /** Lets one of the app's containers, which has no preStop, sleep before it is stopped. */
  sleep(container: string, seconds: number): void {
    const place = this.#containerPlace(container);
    this.#map([...place, "lifecycle"], `/spec/containers/${container}/lifecycle`);
    this.model.add([...place, "lifecycle", "preStop"], { sleep: { seconds } });
    this.status.sleeps.push(container);
  }

  /** Writes the record down; nothing is added after it. */
  finish(): void {
    this.#map(["metadata"]);
    this.#map(["metadata", "annotations"]);
    this.model.add(["metadata", "annotations", statusAnnotation], statusText(this.status));
  }

  /** A container is told by its name; should its place be another's by then, the patch must fail. */
  #containerPlace(name: string): Step[] {
    const place = placeOf(this.model, ["spec", "containers", name]);
    if (place === undefined) throw new RangeError(`there is no container ${name}`);
    this.model.test([...place, "name"], name);
    return place;
  }

  #map(path: readonly Step[], named = pointer(path)): void {
    if (!isMap(this.model.get(path))) this.#make(path, named, {});
  }

  #list(path: readonly Step[], named = pointer(path)): void {
    if (!Array.isArray(this.model.get(path))) this.#make(path, named, []);
  }

  #make(path: readonly Step[], named: string, value: unknown): void {
    if (this.model.get(path) === null) this.status.nulls.push(named);
    this.status.made.push(named);
    this.model.add(path, value);
  }
}
