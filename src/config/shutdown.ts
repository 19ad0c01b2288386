/** How the sidecar stops: `shutdown:`, and what the injector says of the pod in the environment. */
import * as z from "zod";
import type { Finding } from "./faults.ts";
import type { Environment } from "./references.ts";
import { duration, option } from "./scalars.ts";
import type { Shutdown } from "./schema.ts";

/** The pod's `terminationGracePeriodSeconds`, as `outrigger inject` writes it. */
export const graceVariable = "OUTRIGGER_GRACE_SECONDS";
/** `native` or `plain`: which kind of container the sidecar is. */
export const lifecycleVariable = "OUTRIGGER_LIFECYCLE";

/** Where neither the configuration nor the pod says anything: for Kubernetes' default of 30 s. */
export const defaultGraceMs = 25_000;
/** Of the pod's grace: for the signal on its way, the last words, and whoever is stopped after us. */
const longestReserveMs = 5000;
/** Even a pod in a hurry gets this: no deadline may be over before its part was asked. */
const leastGraceMs = 500;

export function shutdownSchema() {
  const fallback = `what \`$${graceVariable}\` leaves, the pod's \`terminationGracePeriodSeconds\`: 5s less, or a quarter less below 20s; else 25s`;
  return z.strictObject({
    grace: option(
      duration(),
      "How long requests and log lines may take to finish, all together: from the end of the pod (`/drain`, asked by its preStop hook) or from SIGTERM on, whichever was first. What is longer than the pod's own grace allows is cut to it.",
      { default: fallback },
    ).optional(),
    quit: option(
      z.boolean(),
      "Whether `POST /quit`, asked where `admin` is, stops the sidecar with exit code 0: for the app of a Job whose sidecar is a plain container. Whoever can ask can take the app's guard away.",
    ).prefault(false),
  });
}

interface ShutdownOptions {
  readonly grace?: number | undefined;
  readonly quit: boolean;
}

/** What is written, as far as the pod allows it. */
export function toShutdown({ grace: writtenMs, quit }: ShutdownOptions, env: Environment): Shutdown {
  const podGraceMs = graceOf(env);
  const form = formOf(env[lifecycleVariable]);
  const known = {
    ...(quit && { quit }),
    ...(podGraceMs !== undefined && { podGraceMs }),
    ...(form !== undefined && { form }),
  };
  if (podGraceMs === undefined) return { graceMs: writtenMs ?? defaultGraceMs, ...known };
  const allowedMs = Math.max(leastGraceMs, podGraceMs - reserveMs(podGraceMs));
  const cut = writtenMs !== undefined && writtenMs > allowedMs ? { cutFromMs: writtenMs } : {};
  return { graceMs: Math.min(writtenMs ?? allowedMs, allowedMs), ...known, ...cut };
}

/** What a pod needs as `terminationGracePeriodSeconds` for this grace of ours. */
export function neededPodSeconds(graceMs: number): number {
  return Math.ceil((graceMs + Math.min(longestReserveMs, graceMs / 3)) / 1000);
}

/** What is wrong with the variables of the pod, if anything is. */
export function shutdownFinding(env: Environment): Finding | undefined {
  const grace = env[graceVariable] ?? "";
  const form = env[lifecycleVariable] ?? "";
  const path = ["shutdown"];
  if (grace !== "" && graceOf(env) === undefined) {
    const problem = `$${graceVariable} is "${grace}", which is no number of seconds`;
    return { path, problem, remedy: "give it the pod's terminationGracePeriodSeconds, such as 30" };
  }
  if (form !== "" && formOf(form) === undefined)
    return { path, problem: `$${lifecycleVariable} is "${form}"`, remedy: "write native or plain" };
  return undefined;
}

function reserveMs(podGraceMs: number): number {
  return Math.min(longestReserveMs, podGraceMs / 4);
}

function graceOf(env: Environment): number | undefined {
  const text = env[graceVariable] ?? "";
  return /^\d{1,7}$/.test(text) ? Number(text) * 1000 : undefined;
}

function formOf(text: string | undefined): Shutdown["form"] {
  return text === "native" || text === "plain" ? text : undefined;
}
