/** What an injection does to a pod, in sentences: `outrigger inject --explain`. */
import { isMap, textOf } from "../config/raw.ts";
import { redirects } from "./capture.ts";
import type { InjectedObject } from "./manifests.ts";
import type { InjectionPlan } from "./plan.ts";
import { containersOf, dig } from "./pod.ts";
import { amountOf, formatBytes, formatCores } from "./quantities.ts";
import { isGuaranteed } from "./resources.ts";

/** The sentences about every pod, lines ended by newlines. */
export function explainInjections(injected: readonly InjectedObject[]): string {
  if (injected.length === 0) return "There is no pod and no workload in these manifests.\n";
  return `${injected.map((one) => explainOne(one).join("\n")).join("\n\n")}\n`;
}

function explainOne({ object, before, injection }: InjectedObject): string[] {
  const name = `${object.kind} "${object.name}"`;
  const { outcome, reason, plan, pod } = injection;
  if (plan === undefined) return [`${name} is ${outcome}: ${reason?.sentence ?? ""}.`];
  const lines = [
    ...explainOrder(pod, plan),
    ...explainConfig(plan),
    ...explainLogs(plan),
    ...explainInbound(plan),
    ...explainResources(before, pod),
    explainSecurity(plan),
    `At the end the sidecar announces that it leaves (/drain), and has what is left of ${plan.graceSeconds} s once it is told to stop.`,
  ];
  return [`${name} is ${outcome}.`, ...lines.map((line) => `  ${line}`)];
}

function explainOrder(pod: unknown, plan: InjectionPlan): string[] {
  const order = containersOf(pod, "initContainers", "containers").map(({ list, name, container }) => {
    const stays = textOf(container, "restartPolicy") === "Always" ? " (keeps running)" : " (runs to its end)";
    return `${name}${list === "initContainers" ? stays : ""}`;
  });
  const stop =
    plan.settings.lifecycle === "native"
      ? "The sidecar is stopped last."
      : "The sidecar is stopped together with the app.";
  return [`Containers start in this order: ${order.join(", ")}. ${stop}`];
}

function explainConfig({ settings }: InjectionPlan): string[] {
  if (settings.config !== undefined) return ["Its configuration is the annotation outrigger.dev/config."];
  return [`Its configuration is the key outrigger.yaml of the ConfigMap "${settings["config-map"] ?? "outrigger"}".`];
}

function explainLogs({ logs, addedLogs }: InjectionPlan): string[] {
  const added = new Map(addedLogs.map(({ mountPath, container }) => [mountPath, container]));
  return logs.map(({ name, mountPath }) => {
    const owner = added.get(mountPath);
    const from =
      owner === undefined ? "" : ` It is new, and mounted into "${owner}" as well: what its image has there is hidden.`;
    return `It reads logs in ${mountPath}, from the volume "${name}", and cannot write there.${from}`;
  });
}

function explainInbound({ settings, pairs }: InjectionPlan): string[] {
  const led = pairs.map(({ listen, app }) => `Its port ${listen} leads to port ${app} of the app.`);
  if (!redirects(settings)) return led;
  const what = [
    settings.inbound === "redirect" ? "to the pod" : "",
    settings.capture === "redirect" ? "out of the pod" : "",
  ];
  return [...led, `Connections ${what.filter(Boolean).join(" and ")} are redirected to the sidecar.`];
}

function explainSecurity({ settings }: InjectionPlan): string {
  const sidecar = "The sidecar fits the pod security standard restricted";
  return redirects(settings)
    ? `${sidecar}; outrigger-redirect does not, as it runs as root with NET_ADMIN.`
    : `${sidecar}, and so does the pod where it did before.`;
}

function explainResources(before: unknown, after: unknown): string[] {
  const told = (["cpu", "memory"] as const).map((resource) => {
    const format = resource === "cpu" ? formatCores : formatBytes;
    return `${resource} ${format(effectiveRequest(before, resource))} before and ${format(effectiveRequest(after, resource))} now`;
  });
  const kept = isGuaranteed(before) && isGuaranteed(after) ? " Its quality of service stays Guaranteed." : "";
  return [`The scheduler sets aside for the pod: ${told.join(", ")}.${kept}`];
}

/**
 * What the scheduler sets aside (KEP-753): for each init container, itself and the native sidecars before it; for the
 * app, all containers and all native sidecars; of these the most. In cores or bytes; requests of the pod itself win.
 */
export function effectiveRequest(pod: unknown, resource: "cpu" | "memory"): number {
  const own = dig(pod, "spec", "resources", "requests", resource);
  if (own !== undefined) return amountOf(own) ?? 0;
  let sidecars = 0;
  let most = 0;
  for (const { container } of containersOf(pod, "initContainers")) {
    const request = requestOf(container, resource);
    if (textOf(container, "restartPolicy") === "Always") sidecars += request;
    most = Math.max(most, sidecars + (textOf(container, "restartPolicy") === "Always" ? 0 : request));
  }
  const apps = containersOf(pod, "containers").reduce((sum, { container }) => sum + requestOf(container, resource), 0);
  const overhead = dig(pod, "spec", "overhead");
  return Math.max(most, sidecars + apps) + (isMap(overhead) ? (amountOf(overhead[resource]) ?? 0) : 0);
}

/** A request that is not written is the limit. */
function requestOf(container: unknown, resource: string): number {
  const { requests, limits } = {
    requests: dig(container, "resources", "requests"),
    limits: dig(container, "resources", "limits"),
  };
  return amountOf(dig(requests, resource) ?? dig(limits, resource)) ?? 0;
}
