/** One request of an HTTP/2 client, and its answer: what `Session` is for HTTP/1. */
import type { FailureCode } from "../errors.ts";
import { forbiddenTrailer } from "../http/body.ts";
import type { Client } from "../http/client.ts";
import { begin, bodyFault, conclude, keepTime, loseClient } from "../http/course.ts";
import { firstDelay } from "../http/deadlines.ts";
import type { Engine } from "../http/engine.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { ListenerPlan } from "../http/plan.ts";
import { RequestHead } from "../http/request-head.ts";
import type { ConnectionPeer } from "../net/peer.ts";
import { Timed } from "../net/wheel.ts";
import { ErrorCode } from "./error-codes.ts";
import type { ServerSession } from "./server-session.ts";
import type { ResetHow, Stream, StreamUser } from "./stream.ts";

export class ServerStream extends Timed implements Client, StreamUser {
  readonly version = "http2";
  readonly engine: Engine;
  readonly plan: ListenerPlan;
  readonly peer: ConnectionPeer;
  readonly scheme: "http" | "https";
  readonly trusted: boolean;
  readonly connectionLines: string;
  requestTrailers = "";
  private readonly session: ServerSession;
  private readonly stream: Stream;
  private x: HttpExchange | null = null;
  /** Body that nobody takes yet: at most a window of it. */
  private held: Buffer[] = [];
  private heldLength = 0;
  /** Body that was given on, and of which the client was not told yet. */
  private untold = 0;
  private pumping = false;
  private lastActivity: number;
  /** Bytes of the answer that the client had not taken when that was last looked at. */
  private untaken = 0;

  constructor(session: ServerSession, stream: Stream) {
    super();
    this.session = session;
    this.stream = stream;
    this.engine = session.engine;
    this.plan = session.plan;
    this.peer = session.peer;
    this.scheme = session.scheme;
    this.trusted = session.trusted;
    this.connectionLines = session.connectionLines;
    this.lastActivity = session.engine.wheel.now;
    stream.user = this;
  }

  get leaves(): boolean {
    return this.session.leaves;
  }

  get bodyRead(): boolean {
    return this.stream.remoteEnded && this.held.length === 0;
  }

  get pendingBytes(): number {
    return this.stream.queued;
  }

  get heldBytes(): number {
    return this.stream.queued + this.heldLength + (this.x?.forward?.heldBytes ?? 0);
  }

  // -------------------------------------------------------------------------------------------
  // The exchange

  open(head: RequestHead, ends: boolean): HttpExchange {
    const x = begin(this, head, ends);
    this.x = x;
    this.session.running.add(this);
    return x;
  }

  /** A head that cannot be taken: answered and recorded. */
  refuse(code: FailureCode, detail: string): void {
    this.open(new RequestHead(), this.stream.remoteEnded).fail(code, detail);
  }

  startClock(): void {
    this.engine.wheel.set(this, firstDelay(this.x!.plan.timeouts));
  }

  // -------------------------------------------------------------------------------------------
  // The request's body

  onHead(): void {}

  onBody(bytes: Buffer, _ends: boolean): void {
    const { x } = this;
    if (x === null) return;
    this.lastActivity = this.engine.wheel.now;
    x.bytesIn += bytes.length;
    const fault = bodyFault(x, undefined);
    if (fault !== undefined) {
      x.fail(fault.code, fault.detail);
      return;
    }
    if (bytes.length > 0) {
      this.held.push(bytes);
      this.heldLength += bytes.length;
    }
    this.pump();
  }

  onTrailers(lines: string): void {
    const forbidden = forbiddenTrailer(lines);
    if (forbidden === undefined) {
      this.requestTrailers = lines;
      this.pump();
    } else this.x?.fail("bad_header", `${forbidden} is not allowed as a trailer field`);
  }

  resumeBody(): void {
    this.stream.taken(this.untold);
    this.untold = 0;
    this.pump();
  }

  /** Gives the forwarder what it takes; the client may send as much again once more is wanted. */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.givesBody());
    this.pumping = false;
  }

  private givesBody(): boolean {
    const { x } = this;
    const forward = x?.forward;
    if (x === null || forward === undefined || forward === null || x.requestDone || !forward.takesBody) return false;
    const ends = this.stream.remoteEnded;
    if (this.heldLength === 0 && !ends) return false;
    const { held, heldLength } = this;
    this.held = [];
    this.heldLength = 0;
    this.untold += heldLength;
    forward.sendBody(held, ends);
    if (this.x !== null && forward.takesBody) {
      this.stream.taken(this.untold);
      this.untold = 0;
    }
    return !ends;
  }

  // -------------------------------------------------------------------------------------------
  // Answering

  sendInformation(head: string): boolean {
    this.stream.inform(head);
    return true;
  }

  sendHead(head: string, body: Uint8Array | undefined): boolean {
    this.lastActivity = this.engine.wheel.now;
    this.stream.respond(head, false);
    return body === undefined || body.length === 0 || this.stream.write(body);
  }

  send(bytes: Uint8Array): boolean {
    this.lastActivity = this.engine.wheel.now;
    return this.stream.write(bytes);
  }

  endBody(trailers: string): boolean {
    this.stream.end(trailers);
    return this.stream.queued === 0;
  }

  onDrain(): void {
    this.lastActivity = this.engine.wheel.now;
    this.x?.forward?.onClientDrain();
  }

  finish(): void {
    this.conclude();
    this.stream.finish();
    if (this.stream.queued === 0) return;
    this.untaken = this.stream.queued;
    this.awaitTaking();
  }

  breakOff(): void {
    this.conclude();
    this.stream.cancel(ErrorCode.INTERNAL_ERROR);
  }

  onReset(_how: ResetHow, detail: string): void {
    const { x } = this;
    this.engine.wheel.clear(this);
    if (x === null) return;
    loseClient(x, detail);
    this.conclude();
  }

  /** The time for draining is over. */
  stop(): void {
    this.x?.fail("stopped", "the time for draining is over");
  }

  /** The exchange is over; the stream may still have something to send. */
  private conclude(): void {
    const x = this.x!;
    this.x = null;
    this.held = [];
    this.heldLength = 0;
    this.session.running.delete(this);
    this.engine.wheel.clear(this);
    conclude(x);
  }

  // -------------------------------------------------------------------------------------------
  // Time

  override onDeadline(now: number): void {
    if (this.x === null) this.lookAtTaking();
    else keepTime(this, this.x, now, now - this.lastActivity);
  }

  private awaitTaking(): void {
    const { idle } = this.plan.fallback.timeouts;
    if (idle > 0) this.engine.wheel.set(this, idle);
  }

  /** A client that opens no window for the end of its answer would hold it for ever. */
  private lookAtTaking(): void {
    const { queued } = this.stream;
    if (queued === 0) return;
    if (queued === this.untaken) this.stream.cancel(ErrorCode.CANCEL);
    else this.awaitTaking();
    this.untaken = queued;
  }
}
