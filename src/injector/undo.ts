/** Takes out of a pod what was injected, by the names its status tells; what others added since stays. */
import { isMap, textOf } from "../config/raw.ts";
import { statusAnnotation } from "./annotations.ts";
import { pointerSteps, type Step, type WorkingModel } from "./patch.ts";
import { metadataMap } from "./pod.ts";
import type { Status } from "./status.ts";

/** Undoes an injection in the model, its last step first. */
export function undo(model: WorkingModel, status: Status): void {
  for (const container of status.sleeps)
    removeIfThere(model, ["spec", "containers", container, "lifecycle", "preStop"]);
  for (const [container, paths] of Object.entries(status.mounts)) {
    for (const path of paths) removeItem(model, ["spec", "containers", container, "volumeMounts"], "mountPath", path);
  }
  for (const name of status.initContainers) removeItem(model, ["spec", "initContainers"], "name", name);
  for (const name of status.containers) removeItem(model, ["spec", "containers"], "name", name);
  for (const name of status.volumes) removeItem(model, ["spec", "volumes"], "name", name);
  for (const label of status.labels) removeIfThere(model, ["metadata", "labels", label]);
  for (const key of [...status.annotations, statusAnnotation]) removeIfThere(model, ["metadata", "annotations", key]);
  for (const [key, value] of Object.entries(status.was)) restore(model, key, value);
  for (const made of status.made.toReversed()) unmake(model, made, status.nulls.includes(made));
}

function restore(model: WorkingModel, key: string, value: string): void {
  if (metadataMap(model.root, "annotations")[key] === undefined) return;
  model.replace(["metadata", "annotations", key], value);
}

/** What was made for us goes when nobody else uses it. */
function unmake(model: WorkingModel, made: string, wasNull: boolean): void {
  const place = placeOf(model, pointerSteps(made));
  const value = place === undefined ? undefined : model.get(place);
  const isEmpty = Array.isArray(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0;
  if (place === undefined || !isEmpty) return;
  if (wasNull) model.replace(place, null);
  else model.remove(place);
}

function removeIfThere(model: WorkingModel, path: readonly string[]): void {
  const place = placeOf(model, path);
  if (place !== undefined && model.get(place) !== undefined) model.remove(place);
}

function removeItem(model: WorkingModel, path: readonly string[], key: string, value: string): void {
  const list = placeOf(model, path);
  if (list === undefined) return;
  const at = model.list(list).findIndex((item) => textOf(item, key) === value);
  if (at < 0) return;
  model.test([...list, at, key], value);
  model.remove([...list, at]);
}

/** The place of a path in which the name of a list's item stands for its number; undefined when there is none. */
export function placeOf(model: WorkingModel, path: readonly string[]): Step[] | undefined {
  const place: Step[] = [];
  for (const step of path) {
    const value = model.get(place);
    if (!Array.isArray(value)) {
      place.push(step);
      continue;
    }
    const at = value.findIndex((item) => textOf(item, "name") === step);
    if (at < 0) return undefined;
    place.push(at);
  }
  return place;
}
