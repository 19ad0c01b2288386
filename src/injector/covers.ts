/** Whether an injected pod still has everything it should have, though the API server has filled in defaults since. */
import { isMap, textOf } from "../config/raw.ts";
import { statusAnnotation } from "./annotations.ts";
import { sameAmount } from "./quantities.ts";

/** True when everything in `wanted` is in `found`; maps may have more, and lists of named things more items. */
export function covers(found: unknown, wanted: unknown): boolean {
  if (isMap(wanted))
    return isMap(found) && Object.entries(wanted).every(([key, value]) => coversMember(found, key, value));
  if (Array.isArray(wanted)) return Array.isArray(found) && coversList(found, wanted);
  return found === wanted || sameAmount(found, wanted);
}

function coversMember(found: Record<string, unknown>, key: string, value: unknown): boolean {
  if (!Object.hasOwn(found, key)) return false;
  // It says how to undo, which does not change when others add what would have been ours to add.
  return key === statusAnnotation || covers(found[key], value);
}

/** The order of what has names counts: containers start in it. What others put between does not. */
function coversList(found: readonly unknown[], wanted: readonly unknown[]): boolean {
  if (!wanted.every((item) => nameOf(item) !== undefined))
    return found.length === wanted.length && wanted.every((item, at) => covers(found[at], item));
  let at = 0;
  return wanted.every((item) => {
    const next = found.findIndex((one, index) => index >= at && nameOf(one) === nameOf(item));
    at = next + 1;
    return next >= 0 && covers(found[next], item);
  });
}

/** By which an item of a list is told: mounts by their path, as a volume may be mounted twice. */
function nameOf(item: unknown): string | undefined {
  return textOf(item, "mountPath") ?? textOf(item, "name");
}
