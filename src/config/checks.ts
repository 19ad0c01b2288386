/** Checks over several options at once. */
import * as z from "zod";
import { isMap } from "./raw.ts";

/** A check of a map that runs although some of its members have issues of their own: all faults are told at once. */
export function alsoWithIssues<T extends object>(
  check: (payload: z.core.ParsePayload<T>) => void,
): z.core.$ZodCheck<T> {
  return z.superRefine<T>((_, payload) => check(payload as z.core.ParsePayload<T>), {
    when: (payload) => isMap(payload.value),
  });
}
