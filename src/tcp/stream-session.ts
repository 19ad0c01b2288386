/**
 * A client's connection whose bytes are not looked into: TCP, or TLS that ends elsewhere.
 *
 *   route chosen -> connecting -> tunnel -> closed
 *
 * The upstream is connected to at once, as servers of some protocols speak first. Until it is there the client's bytes
 * wait in the kernel. A client whose upstream cannot be reached sees a reset: there is no other way to say so.
 */
import type { FailureCode } from "../errors.ts";
import type { Engine } from "../http/engine.ts";
import type { ListenerPlan } from "../http/plan.ts";
import { reportCut } from "../http/reports.ts";
import type { PlanHolder } from "../http/session.ts";
import type { Upstream, UpstreamUser } from "../http/upstream.ts";
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import type { Ends } from "../net/dial.ts";
import { Tunnel, type TunnelEnd } from "../net/tunnel.ts";
import type { StreamPlan, StreamResult, StreamRoute } from "./stream-plan.ts";

const nothing = new Uint8Array(0);
/** A fatal alert `unrecognized_name` in a record of TLS 1.2 (RFC 8446 section 6.2, RFC 6066 section 3). */
const unrecognizedName = new Uint8Array([21, 3, 3, 0, 2, 2, 112]);

export class StreamSession implements ConnectionOwner, UpstreamUser {
  readonly requestMethod = "CONNECT";
  readonly plan: ListenerPlan;
  private readonly engine: Engine;
  private readonly stream: StreamPlan;
  private readonly connection: Connection;
  private readonly closed: (session: StreamSession) => void;
  private readonly startedAt: number;
  private route: StreamRoute | undefined;
  private early: Uint8Array = nothing;
  private up: Upstream | null = null;
  private tunnel: Tunnel | null = null;
  private over = false;

  /** @param stream the plan's own, which the caller has looked at */
  constructor(
    engine: Engine,
    holder: PlanHolder,
    stream: StreamPlan,
    connection: Connection,
    closed: (session: StreamSession) => void,
  ) {
    this.engine = engine;
    this.plan = holder.plan;
    this.stream = stream;
    this.connection = connection;
    this.closed = closed;
    this.startedAt = engine.thread.clock.now();
  }

  /**
   * @param serverName what a TLS client asked for
   * @param early bytes that were read to learn that
   * @param isTls true when a refusal can be told in TLS
   */
  start(serverName: string | undefined, early: Uint8Array | undefined, isTls: boolean): void {
    this.connection.owner = this;
    this.connection.pause();
    this.early = early ?? nothing;
    this.plan.receivedBytes.add(this.early.length);
    this.route = this.stream.routes.find((route) => route.takes(serverName));
    const { route } = this;
    if (route === undefined) this.refuse(serverName, isTls);
    else this.up = route.poolFor(this.connection).connect(this, route.connect);
  }

  /** On an upstream's connection that is there already, whose first bytes were read. */
  startWith(route: StreamRoute, far: Connection, farEarly: Uint8Array): void {
    this.route = route;
    this.pipe(far, farEarly);
  }

  /** Whose connection it is, for an upstream that is told by a PROXY header. */
  get ends(): Ends {
    const { address, port, destination } = this.connection;
    return { source: { address, port }, destination };
  }

  /** What it goes by; a reload does not change that. */
  get plans(): readonly ListenerPlan[] {
    return [this.plan];
  }

  get busy(): boolean {
    return !this.over;
  }

  get heldBytes(): number {
    return this.tunnel?.heldBytes ?? this.early.length;
  }

  /** Ends it now. Returns true when it was cut. */
  cut(): boolean {
    const { busy } = this;
    if (this.tunnel !== null) this.tunnel.cut();
    else if (busy) this.fail("stopped", "the time for draining is over");
    return busy;
  }

  onConnected(up: Upstream): void {
    this.up = null;
    this.pipe(up.surrender!(), nothing);
  }

  private pipe(far: Connection, farEarly: Uint8Array): void {
    const { route, engine, plan } = this;
    plan.tunnels.add(1);
    this.tunnel = new Tunnel(this.connection, far, {
      wheel: engine.wheel,
      idleMs: route?.tunnel ?? Number.POSITIVE_INFINITY,
      received: plan.receivedBytes,
      sent: plan.sentBytes,
      ended: (end) => this.tunnelEnded(end),
    });
    const { early } = this;
    this.early = nothing;
    this.tunnel.start(early, farEarly);
  }

  onUpstreamFailure(code: FailureCode, detail: string): void {
    this.up = null;
    this.fail(code, detail);
  }

  /** The client left before there was an upstream. */
  onClose(): void {
    if (!this.over) this.fail("client_closed", "the client closed before the upstream was reached");
  }

  private tunnelEnded(end: TunnelEnd): void {
    const { plan, engine, route, connection } = this;
    const { bytesIn, bytesOut } = this.tunnel!;
    plan.tunnels.add(-1);
    const ageMs = this.ageMs();
    const upstream = route?.poolFor(connection).name;
    if (end === "cut") reportCut(engine, plan, { peer: connection.address, upstream, ageMs, bytesIn, bytesOut });
    else if (end !== "closed")
      this.report(endCodes[end], `${endWords[end]} after ${bytesIn} bytes in and ${bytesOut} bytes out`);
    this.end(end);
  }

  private refuse(serverName: string | undefined, isTls: boolean): void {
    const detail = serverName === undefined ? "it named no server" : `it asked for ${serverName}`;
    this.report("no_route", detail);
    this.end("refused");
    if (isTls) {
      this.connection.write(unrecognizedName);
      this.connection.end();
    } else this.connection.destroy();
  }

  private fail(code: FailureCode, detail: string): void {
    this.report(code, detail);
    this.up?.abandon();
    this.up = null;
    this.end("failed");
    this.connection.destroy();
  }

  private report(code: FailureCode, detail: string): void {
    const { engine, plan, route, connection } = this;
    engine.countFailure(code);
    engine.thread.emit("stream_failed", {
      code,
      listener: plan.name,
      route: route?.name ?? "-",
      peer: connection.address,
      upstream: route?.poolFor(connection).name,
      detail,
    });
  }

  private end(result: StreamResult): void {
    if (this.over) return;
    this.over = true;
    this.stream.duration.observe(this.ageMs() / 1000);
    (this.route?.connections[result] ?? this.stream.refused).add(1);
    this.closed(this);
  }

  private ageMs(): number {
    return Math.round(this.engine.thread.clock.now() - this.startedAt);
  }

  // The client's bytes wait in the kernel, and nothing of HTTP comes from the upstream.
  onData(bytes: Buffer): void {
    this.early = Buffer.concat([this.early, bytes]);
    this.plan.receivedBytes.add(bytes.length);
  }
  onEnd(): void {}
  onDrain(): void {}
  onInformation(): void {}
  onResponse(): void {}
  onBody(): void {}
  onUpstreamDrain(): void {}
}

const endCodes = { near_broken: "client_closed", far_broken: "tunnel_broken", idle: "tunnel_idle" } as const;
const endWords = {
  near_broken: "the client broke the connection off",
  far_broken: "the upstream broke the connection off",
  idle: "nothing moved for too long,",
} as const;
