/**
 * The client's side of an HTTP/1 connection: reads requests one after the other, in order.
 *
 *   reading a head -> exchange (its body goes to the forwarder) -> answer sent -> next head …
 *                                                                -> lingering -> closed
 *
 * Pipelined requests wait in the kernel: the next head is looked at when the answer before it is out.
 */
import type { FailureCode } from "../errors.ts";
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import { ConnectionPeer } from "../net/peer.ts";
import { Timed } from "../net/wheel.ts";
import { endChunks } from "./body.ts";
import type { Client } from "./client.ts";
import { begin, bodyFault, conclude, keepTime, loseClient } from "./course.ts";
import { firstDelay } from "./deadlines.ts";
import type { Engine } from "./engine.ts";
import type { HttpExchange } from "./exchange.ts";
import { Refusal } from "./head.ts";
import { Lingering } from "./lingering.ts";
import type { ListenerPlan } from "./plan.ts";
import { RequestHead } from "./request-head.ts";
import { RequestInput } from "./request-input.ts";
import { TunnelledExchange } from "./tunnelled-exchange.ts";

/** The listener's plan of the moment; a reload puts another one here. */
export interface PlanHolder {
  plan: ListenerPlan;
}

/** `dropping`: the answer is out, and the rest of a small body is read for the sake of the next request. */
type State = "reading" | "exchanging" | "dropping" | "tunnelling" | "lingering" | "closed";

/** How much of a body that nobody wants is read and dropped, so that the connection can go on. */
const dropBytes = 64 * 1024;

/** What a client sends first that speaks HTTP/2 without having been asked (RFC 9113 section 3.4), as far as a scan of it goes. */
const http2Beginning = "PRI * HTTP/2.0\r\n";

/** Who keeps the sessions of a thread. */
export interface Registrar {
  closed(session: Session): void;
  /** The client speaks HTTP/2, beginning with these bytes: another session takes the connection over. */
  speaksHttp2(session: Session, bytes: Buffer): void;
}

export class Session extends Timed implements ConnectionOwner, Client {
  readonly version = "http1";
  readonly engine: Engine;
  readonly connection: Connection;
  readonly peer: ConnectionPeer;
  trusted: boolean;
  /** The plan by which the exchange at hand, or the last one, runs. */
  plan: ListenerPlan;
  connectionLines: string;
  private readonly holder: PlanHolder;
  private readonly registrar: Registrar;
  /** Nothing was read yet. */
  private fresh = true;
  private readonly input = new RequestInput();
  private state: State = "reading";
  private x: HttpExchange | null = null;
  private tunnel: TunnelledExchange | null = null;
  private pumping = false;
  private headStarted = false;
  private lastActivity: number;
  /** Bytes of the last answer that the client had not taken when it was done. */
  private untaken = 0;

  constructor(engine: Engine, holder: PlanHolder, connection: Connection, registrar: Registrar) {
    super();
    this.engine = engine;
    this.holder = holder;
    this.plan = holder.plan;
    this.connection = connection;
    this.registrar = registrar;
    this.peer = new ConnectionPeer(connection);
    this.trusted = this.plan.trusts(connection.address);
    this.connectionLines = this.plan.manner.connectionLines(connection.address, this.scheme, "http1");
    this.lastActivity = engine.wheel.now;
    connection.owner = this;
    engine.wheel.set(this, this.plan.headTimeout);
  }

  // -------------------------------------------------------------------------------------------
  // What others ask

  /** What the next exchange goes by, and the one at hand. */
  get plans(): readonly ListenerPlan[] {
    return this.x === null ? [this.holder.plan] : [this.holder.plan, this.plan];
  }

  /** True when answers end their connections, as clients must go elsewhere. The app's own calls have nowhere to go. */
  get leaves(): boolean {
    return this.engine.announcing && this.plan.direction === "inbound";
  }

  get scheme(): "http" | "https" {
    return this.connection.security === undefined ? "http" : "https";
  }

  get bodyRead(): boolean {
    return this.input.bodyDone || this.dropsRest;
  }

  /** Who expects a 100 may never send the body, and then the next request would be taken for it (RFC 9110 section 10.1.1). */
  private get dropsRest(): boolean {
    const { contentLength, expect } = this.x!.head;
    return contentLength >= 0 && expect === "" && contentLength - this.input.contentBytes <= dropBytes;
  }

  get requestTrailers(): string {
    return this.input.trailers;
  }

  get pendingBytes(): number {
    return this.connection.pendingBytes;
  }

  /** Bytes that wait in this process for either side: bounded, however slow they are. */
  get heldBytes(): number {
    if (this.tunnel !== null) return this.tunnel.heldBytes;
    return this.connection.pendingBytes + this.input.length + (this.x?.forward?.heldBytes ?? 0);
  }

  /** True while an exchange runs, or the end of an answer waits for the client to take it. */
  get busy(): boolean {
    return this.x !== null || this.connection.pendingBytes > 0;
  }

