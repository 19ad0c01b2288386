/** The words the API server and a webhook exchange: `AdmissionReview` of admission.k8s.io/v1, and no other version. */
import { isMap, memberOf, textOf } from "../config/raw.ts";
import type { JsonPatchOperation } from "./patch.ts";
import { dig } from "./pod.ts";

const reviewVersion = "admission.k8s.io/v1";

/** What we read of a request; what else it has is not looked at. */
export interface ReviewRequest {
  readonly uid: string;
  readonly namespace: string;
  readonly dryRun: boolean;
  /** It is a pod that is being created: nothing else is ours. */
  readonly isNewPod: boolean;
  /** As JSON has it. */
  readonly object: unknown;
  /** For people: its name, or what the name begins with. */
  readonly name: string;
}

/** What is answered. */
export interface ReviewVerdict {
  /** Undefined admits; else the pod is refused with this. */
  readonly refusal?: string | undefined;
  readonly patch?: readonly JsonPatchOperation[];
  /** Sentences for whoever creates the pod. */
  readonly warnings?: readonly string[];
}

/** Reads a body. `problem` says in words why it is no review of ours. */
export function readReview(body: string): { readonly request: ReviewRequest } | { readonly problem: string } {
  const review = parsed(body);
  if (review === undefined) return { problem: "the body is not JSON" };
  if (!isMap(review) || review.kind !== "AdmissionReview") return { problem: "the body is not an AdmissionReview" };
  if (review.apiVersion !== reviewVersion)
    return {
      problem: `apiVersion ${JSON.stringify(review.apiVersion)} is not spoken; this webhook speaks ${reviewVersion}: write admissionReviewVersions: [v1]`,
    };
  const { request } = review;
  const uid = textOf(request, "uid");
  if (!isMap(request) || uid === undefined || uid === "") return { problem: "request.uid is missing" };
  if (isNewPod(request) && !isMap(request.object)) return { problem: "request.object is missing" };
  return {
    request: {
      uid,
      namespace: textOf(request, "namespace") ?? "",
      dryRun: request.dryRun === true,
      isNewPod: isNewPod(request),
      object: request.object,
      name: nameOf(request),
    },
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isNewPod(request: Record<string, unknown>): boolean {
  const { resource, operation, subResource } = request;
  const isPod = textOf(resource, "resource") === "pods" && (textOf(resource, "group") ?? "") === "";
  return isPod && operation === "CREATE" && (subResource === undefined || subResource === "");
}

/** A pod's name is made up after admission where it has only `generateName`. */
function nameOf(request: Record<string, unknown>): string {
  const metadata = dig(request.object, "metadata");
  const name = textOf(request, "name") || textOf(metadata, "name");
  return name || `${textOf(metadata, "generateName") ?? ""}*`;
}

/** The API server cuts warnings beyond this, and drops what is more than 4096 together. */
const longestWarning = 256;

/** The answer, a JSON text. Always for HTTP status 200, also where it refuses. */
export function reviewAnswer(uid: string, { refusal, patch = [], warnings = [] }: ReviewVerdict): string {
  const response: Record<string, unknown> = { uid, allowed: refusal === undefined };
  if (refusal !== undefined)
    response.status = { status: "Failure", reason: "Invalid", code: 422, message: refusal, metadata: {} };
  if (refusal === undefined && patch.length > 0) {
    response.patchType = "JSONPatch";
    response.patch = Buffer.from(JSON.stringify(patch)).toString("base64");
  }
  if (warnings.length > 0) response.warnings = warnings.map(shortened);
  return JSON.stringify({ apiVersion: reviewVersion, kind: "AdmissionReview", response });
}

function shortened(warning: string): string {
  const text = `outrigger: ${warning}`.replaceAll(/[\x00-\x1f\x7f]+/g, " ");
  return text.length <= longestWarning ? text : `${text.slice(0, longestWarning - 1)}…`;
}

/** `controller` of an object's owners; undefined when nobody made it. */
export function controllerOf(object: unknown): Record<string, unknown> | undefined {
  const owners = memberOf(memberOf(object, "metadata"), "ownerReferences");
  if (!Array.isArray(owners)) return undefined;
  return owners.filter(isMap).find((owner) => owner.controller === true);
}
