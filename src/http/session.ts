/**
 * The client's side of an HTTP/1 connection: reads requests one after the other, in order.
 *
 *   reading a head -> exchange (its body goes to the forwarder) -> answer sent -> next head …
 *                                                                -> lingering -> closed
 *
 * Pipelined requests wait in the kernel: the next head is looked at when the answer before it is out.
 */
import type { Peer, Reply } from "../contracts.ts";
import { type FailureCode, failure } from "../errors.ts";
import { type Connection, type ConnectionOwner, isLoopback } from "../net/connection.ts";
import { Timed } from "../net/wheel.ts";
import { type BodyReader, ChunkedReader, LengthReader, noBody } from "./body.ts";
import { runDone, runRequest } from "./chain.ts";
import type { Engine } from "./engine.ts";
import { HttpExchange, ResponseFields } from "./exchange.ts";
import { Forward } from "./forward.ts";
import { Refusal } from "./head.ts";
import type { ListenerPlan } from "./plan.ts";
import { RequestHead, readRequestHead } from "./request-head.ts";
import { failureReply, renderReply } from "./respond.ts";

/** The listener's plan of the moment; a reload puts another one here. */
export interface PlanHolder {
  plan: ListenerPlan;
}

type State = "reading" | "exchanging" | "lingering" | "closed";

/** After an answer that ends the connection, what still comes is read and dropped, so that no reset overtakes the answer. */
const lingerMs = 1000;
const lingerBytes = 256 * 1024;

export class Session extends Timed implements ConnectionOwner {
  readonly engine: Engine;
  readonly connection: Connection;
  readonly peer: Peer;
  trusted: boolean;
  /** The plan by which the exchange at hand, or the last one, runs. */
  plan: ListenerPlan;
  /** Field lines that every request of this connection is sent on with. */
  connectionLines: string;
  private readonly holder: PlanHolder;
  private readonly closed: (session: Session) => void;
  private state: State = "reading";
  private input: Buffer | null = null;
  private x: HttpExchange | null = null;
  private forward: Forward | null = null;
  private reader: BodyReader = noBody;
  private pumping = false;
  private headStarted = false;
  private lastActivity: number;
  private drained = 0;
  /** Bytes of the last answer that the client had not taken when that was last looked at. */
  private untaken = 0;

  constructor(engine: Engine, holder: PlanHolder, connection: Connection, closed: (session: Session) => void) {
    super();
    this.engine = engine;
    this.holder = holder;
    this.plan = holder.plan;
    this.connection = connection;
    this.closed = closed;
    this.peer = { address: connection.address, port: connection.port };
    this.trusted = this.plan.trusts(connection.address);
    this.connectionLines = this.plan.manner.connectionLines(connection.address);
    this.lastActivity = engine.wheel.now;
    connection.owner = this;
    engine.wheel.set(this, this.plan.headTimeout);
  }

  /** True while no exchange runs and nothing of one has arrived. */
  get idle(): boolean {
    return this.state === "reading" && this.input === null;
  }

  /** What the next exchange goes by, and the one at hand. */
  get plans(): readonly ListenerPlan[] {
    return this.x === null ? [this.holder.plan] : [this.holder.plan, this.plan];
  }

  /** True when answers end their connections, as clients must go elsewhere. The app's own calls have nowhere to go. */
  get leaves(): boolean {
    return this.engine.announcing && this.plan.direction === "inbound";
  }

  onData(bytes: Buffer): void {
    this.lastActivity = this.engine.wheel.now;
    this.plan.receivedBytes.add(bytes.length);
    if (this.state === "lingering") {
      this.drained += bytes.length;
      if (this.drained > lingerBytes) this.connection.destroy();
      return;
    }
    if (this.input === null) this.input = bytes;
    else if (
      this.state === "reading" &&
      bytes.indexOf(10) === -1 &&
      this.input.length + bytes.length < this.plan.limits.headBytes
    ) {
      // No line ended, so the verdict on the head cannot change: do not scan it again for every small packet.
      this.input = Buffer.concat([this.input, bytes]);
      return;
    } else this.input = Buffer.concat([this.input, bytes]);
    this.pump();
  }

  /** Does what can be done with the bytes at hand. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.input !== null && (this.state === "reading" ? this.readHead() : this.readBody()));
    this.pumping = false;
  }

  /** Returns true when there may be more to do. */
  private readHead(): boolean {
    if (this.connection.pendingBytes > 0) {
      this.connection.pause(); // the client does not take its last answer
      return false;
    }
    const head = readRequestHead(this.input!, this.holder.plan.limits);
    if (head === undefined) {
      if (this.connection.ended) this.connection.end();
      else this.awaitHead();
      return false;
    }
    this.headStarted = false;
    if (head instanceof Refusal) {
      this.refuse(head.code, head.detail);
      return false;
    }
    this.input = head.length === this.input!.length ? null : this.input!.subarray(head.length);
    this.begin(head);
    return true;
  }

