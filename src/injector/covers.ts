/** Whether an injected pod still has everything it should have, though the API server has filled in defaults since. */
import { isMap, textOf } from "../config/raw.ts";
import { statusAnnotation } from "./annotations.ts";
import { sameAmount } from "./quantities.ts";

/** True when everything in `wanted` is in `found`; maps may have more, and lists of named things more items. */
export function covers(found: unknown, wanted: unknown): boolean {
  if (isMap(wanted))
    return isMap(found) && Object.entries(wanted).every(([key, value]) => coversMember(found, key, value));
  if (Array.isArray(wanted)) return coversList(found, wanted, false);
  return found === wanted || sameAmount(found, wanted);
}

function coversMember(found: Record<string, unknown>, key: string, value: unknown): boolean {
  if (!Object.hasOwn(found, key)) return false;
  // It says how to undo, which does not change when others add what would have been ours to add.
  if (key === statusAnnotation) return true;
  // Containers start in their order. Of volumes, mounts and variables it does not matter.
  if (Array.isArray(value)) return coversList(found[key], value, key === "containers" || key === "initContainers");
  return covers(found[key], value);
}

/** Items that have names may have others between them. */
function coversList(found: unknown, wanted: readonly unknown[], inOrder: boolean): boolean {
  if (!Array.isArray(found)) return false;
  if (!wanted.every((item) => nameOf(item) !== undefined))
    return found.length === wanted.length && wanted.every((item, at) => covers(found[at], item));
  let from = 0;
  return wanted.every((item) => {
    const place = found.findIndex((one, at) => at >= from && nameOf(one) === nameOf(item));
    if (inOrder) from = place + 1;
    return place >= 0 && covers(found[place], item);
  });
}

/** By which an item of a list is told: mounts by their path, as a volume may be mounted twice. */
function nameOf(item: unknown): string | undefined {
  return textOf(item, "mountPath") ?? textOf(item, "name");
}
