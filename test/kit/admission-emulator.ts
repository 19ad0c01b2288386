/**
 * An EMULATOR of the mutating part of admission, written from what was read of Kubernetes 1.36 (the dispatcher of
 * mutating webhooks, and the plugins before it). It is no API server: validation is a few rules, defaults a few fields.
 *
 *   plugins (LimitRange, ServiceAccount) -> webhooks in order -> when anything changed behind somebody's back:
 *   plugins once more -> the webhooks with `IfNeeded` that were called before the change, once more
 */
import { applyPatch, type Operation } from "rfc6902";
import { itemsOf, textOf } from "../../src/config/raw.ts";
import { containersOf, dig } from "../../src/injector/pod.ts";

export type Pod = Record<string, unknown>;

export interface EmulatedWebhook {
  readonly name: string;
  readonly reinvocation: "Never" | "IfNeeded";
  /** Its selectors, which are asked in the first round only. */
  selects(pod: Pod): boolean;
  /** Operations, or why it refuses. */
  call(pod: Pod): Promise<{ readonly patch: readonly Operation[] } | { readonly refusal: string }>;
}

export interface Admitted {
  readonly pod: Pod;
  /** Names of the webhooks, in the order they were called. */
  readonly calls: readonly string[];
}

/** @throws Error as an API server refuses: a webhook's words, a patch that does not apply, a pod that is not valid */
export async function admit(pod: Pod, webhooks: readonly EmulatedWebhook[]): Promise<Admitted> {
  const state = { pod: withPlugins(pod), calls: [] as string[] };
  const eligible = new Set<EmulatedWebhook>();
  let due = new Set<EmulatedWebhook>();
  for (const webhook of webhooks) {
    if (!webhook.selects(state.pod)) continue;
    if (await call(webhook, state)) {
      due = new Set([...due, ...eligible]);
      eligible.clear();
    }
    if (webhook.reinvocation === "IfNeeded") eligible.add(webhook);
  }
  if (due.size > 0) {
    const again = withPlugins(state.pod);
    if (JSON.stringify(again) !== JSON.stringify(state.pod)) due = new Set([...due, ...eligible]);
    state.pod = again;
    for (const webhook of webhooks) if (due.has(webhook)) await call(webhook, state);
  }
  const faults = invalidities(state.pod);
  if (faults.length > 0) throw new Error(`invalid: ${faults.join("; ")}`);
  return state;
}

/** True when it changed the pod. */
async function call(webhook: EmulatedWebhook, state: { pod: Pod; calls: string[] }): Promise<boolean> {
  state.calls.push(webhook.name);
  const verdict = await webhook.call(structuredClone(state.pod));
  if ("refusal" in verdict) throw new Error(`${webhook.name} denied the request: ${verdict.refusal}`);
  const patched = structuredClone(state.pod);
  const failures = applyPatch(patched, structuredClone(verdict.patch) as Operation[]).filter((one) => one !== null);
  if (failures.length > 0) throw new Error(`the patch of ${webhook.name} does not apply: ${failures[0]!.message}`);
  const isChanged = JSON.stringify(patched) !== JSON.stringify(state.pod);
  state.pod = patched;
  return isChanged;
}

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";

/** LimitRange gives requests to who has none, ServiceAccount a token to every container; both may come again. */
function withPlugins(before: Pod): Pod {
  const pod = structuredClone(before);
  const spec = pod.spec as Record<string, unknown>;
  for (const { container } of containersOf(pod, "initContainers", "containers")) {
    const own = container as Record<string, unknown>;
    own.resources ??= { requests: { cpu: "100m" } };
    if (spec.automountServiceAccountToken === false) continue;
    const mounts = itemsOf(own, "volumeMounts");
    if (mounts.some((mount) => textOf(mount, "mountPath") === tokenPath)) continue;
    own.volumeMounts = [...mounts, { name: "kube-api-access-x2x4z", mountPath: tokenPath, readOnly: true }];
    const volumes = itemsOf(spec, "volumes");
    if (!volumes.some((volume) => textOf(volume, "name") === "kube-api-access-x2x4z"))
      spec.volumes = [...volumes, { name: "kube-api-access-x2x4z", projected: { sources: [] } }];
  }
  return pod;
}

function invalidities(pod: Pod): string[] {
  const all = containersOf(pod);
  const volumes = itemsOf(pod.spec, "volumes").map((volume) => textOf(volume, "name") ?? "");
  const mounts = all.flatMap(({ name, container }) =>
    itemsOf(container, "volumeMounts").map((mount) => ({ name, mount })),
  );
  const paths = mounts.map(({ name, mount }) => `${name} ${textOf(mount, "mountPath")}`);
  return [
    ...doubles(all.map(({ name }) => name)).map((name) => `two containers ${name}`),
    ...doubles(volumes).map((name) => `two volumes ${name}`),
    ...doubles(paths).map((path) => `two mounts at ${path}`),
    ...mounts
      .filter(({ mount }) => !volumes.includes(textOf(mount, "name") ?? ""))
      .map(({ name, mount }) => `${name} mounts ${textOf(mount, "name")}, which is not there`),
    ...containersOf(pod, "initContainers")
      .filter(
        ({ container }) =>
          dig(container, "restartPolicy") !== "Always" && dig(container, "readinessProbe") !== undefined,
      )
      .map(({ name }) => `the init container ${name} has a probe and does not keep running`),
  ];
}

function doubles(names: readonly string[]): string[] {
  return names.filter((name, at) => names.indexOf(name) !== at);
}