  private awaitHead(): void {
    if (this.headStarted) return;
    this.headStarted = true;
    this.engine.wheel.set(this, this.plan.headTimeout);
  }

  private begin(head: RequestHead): void {
    this.reader = head.chunked
      ? new ChunkedReader()
      : head.contentLength > 0
        ? new LengthReader(head.contentLength)
        : noBody;
    this.dispatch(this.open(head));
  }

  private open(head: RequestHead): HttpExchange {
    const { engine } = this;
    const { plan } = this.holder;
    if (plan !== this.plan) this.follow(plan);
    this.state = "exchanging";
    plan.manner.receive(head, this.trusted);
    const x = new HttpExchange(this, head, this.idFor(head), plan.fallback, engine.thread.clock.now());
    x.requestDone = this.reader === noBody;
    x.closes = !head.keepsAlive || plan.retired;
    this.x = x;
    engine.activeExchanges++;
    return x;
  }

  /** A reload has replaced the plan: whom it trusts may have changed, even the direction. */
  private follow(plan: ListenerPlan): void {
    this.plan = plan;
    this.trusted = plan.trusts(this.connection.address);
    this.connectionLines = plan.manner.connectionLines(this.connection.address);
  }

  /** Trusted peers may bring an id along, so that one request has one id in the whole chain. */
  private idFor(head: RequestHead): string {
    const { requestId } = head;
    const usable = this.trusted && requestId !== undefined && requestId !== "" && requestId.length <= 128;
    return usable ? requestId : this.engine.nextId();
  }

  private dispatch(x: HttpExchange): void {
    if (this.engine.overloaded) {
      x.closes = true;
      this.fail("overloaded", "memory is short");
      return;
    }
    const { routes, fallback } = this.plan;
    let route = fallback;
    for (let i = 0; i < routes.length; i++) {
      if (routes[i]!.matches(x)) {
        route = routes[i]!;
        break;
      }
    }
    x.plan = route;
    this.schedule();
    if (x.head.contentLength > route.maxBodyBytes && route.maxBodyBytes > 0) {
      this.fail("body_too_large", `${x.head.contentLength} bytes are declared; ${route.maxBodyBytes} are allowed`);
      return;
    }
    if (route.chain.request.length === 0) act(x, undefined);
    else runRequest(x, act);
  }

  /** Filters have agreed: do what the route says. */
  act(x: HttpExchange, reply: Reply | undefined): void {
    if (x !== this.x) return;
    const { action } = x.plan;
    if (reply !== undefined) this.reply(reply);
    else if (action.kind === "respond") this.reply(action.reply);
    else if (action.kind === "refuse") this.fail(action.code, `${x.method} ${x.path}`);
    else {
      x.stage = "forwarding";
      this.forward = new Forward(x, action.pool);
      this.forward.start();
    }
  }

  /** Gives the request's body to the forwarder. Returns true when there may be more to do. */
  private readBody(): boolean {
    const x = this.x;
    if (x === null || this.state !== "exchanging") return false;
    if (this.reader.done || this.forward === null || !this.forward.takesBody) {
      this.connection.pause(); // the next request, or a body nobody can take yet: it waits in the kernel
      return false;
    }
    const pieces: Uint8Array[] = [];
    const input = this.input!;
    const taken = this.reader.feed(input, this.forward.requestForm, pieces);
    this.input = taken === input.length ? null : input.subarray(taken);
    x.bytesIn = this.reader.contentBytes;
    const most = x.plan.maxBodyBytes;
    if (most > 0 && x.bytesIn > most) {
      x.closes = true;
      this.fail("body_too_large", `more than ${most} bytes arrived`);
      return false;
    }
    if (this.reader.fault !== undefined) {
      x.closes = true;
      this.fail("bad_chunk", this.reader.fault);
      return false;
    }
    this.forward.sendBody(pieces, this.reader.done);
    this.waitIfFull();
    if (!this.reader.done && this.input === null && this.connection.ended)
      this.clientLeft("the client closed in the middle of its request");
    return true;
  }

  /** Stops the client before the next data comes, as that may be half a mebibyte. */
  private waitIfFull(): void {
    if (this.forward !== null && !this.forward.takesBody) this.connection.pause();
  }

  /** The forwarder can take body again. */
  resumeBody(): void {
    this.connection.resume();
    this.pump();
  }

  /** Writes part of the answer; false when the client is slower than the upstream. */
  send(bytes: string | Uint8Array): boolean {
    this.lastActivity = this.engine.wheel.now;
    this.plan.sentBytes.add(bytes.length);
    return this.connection.write(bytes);
  }

