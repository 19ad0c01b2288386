/**
 * One request and its answer, and what becomes of it:
 *
 *   dispatch -> filters -> act -> a reply from here, or the forwarder      any failure -> fail -> a reply
 *
 * How its bytes move is in `session.ts` (client's side, HTTP/1) and `forward.ts` (upstream's side).
 */
import type { Direction, Exchange, Peer, Reply, ResponseView } from "../contracts.ts";
import { type FailureCode, failure } from "../errors.ts";
import { isLoopback } from "../net/connection.ts";
import type { ForwardProxy } from "../outbound/forward-proxy.ts";
import { runRequest, runResponse } from "./chain.ts";
import type { Client } from "./client.ts";
import { Connect } from "./connect.ts";
import type { Waiting } from "./deadlines.ts";
import { HeadFields } from "./fields.ts";
import { FilterFault } from "./filter-fault.ts";
import { Forward } from "./forward.ts";
import { judgeHop } from "./hops.ts";
import { routeFor } from "./match.ts";
import type { Action, ListenerPlan, RoutePlan } from "./plan.ts";
import { reportFailure, reportFilter } from "./reports.ts";
import type { RequestHead } from "./request-head.ts";
import { failureReply, renderReply } from "./respond.ts";
import { ResponseFields } from "./response-fields.ts";
import type { UpstreamPool } from "./upstream.ts";
import type { Way } from "./way.ts";

/** Where an exchange stands. The answer's head is on its way to the client from `answering` on. */
export type Stage = "admitting" | "forwarding" | "answering" | "done";

export class HttpExchange extends HeadFields implements Exchange {
  readonly head: RequestHead;
  readonly client: Client;
  readonly id: string;
  readonly startedAt: number;
  plan: RoutePlan;
  stage: Stage = "admitting";
  failure: FailureCode | undefined = undefined;
  failureDetail = "";
  durationMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  attempts = 0;
  status = 0;
  upstream: string | undefined = undefined;
  /** The client has sent its whole body, and the upstream was given it. */
  requestDone = false;
  /** Monotonic milliseconds at which the request was whole: from then on the upstream owes an answer. */
  askedAt: number;
  /** The filters' response hooks have had their say. */
  responseSeen = false;
  /** The body sent so far can be sent again. */
  replayable = true;
  /** The answer ends with the connection. */
  closes = false;
  answer: ResponseFields | undefined = undefined;
  /** Its way to an upstream, while it has one. */
  forward: Way | null = null;
  private controller: AbortController | undefined;
  private ownNotes: Map<string, unknown> | undefined;

  constructor(client: Client, head: RequestHead, id: string, plan: RoutePlan, startedAt: number) {
    super(head);
    this.client = client;
    this.head = head;
    this.id = id;
    this.plan = plan;
    this.startedAt = startedAt;
    this.askedAt = startedAt;
  }