  /** Ends the connection now, whatever runs on it. Returns true when an answer was cut. */
  cut(): boolean {
    const { busy, tunnel } = this;
    if (tunnel !== null) {
      tunnel.cut();
      return true;
    }
    this.x?.fail("stopped", "the time for draining is over");
    if (this.connection.pendingBytes > 0) this.connection.destroy();
    else this.connection.end(); // what the kernel has taken still reaches the client
    return busy;
  }

  // -------------------------------------------------------------------------------------------
  // Reading

  onData(bytes: Buffer): void {
    this.lastActivity = this.engine.wheel.now;
    this.plan.receivedBytes.add(bytes.length);
    const decides = this.input.add(bytes, this.plan.limits.headBytes);
    if (decides || this.state !== "reading") this.pump();
  }

  /** Does what can be done with the bytes at hand. */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (!this.input.empty && this.step());
    this.pumping = false;
  }

  /** Returns true when there may be more to do. */
  private step(): boolean {
    if (this.state === "reading") return this.readHead();
    return this.state === "dropping" ? this.drop() : this.readBody();
  }

  private drop(): boolean {
    this.input.readBody("content");
    if (!this.input.bodyDone) return false;
    this.input.endBody();
    this.awaitNext();
    return true;
  }

  private readHead(): boolean {
    if (this.connection.pendingBytes > 0) {
      this.connection.pause(); // the client does not take its last answer
      return false;
    }
    const head = this.input.readHead(this.holder.plan.limits);
    if (head === undefined && !this.input.looksLikeTls) {
      if (this.connection.ended) this.connection.end();
      else if (this.input.empty) this.awaitFirstByte();
      else this.awaitHead();
      return false;
    }
    this.headStarted = false;
    if (head === undefined || head instanceof Refusal) return this.refuseHead(head);
    this.open(head).dispatch();
    return true;
  }

  private awaitFirstByte(): void {
    this.headStarted = false;
    this.engine.wheel.set(this, this.plan.keepAliveTimeout);
  }

  private awaitHead(): void {
    if (this.headStarted) return;
    this.headStarted = true;
    this.engine.wheel.set(this, this.plan.headTimeout);
  }

  /** @param refusal undefined for a ClientHello, which need not look wrong yet */
  private refuseHead(refusal: Refusal | undefined): boolean {
    if (this.beginsHttp2()) return false;
    if (refusal === undefined || this.input.looksLikeTls)
      this.refuse("tls_on_plain_port", "a TLS handshake was sent; the listener has no tls");
    else this.refuse(refusal.code, refusal.detail);
    return true;
  }

  /** Asked only where no head of HTTP/1 is: it costs those nothing. True when the connection is another's from now on. */
  private beginsHttp2(): boolean {
    const bytes = this.input.peek();
    if (!this.fresh || bytes.toString("latin1", 0, http2Beginning.length) !== http2Beginning) return false;
    this.state = "closed";
    this.engine.wheel.clear(this);
    this.registrar.speaksHttp2(this, bytes);
    return true;
  }

  /** A head that cannot be read: answered, recorded, and the connection ends. */
  private refuse(code: FailureCode, detail: string): void {
    const head = new RequestHead();
    head.saysClose = true;
    this.input.clear();
    this.open(head).fail(code, detail);
  }

  /** Gives the request's body to the forwarder. Returns true when there may be more to do. */
  private readBody(): boolean {
    const { x, input } = this;
    if (x === null || this.state !== "exchanging") return false;
    const { forward } = x;
    if (input.bodyDone || forward === null || !forward.takesBody) {
      this.connection.pause(); // the next request, or a body nobody can take yet: it waits in the kernel
      return false;
    }
    const pieces = input.readBody(forward.requestForm);
    x.bytesIn = input.contentBytes;
    const refusal = bodyFault(x, input.fault);
    if (refusal !== undefined) {
      x.closes = true;
      x.fail(refusal.code, refusal.detail);
      return false;
    }
    forward.sendBody(pieces, input.bodyDone);
    // Stop the client before the next data comes, as that may be half a mebibyte.
    if (x.stage !== "done" && !forward.takesBody) this.connection.pause();
    if (!input.bodyDone && input.empty && this.connection.ended)
      this.clientLeft("the client closed in the middle of its request");
    return true;
  }

  resumeBody(): void {
    this.connection.resume();
    this.pump();
  }

  // -------------------------------------------------------------------------------------------
  // The exchange

  private open(head: RequestHead): HttpExchange {
    const { plan } = this.holder;
    if (plan !== this.plan) this.follow(plan);
    this.state = "exchanging";
    this.fresh = false;
    const x = begin(this, head, this.input.bodyDone);
    x.closes = !head.keepsAlive || plan.retired;
    this.x = x;
    return x;
  }

  /** A reload has replaced the plan: whom it trusts may have changed, even the direction. */
  private follow(plan: ListenerPlan): void {
    this.plan = plan;
    this.trusted = plan.trusts(this.connection.address);
    this.connectionLines = plan.manner.connectionLines(this.connection.address, this.scheme, "http1");
  }

  startClock(): void {
    this.engine.wheel.set(this, firstDelay(this.x!.plan.timeouts));
  }

  // -------------------------------------------------------------------------------------------
  // Answering

  send(bytes: Uint8Array): boolean {
    this.lastActivity = this.engine.wheel.now;
    this.plan.sentBytes.add(bytes.length);
    return this.connection.write(bytes);
  }

  sendInformation(head: string): boolean {
    return this.sendHead(head, undefined);
  }

  endBody(trailers: string): boolean {
    return this.send(endChunks(trailers));
  }

  sendHead(head: string, body: Uint8Array | undefined): boolean {
    this.lastActivity = this.engine.wheel.now;
    this.plan.sentBytes.add(head.length + (body === undefined ? 0 : body.length));
    return this.connection.writeHead(head, body);
  }

  openTunnel(head: string, far: Connection, farEarly: Uint8Array): void {
    this.state = "tunnelling";
    this.engine.wheel.clear(this);
    this.sendHead(head, undefined);
    this.tunnel = new TunnelledExchange(this.x!, this.connection, far, () => this.tunnelEnded());
    this.tunnel.start(this.input.takeAll(), farEarly);
  }

  private tunnelEnded(): void {
    this.tunnel = null;
    this.state = "closed";
    this.finish();
    this.registrar.closed(this);
  }

  onDrain(): void {
    this.lastActivity = this.engine.wheel.now;
    if (this.x !== null) this.x.forward?.onClientDrain();
    else if (this.state === "reading") {
      this.connection.resume();
      this.pump();
    }
  }

  /** Ends an exchange whose answer nobody will see. */
  private clientLeft(detail: string): void {
    loseClient(this.x!, detail);
    this.breakOff();
  }

  /** The connection ends with a reset, which calls `onClose` at once. */
  breakOff(): void {
    this.state = "closed";
    this.finish();
    this.connection.destroy();
  }

  finish(): void {
    const x = this.x!;
    const { input } = this;
    const drops = !input.bodyDone && this.dropsRest;
    const unread = !input.bodyDone && !drops;
    this.x = null;
    if (!drops) input.endBody();
    conclude(x);
    if (this.state === "closed") return;
    if (x.closes || unread || (this.connection.ended && input.empty)) this.linger();
    else if (drops) this.dropRest();
    else this.awaitNext();
  }

  private dropRest(): void {
    this.state = "dropping";
    this.engine.wheel.set(this, this.plan.headTimeout);
    this.connection.resume();
    if (!this.input.empty) this.pump();
  }

  private awaitNext(): void {
    this.state = "reading";
    this.untaken = this.connection.pendingBytes;
    this.engine.wheel.set(this, this.plan.keepAliveTimeout);
    if (this.connection.pendingBytes === 0) this.connection.resume();
    if (!this.input.empty) this.pump();
  }

  // -------------------------------------------------------------------------------------------
  // Ending

  private linger(): void {
    const { wheel } = this.engine;
    this.state = "lingering";
    this.input.clear();
    wheel.clear(this);
    const { idle } = this.plan.fallback.timeouts;
    new Lingering(wheel, this.connection, idle > 0 ? idle : Number.POSITIVE_INFINITY, () => this.onClose());
  }

  onEnd(): void {
    if (this.state === "reading") this.endReading();
    else if (this.state === "dropping") this.connection.end();
    else if (!this.input.empty || this.x === null)
      return; // more requests, or body, wait to be looked at
    else if (!this.input.bodyDone) this.clientLeft("the client closed in the middle of its request");
    else this.x.closes = true; // half-closed: it still waits for its answer
  }

  /** No request follows; what was left unscanned may still deserve its refusal. */
  private endReading(): void {
    if (this.input.empty) this.connection.end();
    else this.pump();
  }

  onClose(): void {
    const running = this.x !== null;
    this.state = "closed";
    this.engine.wheel.clear(this);
    if (running) this.clientLeft("the client closed the connection");
    this.registrar.closed(this);
  }

  override onDeadline(now: number): void {
    if (this.x !== null) keepTime(this, this.x, now, now - this.lastActivity);
    else if (this.headStarted) this.refuseLate();
    else if (this.state === "reading") this.closeIdle();
    else if (this.state === "dropping") this.linger();
  }

  /** The time between two requests is over; a client that took nothing of its last answer in it is gone. */
  private closeIdle(): void {
    const { pendingBytes } = this.connection;
    if (pendingBytes > 0 && pendingBytes === this.untaken) this.connection.destroy();
    else this.linger();
  }

  /** A line that never ended has not been scanned to its end; a fault in it is the better answer. */
  private refuseLate(): void {
    const head = this.input.readHead(this.holder.plan.limits);
    if (head instanceof Refusal) this.refuse(head.code, head.detail);
    else this.refuse("head_timeout", `no complete head within ${this.plan.headTimeout} ms`);
  }
}