  sendHead(head: string, body: Uint8Array | undefined): boolean {
    this.lastActivity = this.engine.wheel.now;
    this.plan.sentBytes.add(head.length + (body === undefined ? 0 : body.length));
    return this.connection.writeHead(head, body);
  }

  onDrain(): void {
    this.lastActivity = this.engine.wheel.now;
    if (this.forward !== null) this.forward.onClientDrain();
    else if (this.state === "lingering") this.engine.wheel.set(this, lingerMs);
    else if (this.state === "reading") {
      this.connection.resume();
      this.pump();
    }
  }

  /** Answers from here: a fixed reply, or a filter's. */
  reply(reply: Reply): void {
    const x = this.x!;
    const fields = reply.headers ?? [];
    x.status = reply.status;
    x.stage = "answering";
    x.answer = new ResponseFields(reply.status, "", undefined, [...fields]);
    x.closes ||= this.leaves || !this.reader.done;
    const answer = renderReply(this.engine, reply, fields, {
      closes: x.closes,
      minor: x.head.minor,
      withoutBody: x.method === "HEAD",
    });
    x.bytesOut = answer.body?.length ?? 0;
    this.sendHead(answer.head, answer.body);
    this.finish();
  }

  /** Ends the exchange with a failure: an honest answer if none has begun, else a connection visibly broken off. */
  fail(code: FailureCode, detail: string): void {
    const x = this.x;
    if (x === null || x.stage === "done") return;
    x.failure = code;
    x.failureDetail = detail;
    x.abort();
    this.forward?.abandon();
    this.report(x, code, detail);
    if (x.stage === "answering") {
      this.breakOff();
      return;
    }
    if (failure(code).closes === true) x.closes = true;
    this.reply(failureReply(code, detail, x.id, x, this.showsDetail));
  }

  private get showsDetail(): boolean {
    return this.trusted || isLoopback(this.peer.address);
  }

  private report(x: HttpExchange, code: FailureCode, detail: string): void {
    this.engine.countFailure(code);
    this.engine.thread.emit("request_failed", {
      code,
      fault: failure(code).fault,
      listener: x.listener,
      route: x.route,
      id: x.id,
      upstream: x.upstream,
      detail,
    });
  }

  /** A head that cannot be read: answered, recorded, and the connection ends. */
  private refuse(code: FailureCode, detail: string): void {
    const head = new RequestHead();
    head.saysClose = true;
    this.input = null;
    this.open(head);
    this.fail(code, detail);
  }

  filterFailed(x: HttpExchange, error: unknown): void {
    this.reportFilter(x, error);
    if (x === this.x) this.fail("filter_failed", error instanceof Error ? error.message : String(error));
  }

  reportFilter(x: HttpExchange, error: unknown): void {
    this.engine.thread.emit("filter_failed", {
      listener: x.listener,
      route: x.route,
      id: x.id,
      error: error instanceof Error ? error.message : String(error),
    });
  }

  /** The answer is out, or will never be. */
  finish(): void {
    const x = this.x!;
    const engine = this.engine;
    const unread = !this.reader.done;
    this.x = null;
    this.forward = null;
    this.reader = noBody;
    x.stage = "done";
    x.durationMs = engine.thread.clock.now() - x.startedAt;
    engine.activeExchanges--;
    x.plan.requests[Math.min(Math.floor(x.status / 100), 5)]!.add(1);
    this.plan.duration.observe(x.durationMs / 1000);
    if (x.plan.chain.done.length > 0) runDone(x);
    if (this.state === "closed") return;
    this.untaken = this.connection.pendingBytes;
    if (x.closes || unread || (this.connection.ended && this.input === null)) this.linger();
    else this.awaitNext();
  }

  private awaitNext(): void {
    this.state = "reading";
    this.engine.wheel.set(this, this.plan.keepAliveTimeout);
    if (this.connection.pendingBytes === 0) this.connection.resume();
    if (this.input !== null) this.pump();
  }

  private linger(): void {
    const { connection } = this;
    this.state = "lingering";
    this.input = null;
    // While the client still takes its answer it has the time of an idle exchange; the rest begins after that.
    this.engine.wheel.set(this, connection.pendingBytes > 0 ? this.idleTimeout : lingerMs);
    if (connection.ended) connection.end();
    else {
      connection.shutdown();
      connection.resume();
    }
  }

  onEnd(): void {
    if (this.state === "lingering") this.connection.end();
    else if (this.state === "reading") this.endReading();
    else if (this.input !== null)
      return; // more requests, or body, wait to be looked at
    else if (!this.reader.done) this.clientLeft("the client closed in the middle of its request");
    else this.x!.closes = true; // half-closed: it still waits for its answer
  }

  /** No request follows; what was left unscanned may still deserve its refusal. */
  private endReading(): void {
    if (this.input === null) this.connection.end();
    else this.pump();
  }

