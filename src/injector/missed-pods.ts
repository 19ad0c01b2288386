/**
 * Looks for pods that should have the sidecar and have none: they were made while no webhook answered (the API server
 * goes on then, with `failurePolicy: Ignore`), or before their namespace asked for it. Each is said once in the own log
 * and as an event of the pod; the metric says how many there are.
 *
 * Lists, read now and then, and no watch: what matters is that it is said within a minute, and what was missed while a
 * watch was broken would have to be listed all the same.
 */
import { textOf } from "../config/raw.ts";
import type { Emit, Metrics } from "../contracts.ts";
import type { ApiTrouble, KubernetesApi } from "../net/kubernetes.ts";
import type { Timing } from "../schedules/clock.ts";
import { injectedLabel, injectLabel } from "./annotations.ts";
import { type ClusterEvents, subjectOf } from "./cluster-events.ts";
import { decide } from "./decide.ts";
import type { Namespaces } from "./namespaces.ts";
import { dig } from "./pod.ts";

export interface MissedPodsOptions {
  readonly api: KubernetesApi;
  readonly namespaces: Namespaces;
  readonly events: ClusterEvents;
  readonly timing: Timing;
  readonly everyMs: number;
  readonly emit: Emit;
  readonly metrics: Metrics;
}

const gauge = "outrigger_webhook_missed_pods";
const message =
  "the pod should have the sidecar and has none: it was created while the webhook did not answer, or before its namespace asked for it; create it anew (kubectl rollout restart) to have it injected";

export class MissedPods {
  private readonly options: MissedPodsOptions;
  /** Uids of those that were said. */
  private said = new Set<string>();
  private counted = new Set<string>();
  private cancel: (() => void) | undefined;
  private isStopped = false;

  constructor(options: MissedPodsOptions) {
    this.options = options;
  }

  start(): void {
    void this.go();
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
  }

  private async go(): Promise<void> {
    const { everyMs, timing, emit } = this.options;
    const trouble = await this.look().catch((error) => String(error));
    if (this.isStopped) return;
    if (trouble !== undefined) emit("webhook_look_failed", { trouble });
    this.cancel = timing.after(everyMs * (1 + timing.random() / 10), () => void this.go());
  }

  /** In words what went wrong. */
  private async look(): Promise<string | undefined> {
    const { api, namespaces } = this.options;
    const all = await api.list("/api/v1/namespaces");
    if ("trouble" in all) return all.trouble;
    namespaces.learn(all.items);
    const found = await this.candidates();
    if ("trouble" in found) return found.trouble;
    this.tell(found.pods.filter((pod) => this.isMissed(pod)));
    return undefined;
  }

  /** Pods without our label in namespaces that ask for it, and those that ask for it themselves. */
  private async candidates(): Promise<{ readonly pods: readonly unknown[] } | ApiTrouble> {
    const without = `${injectedLabel}!=true`;
    const places = this.options.namespaces.optedIn.map((name) => ({
      path: `/api/v1/namespaces/${encodeURIComponent(name)}/pods`,
      labels: `${without},${injectLabel}!=false`,
    }));
    const pods = new Map<string, unknown>();
    for (const { path, labels } of [...places, { path: "/api/v1/pods", labels: `${without},${injectLabel}=true` }]) {
      const list = await this.options.api.list(path, `labelSelector=${encodeURIComponent(labels)}`);
      if ("trouble" in list) return list;
      for (const pod of list.items) pods.set(String(dig(pod, "metadata", "uid")), pod);
    }
    return { pods: [...pods.values()] };
  }

  private isMissed(pod: unknown): boolean {
    const namespace = textOf(dig(pod, "metadata"), "namespace") ?? "";
    const isOver = ["Succeeded", "Failed"].includes(String(dig(pod, "status", "phase")));
    if (isOver || dig(pod, "metadata", "deletionTimestamp") !== undefined) return false;
    const namespaceLabels = this.options.namespaces.labels(namespace) ?? {};
    return decide(pod, { namespace, namespaceLabels, requireOptIn: true }) === undefined;
  }

  private tell(missed: readonly unknown[]): void {
    const { metrics, timing } = this.options;
    const counts = new Map<string, number>();
    const uids = new Set<string>();
    for (const pod of missed) {
      const namespace = textOf(dig(pod, "metadata"), "namespace") ?? "";
      counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
      uids.add(String(dig(pod, "metadata", "uid")));
      this.tellOne(pod, namespace);
    }
    for (const namespace of this.counted) if (!counts.has(namespace)) metrics.gauge(gauge, { namespace }).set(0);
    for (const [namespace, count] of counts) metrics.gauge(gauge, { namespace }).set(count);
    this.counted = new Set([...this.counted, ...counts.keys()]);
    this.said = uids;
    metrics.gauge("outrigger_webhook_last_look_timestamp_seconds").set(timing.clock.wall() / 1000);
  }

  private tellOne(pod: unknown, namespace: string): void {
    const { emit, events } = this.options;
    const metadata = dig(pod, "metadata");
    if (this.said.has(textOf(metadata, "uid") ?? "")) return;
    emit("webhook_pod_missed", { pod: textOf(metadata, "name"), namespace });
    const subject = subjectOf(metadata, { namespace, kind: "Pod", apiVersion: "v1" });
    if (subject !== undefined) events.say({ subject, type: "Warning", reason: "InjectionMissed", message });
  }
}
