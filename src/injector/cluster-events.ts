/**
 * Kubernetes events: what the webhook tells those who look at a workload with `kubectl describe`. Nobody waits for
 * them. The name of an event follows from what it says, so that replicas do not say one thing twice.
 */
import { createHash } from "node:crypto";
import { textOf } from "../config/raw.ts";
import type { Clock, Metrics } from "../contracts.ts";
import type { KubernetesApi } from "../net/kubernetes.ts";

/** What an event is about. */
export interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ClusterEvent {
  readonly subject: Subject;
  readonly type: "Normal" | "Warning";
  /** One word: `Injected`. */
  readonly reason: string;
  readonly message: string;
}

/** Events that wait; more are dropped, and counted. */
const mostWaiting = 256;
/** Names that are remembered, and for how long: longer than a rollout takes, shorter than the API server keeps events. */
const mostRemembered = 2048;
const rememberedMs = 10 * 60_000;
/** Longer ones are refused by the API server. */
const longestMessage = 1024;

const metric = "outrigger_webhook_events_total";

export class ClusterEvents {
  private readonly api: KubernetesApi;
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly waiting: { readonly name: string; readonly event: ClusterEvent }[] = [];
  private readonly said = new Map<string, number>();
  private isWriting = false;

  constructor(api: KubernetesApi, clock: Clock, metrics: Metrics) {
    this.api = api;
    this.clock = clock;
    this.metrics = metrics;
  }

  /** Says it soon, unless it was said lately. */
  say(event: ClusterEvent): void {
    const name = nameOf(event);
    if (this.clock.now() - (this.said.get(name) ?? Number.NEGATIVE_INFINITY) < rememberedMs) return;
    if (this.waiting.length >= mostWaiting) {
      this.count("dropped");
      return;
    }
    this.remember(name);
    this.waiting.push({ name, event });
    if (!this.isWriting) void this.writeAll();
  }

  private remember(name: string): void {
    this.said.delete(name);
    this.said.set(name, this.clock.now());
    if (this.said.size > mostRemembered) this.said.delete(this.said.keys().next().value!);
  }

  private async writeAll(): Promise<void> {
    this.isWriting = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      const { name, event } = next;
      const answer = await this.api.create(`/api/v1/namespaces/${event.subject.namespace}/events`, this.object(next));
      const isKnown = "status" in answer && answer.status === 409;
      if ("status" in answer && !isKnown) this.said.delete(name);
      this.count("object" in answer ? "written" : isKnown ? "known" : "failed");
    }
    this.isWriting = false;
  }

  private object({ name, event }: { readonly name: string; readonly event: ClusterEvent }): object {
    const { subject, type, reason, message } = event;
    const now = new Date(this.clock.wall()).toISOString().replace(/\.\d+Z$/, "Z");
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: subject.namespace },
      involvedObject: subject,
      type,
      reason,
      message: message.length <= longestMessage ? message : `${message.slice(0, longestMessage - 1)}…`,
      source: { component: "outrigger-webhook" },
      reportingComponent: "outrigger-webhook",
      reportingInstance: "",
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
  }

  private count(result: string): void {
    this.metrics.counter(metric, { result }).add(1);
  }
}

function nameOf({ subject, reason, message }: ClusterEvent): string {
  const digest = createHash("sha256").update(`${subject.uid}\n${reason}\n${message}`).digest("hex").slice(0, 16);
  return `${subject.name.slice(0, 200)}.${digest}`;
}

/** The subject that an owner reference or an object names; undefined when it is not complete. */
export function subjectOf(
  of: unknown,
  { namespace, kind, apiVersion }: { namespace: string; kind?: string; apiVersion?: string },
): Subject | undefined {
  const known = { apiVersion: textOf(of, "apiVersion") ?? apiVersion, kind: textOf(of, "kind") ?? kind };
  const [name, uid] = [textOf(of, "name"), textOf(of, "uid")];
  if (known.apiVersion === undefined || known.kind === undefined || name === undefined || uid === undefined)
    return undefined;
  return { apiVersion: known.apiVersion, kind: known.kind, namespace, name, uid };
}