  onClose(): void {
    const running = this.x !== null;
    this.state = "closed";
    this.engine.wheel.clear(this);
    if (running) this.clientLeft("the client closed the connection");
    this.closed(this);
  }

  private clientLeft(detail: string): void {
    this.lose(this.x!, "client_closed", detail);
  }

  /** Ends an exchange whose answer nobody will see. */
  private lose(x: HttpExchange, code: FailureCode, detail: string): void {
    x.failure = code;
    x.failureDetail = detail;
    if (x.status === 0) x.status = 499;
    x.abort();
    this.forward?.abandon();
    this.report(x, code, detail);
    this.breakOff();
  }

  /** Ends the exchange without the rest of its answer, and the connection with a reset, which calls `onClose` at once. */
  private breakOff(): void {
    this.state = "closed";
    this.finish();
    this.connection.destroy();
  }

  /** Sets the wheel for the earliest limit of the exchange at hand. */
  private schedule(): void {
    const { request, response, idle } = this.x!.plan.timeouts;
    let delay = idle > 0 ? idle : Number.POSITIVE_INFINITY;
    if (request > 0 && request < delay) delay = request;
    if (response > 0 && response < delay) delay = response;
    this.engine.wheel.set(this, delay);
  }

  override onDeadline(now: number): void {
    if (this.state === "reading") this.onReadingDeadline();
    else if (this.state === "lingering") this.giveUp();
    else if (this.x !== null) this.onExchangeDeadline(this.x, now);
  }

  private onReadingDeadline(): void {
    if (this.headStarted) this.refuseLate();
    else this.giveUp();
  }

  /** Closes, unless the client is still taking its last answer; what the kernel has taken goes out all the same. */
  private giveUp(): void {
    const { pendingBytes } = this.connection;
    if (pendingBytes === 0) this.connection.end();
    else if (pendingBytes === this.untaken) this.connection.destroy();
    else this.engine.wheel.set(this, this.idleTimeout);
    this.untaken = pendingBytes;
  }

  /** A line that never ended has not been scanned to its end; a fault in it is the better answer. */
  private refuseLate(): void {
    const head = readRequestHead(this.input!, this.holder.plan.limits);
    if (head instanceof Refusal) this.refuse(head.code, head.detail);
    else this.refuse("head_timeout", `no complete head within ${this.plan.headTimeout} ms`);
  }

  private get idleTimeout(): number {
    const { idle } = this.plan.fallback.timeouts;
    return idle > 0 ? idle : Number.POSITIVE_INFINITY;
  }

  private onExchangeDeadline(x: HttpExchange, now: number): void {
    const { request, response, idle } = x.plan.timeouts;
    const quiet = now - this.lastActivity;
    if (request > 0 && now - x.startedAt >= request)
      this.fail(this.blame(x, "upstream_timeout"), `the exchange took longer than ${request} ms`);
    else if (response > 0 && x.stage === "forwarding" && x.requestDone && now - x.askedAt >= response)
      this.fail("upstream_timeout", `no answer within ${response} ms`);
    else if (idle > 0 && quiet >= idle) this.fail(this.blame(x, "upstream_idle"), `nothing moved for ${idle} ms`);
    else this.engine.wheel.set(this, this.nextDelay(x, now, quiet));
  }

  /** The code for whom the exchange waits for: the client, to take its answer or to send its body, or the upstream. */
  private blame(x: HttpExchange, upstream: FailureCode): FailureCode {
    if (x.stage === "admitting") return "filter_failed";
    if (x.stage === "answering" && this.connection.pendingBytes > 0) return "client_closed";
    return !x.requestDone && this.forward?.takesBody === true ? "body_timeout" : upstream;
  }

  private nextDelay(x: HttpExchange, now: number, quiet: number): number {
    const { request, response, idle } = x.plan.timeouts;
    let delay = idle > 0 ? idle - quiet : Number.POSITIVE_INFINITY;
    if (request > 0) delay = Math.min(delay, request - (now - x.startedAt));
    if (response > 0 && x.stage === "forwarding") {
      delay = Math.min(delay, x.requestDone ? response - (now - x.askedAt) : response);
    }
    return delay;
  }

  /** True while an exchange runs, or the end of an answer waits for the client to take it. */
  get busy(): boolean {
    return this.x !== null || this.connection.pendingBytes > 0;
  }

  /** Ends the connection now, whatever runs on it. Returns true when an answer was cut. */
  cut(): boolean {
    const { busy } = this;
    this.fail("stopped", "the time for draining is over");
    if (this.connection.pendingBytes > 0) this.connection.destroy();
    else this.connection.end(); // what the kernel has taken still reaches the client
    return busy;
  }
}

function act(x: HttpExchange, reply: Reply | undefined): void {
  x.session.act(x, reply);
}
