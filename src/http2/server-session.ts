/**
 * The client's side of an HTTP/2 connection: each stream of it is a client of its own, with its own exchange.
 *
 *   Http2Connection --onRequest--> head as text -> RequestHead (the one strict scanner) -> exchange
 */
import type { Occupant } from "../http/admission.ts";
import type { Engine } from "../http/engine.ts";
import { Refusal } from "../http/head.ts";
import type { ListenerPlan } from "../http/plan.ts";
import { RequestHead } from "../http/request-head.ts";
import type { PlanHolder } from "../http/session.ts";
import type { Connection } from "../net/connection.ts";
import { ConnectionPeer } from "../net/peer.ts";
import { Http2Connection } from "./connection.ts";
import { errorName } from "./error-codes.ts";
import type { FieldSection } from "./field-section.ts";
import { requestHeadText } from "./head-text.ts";
import type { Http2Owner } from "./owner.ts";
import { ServerStream } from "./server-stream.ts";
import type { Stream } from "./stream.ts";

/** Streams a client may have open at once. */
const mostStreams = 128;

/** Heads have passed the connection's own limits when they are scanned as text. */
const noLimits = { headBytes: Number.POSITIVE_INFINITY, headFields: Number.POSITIVE_INFINITY };

export class ServerSession implements Http2Owner, Occupant {
  readonly engine: Engine;
  readonly peer: ConnectionPeer;
  /** The plan by which the last request was taken. */
  plan: ListenerPlan;
  trusted: boolean;
  connectionLines: string;
  readonly http2: Http2Connection;
  /** Exchanges that run. */
  readonly running = new Set<ServerStream>();
  private readonly holder: PlanHolder;
  private readonly connection: Connection;
  private readonly closed: (occupant: Occupant) => void;
  private lastActivity: number;
  /** Bytes the client had not taken at the last tick that found it no further. */
  private untaken = 0;

  constructor(engine: Engine, holder: PlanHolder, connection: Connection, closed: (occupant: Occupant) => void) {
    const { plan } = holder;
    this.engine = engine;
    this.holder = holder;
    this.plan = plan;
    this.connection = connection;
    this.closed = closed;
    this.peer = new ConnectionPeer(connection);
    this.trusted = plan.trusts(connection.address);
    this.connectionLines = plan.manner.connectionLines(connection.address, this.scheme, "http2");
    this.lastActivity = engine.wheel.now;
    const { headBytes, headFields } = plan.limits;
    const limits = { headBytes, headFields, streams: mostStreams, headTimeout: plan.headTimeout };
    this.http2 = new Http2Connection(this, connection, engine.wheel, true, limits);
  }

  get scheme(): "http" | "https" {
    return this.connection.security === undefined ? "http" : "https";
  }

  get plans(): readonly ListenerPlan[] {
    const plans = new Set([this.holder.plan]);
    for (const { plan } of this.running) plans.add(plan);
    return [...plans];
  }

  /** True when clients must go elsewhere. The app's own calls have nowhere to go. */
  get leaves(): boolean {
    return this.engine.announcing && this.plan.direction === "inbound";
  }

  get busy(): boolean {
    return this.http2.streams.size > 0 || this.connection.pendingBytes > 0;
  }

  get heldBytes(): number {
    let held = this.connection.pendingBytes;
    for (const stream of this.running) held += stream.heldBytes;
    return held;
  }

  cut(): boolean {
    const { busy } = this;
    for (const stream of [...this.running]) stream.stop();
    this.http2.leave();
    this.http2.output.flush();
    if (this.connection.pendingBytes > 0) this.connection.destroy();
    else this.connection.end();
    return busy;
  }

  // -------------------------------------------------------------------------------------------
  // What the connection tells

  onRequest(stream: Stream, section: FieldSection, ends: boolean): void {
    const client = this.admit(stream);
    if (section.tooLarge) {
      const { headBytes, headFields } = this.http2.limits;
      client.refuse("head_too_large", `more than ${headBytes} bytes or ${headFields} fields`);
      return;
    }
    const text = requestHeadText(section, ends);
    const head = new RequestHead().scan(Buffer.from(text, "latin1"), text.length, noLimits);
    if (head instanceof RequestHead) client.open(head, ends).dispatch();
    else if (head instanceof Refusal) client.refuse(head.code, head.detail);
    else client.refuse("bad_header", "the head does not come to its end");
  }

  onMalformed(stream: Stream, detail: string): void {
    this.admit(stream).refuse("bad_header", detail);
  }

  private admit(stream: Stream): ServerStream {
    const { plan } = this.holder;
    if (plan !== this.plan) this.follow(plan);
    if (this.leaves || plan.retired) this.http2.drain();
    this.lastActivity = this.engine.wheel.now;
    return new ServerStream(this, stream);
  }

  /** A reload has replaced the plan: whom it trusts may have changed, even the direction. */
  private follow(plan: ListenerPlan): void {
    const { address } = this.connection;
    this.plan = plan;
    this.trusted = plan.trusts(address);
    this.connectionLines = plan.manner.connectionLines(address, this.scheme, "http2");
  }

  onBytes(received: number, sent: number): void {
    if (received > 0) this.plan.receivedBytes.add(received);
    if (sent > 0) this.plan.sentBytes.add(sent);
  }

  onRoom(): void {}

  onTick(now: number): void {
    const { pendingBytes } = this.connection;
    if (this.leaves || this.holder.plan.retired) this.http2.drain();
    if (pendingBytes !== this.untaken || this.http2.streams.size > 0) this.lastActivity = now;
    this.untaken = pendingBytes;
    if (now - this.lastActivity < this.plan.keepAliveTimeout) return;
    if (pendingBytes > 0) this.connection.destroy();
    else this.http2.leave();
  }

  onFault(code: number, detail: string): void {
    this.engine.reportHttp2(this.peer.address, errorName(code), detail);
  }

  onClosed(): void {
    this.closed(this);
  }
}
