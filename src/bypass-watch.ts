/**
 * Looks every minute whether a guarded port of the app can be reached at the pod's own address, around the sidecar. The
 * kernel's table tells: nobody is called, so that the app notices nothing.
 */
import { type GuardedPort, guardedPorts } from "./config/guards.ts";
import type { Loaded } from "./config/load.ts";
import type { Thread } from "./contracts.ts";
import { portsBeyondLoopback } from "./local-ports.ts";
import type { Timing } from "./schedules/clock.ts";

const lookEveryMs = 60_000;
/** The app starts after the sidecar: the first look finds nobody. */
const lookFirstMs = 10_000;

export class BypassWatch {
  private readonly thread: Pick<Thread, "emit" | "metrics">;
  private readonly timing: Timing;
  private readonly ports: () => ReadonlySet<number> | undefined;
  private guarded: readonly GuardedPort[] = [];
  private readonly told = new Set<string>();
  private cancel: (() => void) | undefined;

  /** @param ports those that are listened on beyond loopback; default: the kernel's table */
  constructor(thread: Pick<Thread, "emit" | "metrics">, timing: Timing, ports = portsBeyondLoopback) {
    this.thread = thread;
    this.timing = timing;
    this.ports = ports;
  }

  /** Watches the ports of a configuration instead of those before. Without any guarded port it never looks. */
  watch({ config, dropIns }: Pick<Loaded, "config" | "dropIns">): void {
    this.stop();
    for (const one of this.guarded) this.set(one, 0);
    this.guarded = guardedPorts(config, dropIns);
    if (this.guarded.length === 0) return;
    this.look();
    this.cancel = this.timing.after(lookFirstMs, () => this.lookAgain());
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private lookAgain(): void {
    this.look();
    this.cancel = this.timing.after(lookEveryMs, () => this.lookAgain());
  }

  private look(): void {
    const open = this.ports();
    if (open === undefined) return;
    for (const one of this.guarded) {
      const isOpen = open.has(one.port);
      this.set(one, isOpen ? 1 : 0);
      this.tell(one, isOpen);
    }
  }

  private set({ listener, port }: GuardedPort, value: number): void {
    this.thread.metrics.gauge("outrigger_inbound_bypassable", { listener, port: String(port) }).set(value);
  }

  /** Once, until it is closed again. */
  private tell({ listener, port, guards }: GuardedPort, isOpen: boolean): void {
    const key = `${listener} ${port}`;
    if (isOpen && !this.told.has(key))
      this.thread.emit("inbound_bypassable", { listener, port, guards: guards.join(", ") });
    if (isOpen) this.told.add(key);
    else this.told.delete(key);
  }
}
