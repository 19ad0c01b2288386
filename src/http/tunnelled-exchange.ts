/** An exchange that goes on as a tunnel: after a 101, or after the 200 to a CONNECT. */
import type { Connection } from "../net/connection.ts";
import { Tunnel, type TunnelEnd } from "../net/tunnel.ts";
import type { HttpExchange } from "./exchange.ts";
import { reportCut } from "./reports.ts";

export class TunnelledExchange {
  private readonly x: HttpExchange;
  private readonly tunnel: Tunnel;
  private readonly over: () => void;

  /** @param over called once, when both connections are closed and the exchange knows how it ended */
  constructor(x: HttpExchange, near: Connection, far: Connection, over: () => void) {
    const { plan, engine } = x.client;
    this.x = x;
    this.over = over;
    this.tunnel = new Tunnel(near, far, {
      wheel: engine.wheel,
      idleMs: x.plan.timeouts.tunnel,
      received: plan.receivedBytes,
      sent: plan.sentBytes,
      ended: (end) => this.ended(end),
    });
    plan.tunnels.add(1);
  }

  /** @param nearEarly what the client sent behind its request; @param farEarly what the upstream sent behind its answer */
  start(nearEarly: Uint8Array, farEarly: Uint8Array): void {
    this.tunnel.start(nearEarly, farEarly);
  }

  get heldBytes(): number {
    return this.tunnel.heldBytes;
  }

  /** Ends it now, with a reset for both sides. */
  cut(): void {
    this.tunnel.cut();
  }

  private ended(end: TunnelEnd): void {
    const { x, tunnel } = this;
    x.client.plan.tunnels.add(-1);
    x.bytesIn = tunnel.bytesIn;
    x.bytesOut = tunnel.bytesOut;
    this.judge(end, `after ${tunnel.bytesIn} bytes in and ${tunnel.bytesOut} bytes out`);
    this.over();
  }

  /** Whose fault it was, if it did not end in good order. */
  private judge(end: TunnelEnd, carried: string): void {
    const { x } = this;
    if (end === "near_broken") x.lose("client_closed", `the client broke the tunnel off ${carried}`);
    else if (end === "far_broken") x.lose("tunnel_broken", `${x.upstream} broke the tunnel off ${carried}`);
    else if (end === "idle") x.lose("tunnel_idle", `nothing moved in the tunnel for too long, ${carried}`);
    else if (end === "cut") {
      this.reportCut();
      x.lose("stopped", `the tunnel was cut ${carried}`);
    }
  }

  private reportCut(): void {
    const { engine, plan, peer } = this.x.client;
    const { bytesIn, bytesOut, upstream, startedAt } = this.x;
    const ageMs = Math.round(engine.thread.clock.now() - startedAt);
    reportCut(engine, plan, { peer: peer.address, upstream, ageMs, bytesIn, bytesOut });
  }
}