  get direction(): Direction {
    return this.client.plan.direction;
  }
  get listener(): string {
    return this.client.plan.name;
  }
  get route(): string {
    return this.plan.name;
  }
  get peer(): Peer {
    return this.client.peer;
  }
  get method(): string {
    return this.head.method;
  }
  get target(): string {
    return this.head.target;
  }
  get path(): string {
    const query = this.head.target.indexOf("?");
    return query === -1 ? this.head.target : this.head.target.slice(0, query);
  }
  get authority(): string {
    return this.head.authority;
  }
  get scheme(): "http" | "https" {
    return this.client.scheme;
  }
  get response(): ResponseView | undefined {
    return this.answer;
  }
  get notes(): Map<string, unknown> {
    this.ownNotes ??= new Map();
    return this.ownNotes;
  }
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.stage === "done") this.controller.abort();
    return this.controller.signal;
  }

  /** Host is known even where its line is not sent on. */
  override header(name: string): string | undefined {
    const found = super.header(name);
    if (found === undefined && name.toLowerCase() === "host") return this.head.authority || undefined;
    return found;
  }

  /** Finds its route, and lets the route's filters look at it. */
  dispatch(): void {
    const { engine, plan } = this.client;
    if (engine.overloaded) {
      this.closes = true;
      this.fail("overloaded", "memory is short");
      return;
    }
    this.plan = plan.proxy === undefined ? routeFor(this, plan) : this.proxiedRoute(plan, plan.proxy);
    this.client.startClock();
    const declared = this.head.contentLength;
    const most = this.plan.maxBodyBytes;
    if (most > 0 && declared > most) this.fail("body_too_large", `${declared} bytes are declared; ${most} are allowed`);
    else if (this.plan.chain.request.length === 0) this.act(undefined);
    else runRequest(this, act);
  }

  /** CONNECT has no path for routes to look at, and what follows it is no request, whatever becomes of it. */
  private proxiedRoute(plan: ListenerPlan, proxy: RoutePlan): RoutePlan {
    if (this.method !== "CONNECT") return routeFor(this, plan);
    this.closes = true;
    return proxy;
  }

  /** Filters have agreed, or one has answered: do what the route says. */
  act(reply: Reply | undefined): void {
    if (this.stage !== "admitting") return;
    const { action } = this.plan;
    if (reply !== undefined) this.reply(reply);
    else if (action.kind === "respond") this.reply(action.reply);
    else if (action.kind === "refuse") this.fail(action.code, `${this.method} ${this.path}`);
    else if (this.head.via !== "" || this.method === "OPTIONS" || this.method === "TRACE") this.passHop(action);
    else if (action.kind === "proxy") this.actAsProxy(action.proxy);
    else this.forwardTo(this.poolOf(action));
  }

  /** Goes on unless it has come too far. */
  private passHop(action: Exclude<Action, { kind: "respond" | "refuse" }>): void {
    const verdict = judgeHop(this);
    if (verdict !== undefined && "reply" in verdict) this.reply(verdict.reply);
    else if (verdict !== undefined) this.fail(verdict.code, verdict.detail);
    else if (action.kind === "proxy") this.actAsProxy(action.proxy);
    else this.forwardTo(this.poolOf(action));
  }

  private poolOf(action: Extract<Action, { kind: "forward" | "original" }>): UpstreamPool {
    if (action.kind === "original") return action.pools.poolFor(this.client);
    const { pool, http2Pool } = action;
    return http2Pool !== undefined && this.client.version === "http2" ? http2Pool : pool;
  }

  private actAsProxy(proxy: ForwardProxy): void {
    const pool = proxy.find(this.head);
    if (typeof pool === "string") this.fail("forward_proxy_refused", pool);
    else if (this.method !== "CONNECT") this.forwardTo(pool);
    else {
      this.stage = "forwarding";
      const connect = new Connect(this, pool);
      this.forward = connect;
      connect.start();
    }
  }

  private forwardTo(pool: UpstreamPool): void {
    this.stage = "forwarding";
    const forward = new Forward(this, pool);
    this.forward = forward;
    forward.start();
  }

  /** Answers from here: a fixed reply, a filter's, or a failure's. Filters see its head as they see an upstream's. */
  reply(reply: Reply): void {
    if (this.method === "CONNECT" && reply.status < 300) {
      this.filterFailed(new Error(`a reply with ${reply.status} to CONNECT would promise a tunnel`));
      return;
    }
    this.status = reply.status;
    this.answer = new ResponseFields(reply.status, "", undefined, [...(reply.headers ?? [])]);
    if (this.responseSeen || this.plan.chain.response.length === 0) {
      this.sendReply(reply);
      return;
    }
    this.responseSeen = true;
    const { stage } = this;
    runResponse(this, (_, instead) => {
      if (this.stage !== stage) return;
      if (instead === undefined) this.sendReply(reply);
      else this.reply(instead);
    });
  }

  private sendReply(reply: Reply): void {
    const { client } = this;
    this.stage = "answering";
    this.closes ||= client.leaves || !client.bodyRead;
    const answer = renderReply(client.engine, reply, this.answer!.headers(), {
      closes: this.closes,
      minor: this.head.minor,
      withoutBody: this.method === "HEAD",
    });
    this.bytesOut = answer.body?.length ?? 0;
    client.sendHead(answer.head, answer.body);
    client.finish();
  }

  /** Ends with a failure: an honest answer if none has begun, else a connection visibly broken off. */
  fail(code: FailureCode, detail: string): void {
    if (this.stage === "done") return;
    const { client } = this;
    this.lose(code, detail);
    if (this.stage === "answering") {
      client.breakOff();
      return;
    }
    if (failure(code).closes === true) this.closes = true;
    const { direction, capture } = client.plan;
    const isOfThisPod = isLoopback(client.peer.address) || (capture !== undefined && direction === "outbound");
    const showsDetail = client.trusted || isOfThisPod;
    this.reply(failureReply(code, detail, this.id, this, showsDetail));
  }

  filterFailed(error: unknown): void {
    if (!(error instanceof FilterFault)) this.reportFilter(error);
    this.fail("filter_failed", error instanceof Error ? error.message : String(error));
  }

  reportFilter(error: unknown): void {
    reportFilter(this.client.engine, this, error);
  }

  /** Notes a failure, and lets go of the upstream and of who waits. */
  lose(code: FailureCode, detail: string): void {
    this.failure = code;
    this.failureDetail = detail;
    this.controller?.abort();
    this.forward?.abandon();
    reportFailure(this.client.engine, this, code, detail);
  }

  /** For what it waits right now; decides whose fault a timeout is. */
  get waitsFor(): Waiting {
    if (this.stage === "admitting") return "filter";
    if (this.stage === "answering" && this.client.pendingBytes > 0) return "taking";
    return !this.requestDone && this.forward?.takesBody === true ? "sending" : "upstream";
  }
}

function act(x: HttpExchange, reply: Reply | undefined): void {
  x.act(reply);
}
