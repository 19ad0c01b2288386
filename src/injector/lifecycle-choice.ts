/**
 * `native` or `plain` for pods that do not say: native where every node's kubelet knows sidecar containers, which is so
 * from 1.29 on (KEP-753). A pod may be sent to any node, so that the oldest one decides.
 */
import type { Emit } from "../contracts.ts";
import type { KubernetesApi } from "../net/kubernetes.ts";
import type { Timing } from "../schedules/clock.ts";
import { dig } from "./pod.ts";

export type Lifecycle = "native" | "plain";

const firstNativeMinor = 29;
const everyMs = 10 * 60_000;

/** The form that all of these nodes can run, and why in words. */
export function lifecycleFor(nodes: readonly unknown[]): { readonly lifecycle: Lifecycle; readonly why: string } {
  const old = nodes.map(oldNode).filter((text) => text !== undefined);
  if (old.length === 0) return { lifecycle: "native", why: `all of ${nodes.length} nodes know sidecar containers` };
  const shown = old.slice(0, 3).join(", ");
  return { lifecycle: "plain", why: `${old.length} of ${nodes.length} nodes are older than 1.29: ${shown}` };
}

/** Its name and version; undefined for one that is new enough, takes no pods, or says a version nobody can read. */
function oldNode(node: unknown): string | undefined {
  const text = String(dig(node, "status", "nodeInfo", "kubeletVersion"));
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(text) ?? [];
  const isNative = major === undefined || Number(major) > 1 || Number(minor) >= firstNativeMinor;
  if (isNative || dig(node, "spec", "unschedulable") === true) return undefined;
  return `${String(dig(node, "metadata", "name"))} has ${text}`;
}

/** Follows the cluster's nodes. Native until they are known: since 1.29 is out of support, hardly any other is met. */
export class LifecycleChoice {
  current: Lifecycle = "native";
  private readonly api: KubernetesApi;
  private readonly timing: Timing;
  private readonly emit: Emit;
  private told: string | undefined;
  private cancel: (() => void) | undefined;
  private isStopped = false;

  constructor(api: KubernetesApi, timing: Timing, emit: Emit) {
    this.api = api;
    this.timing = timing;
    this.emit = emit;
  }

  start(): void {
    void this.look();
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
  }

  private async look(): Promise<void> {
    const list = await this.api.list("/api/v1/nodes");
    if (this.isStopped) return;
    const why = "trouble" in list ? `the nodes cannot be seen (${list.trouble})` : undefined;
    this.choose("items" in list ? lifecycleFor(list.items) : { lifecycle: this.current, why: why! });
    this.cancel = this.timing.after(everyMs, () => void this.look());
  }

  private choose({ lifecycle, why }: { readonly lifecycle: Lifecycle; readonly why: string }): void {
    this.current = lifecycle;
    if (lifecycle !== this.told) this.emit("webhook_lifecycle_chosen", { lifecycle, why });
    this.told = lifecycle;
  }
}
