/** Takes the sidecar out of a pod again. */
import { statusAnnotation } from "./annotations.ts";
import { type JsonPatchOperation, WorkingModel } from "./patch.ts";
import { readStatus } from "./status.ts";
import { undo } from "./undo.ts";

export interface Uninjection {
  /** `refused`: the pod's status cannot be read, `problem` says why. */
  readonly outcome: "uninjected" | "unchanged" | "refused";
  readonly patch: readonly JsonPatchOperation[];
  readonly problem?: string;
  /** The pod as the patch makes it. */
  readonly pod: unknown;
}

/** Plans it. What others added since the injection stays. */
export function uninject(pod: unknown): Uninjection {
  const status = readStatus(pod);
  if (status === undefined) return { outcome: "unchanged", patch: [], pod };
  if ("problem" in status)
    return { outcome: "refused", patch: [], problem: `${statusAnnotation}: ${status.problem}`, pod };
  const model = new WorkingModel(pod);
  undo(model, status);
  return { outcome: "uninjected", patch: model.operations, pod: model.root };
}
