/**
 * The only door to an upstream: sends an exchange's request, brings the answer back.
 *
 *   client --sendBody---> Forward --head, body--> upstream (pooled or new)
 *   client <--head, body- Forward <-- onResponse, onBody
 *
 * Backpressure runs both ways: a full upstream stops the client's connection, a slow client the upstream's.
 */
import type { Reply } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import type { Connection } from "../net/connection.ts";
import type { Ends } from "../net/dial.ts";
import { AppWait, judgeUnreachable } from "./app-wait.ts";
import { Attempts } from "./attempts.ts";
import { type BodyForm, encodeChunk, joined } from "./body.ts";
import { BodyPipe } from "./body-pipe.ts";
import { runResponse } from "./chain.ts";
import type { HttpExchange } from "./exchange.ts";
import { mayBeMisread } from "./misread.ts";
import { isIdempotent } from "./pool.ts";
import { answerFraming, goesAsItCame } from "./relay.ts";
import { requestText } from "./request-text.ts";
import { ResponseFields } from "./response-fields.ts";
import type { ResponseHead } from "./response-head.ts";
import { offerOf, switchingHead } from "./upgrade.ts";
import type { Upstream, UpstreamPool, UpstreamUser } from "./upstream.ts";
import type { Way } from "./way.ts";

export class Forward implements UpstreamUser, Way {
  readonly requestMethod: string;
  readonly offer: string;
  /** In which form the client's body is wanted; settled once the upstream's version is known. */
  requestForm: BodyForm = "wire";
  private readonly x: HttpExchange;
  private readonly pool: UpstreamPool;
  private readonly attempts: Attempts | null;
  private readonly requestPipe: BodyPipe | null;
  private responsePipe: BodyPipe | null = null;
  private answerHead = "";
  private chunked = false;
  private up: Upstream | null = null;
  private connected = false;
  private upstreamFull = false;
  private retried = false;
  private appWait: AppWait | null = null;
  private bodyStarted = false;
  /** The answer came before the request was whole. */
  private early = false;
  /** The request's body goes on under a chunked framing that we write. */
  private chunksRequest = false;
  private head = "";

  constructor(x: HttpExchange, pool: UpstreamPool) {
    this.x = x;
    this.pool = pool;
    this.requestMethod = x.method;
    this.offer = x.head.upgrade !== "" && x.plan.upgrades && x.client.openTunnel !== undefined ? offerOf(x.head) : "";
    const { requestBody, attempt } = x.plan.chain;
    this.requestPipe =
      requestBody.length === 0 || x.requestDone
        ? null
        : new BodyPipe(x, requestBody, "requestBody", (pieces, last) => this.writeBody(pieces, last));
    this.attempts = attempt.length === 0 ? null : new Attempts(x, attempt, this);
  }

  get ends(): Ends {
    const { peer } = this.x.client;
    return { source: peer, destination: peer.destination };
  }

  /** False while the body has to wait: for a connection, for the upstream to read, or for a filter. */
  get takesBody(): boolean {
    return this.connected && !this.upstreamFull && this.requestPipe?.busy !== true;
  }

  /** Bytes of the request that wait for the upstream to take them. */
  get heldBytes(): number {
    return this.up?.pendingBytes ?? 0;
  }

  start(): void {
    if (this.attempts === null) this.open();
    else this.attempts.run();
  }

  /** Takes a connection and sends the request on it. */
  open(): void {
    this.x.attempts++;
    const up = this.pool.take(this);
    if (up === undefined) this.connect();
    else this.onConnected(up);
  }

  private connect(): void {
    this.up = this.pool.connect(this, this.x.plan.timeouts.connect);
  }

  onConnected(up: Upstream): void {
    const { x, attempts } = this;
    this.up = up;
    this.connected = true;
    x.upstream = this.pool.name;
    if (x.requestDone && !this.bodyStarted && this.offer === "" && this.sendAsItCame(up)) return;
    this.frameRequest(up);
    const offer = up.surrender === undefined ? "" : this.offer;
    this.head = requestText(x, this.pool.authority, this.requestPipe !== null || this.chunksRequest, offer, up.version);
    if (attempts?.replays === true) {
      for (const piece of attempts.body) this.writePiece(piece);
      if (x.requestDone && this.bodyStarted) this.endRequest(up);
    }
    if (!x.requestDone) x.client.resumeBody();
    if (this.head !== "") this.flushHead(undefined);
    if (up.version === "http2" && x.requestDone && !this.bodyStarted) up.endBody("");
  }

  /** Most requests have no body and need no edit: their bytes go on with a few lines behind them. */
  private sendAsItCame(up: Upstream): boolean {
    const { x } = this;
    if (!x.head.isPlain || up.version !== "http1") return false;
    const { manner } = x.client.plan;
    const behind = manner.linesBehind(x);
    if (behind === undefined) return false;
    up.sendPlain(x.head, manner.namesUpstream ? this.pool.hostLine : "", behind, x.id);
    return true;
  }

  /** Between two HTTP/1 sides a body keeps its framing; any other way it is taken out and, for HTTP/1, put on again. */
  private frameRequest(up: Upstream): void {
    const { x, requestPipe } = this;
    const hasBody = !x.requestDone || this.bodyStarted;
    const keepsFraming = requestPipe === null && x.client.version === "http1" && up.version === "http1";
    this.requestForm = keepsFraming ? "wire" : "content";
    const lacksLength = requestPipe !== null || x.head.contentLength < 0;
    this.chunksRequest = !keepsFraming && hasBody && lacksLength && up.version === "http1";
  }

  /** The head leaves together with the first piece of body, if one is at hand. */
  private flushHead(body: Uint8Array | undefined): boolean {
    const { head, up } = this;
    this.head = "";
    if (up === null) return true;
    return head === "" ? up.send(body!) : up.sendHead(head, body);
  }

  /** Body from the client, in `requestForm`. */
  sendBody(pieces: Uint8Array[], last: boolean): void {
    this.bodyStarted = true;
    if (this.requestPipe === null) this.writeBody(joined(pieces), last);
    else this.requestPipe.push(joined(pieces), last);
  }

  private writeBody(pieces: Uint8Array[], last: boolean): void {
    const { up } = this;
    if (up === null) return;
    if (last) this.whole();
    for (const piece of pieces) {
      this.attempts?.keep(piece);
      this.writePiece(piece);
    }
    if (last) this.endRequest(up);
    else if (this.requestPipe !== null && !this.upstreamFull) this.x.client.resumeBody();
  }

  private writePiece(piece: Uint8Array): void {
    if (!this.chunksRequest) this.writeWire(piece);
    else for (const part of encodeChunk(piece)) this.writeWire(part);
  }

  private endRequest(up: Upstream): void {
    if (!this.chunksRequest && up.version === "http1") return;
    if (this.head !== "") this.flushHead(undefined);
    if (!up.endBody(this.x.client.requestTrailers)) this.upstreamFull = true;
  }

  private whole(): void {
    const { x } = this;
    x.requestDone = true;
    x.askedAt = x.client.engine.thread.clock.now();
  }

  private writeWire(piece: Uint8Array): void {
    if (!this.flushHead(piece)) this.upstreamFull = true;
  }

  onUpstreamDrain(): void {
    this.upstreamFull = false;
    if (!this.x.requestDone) this.x.client.resumeBody();
  }

  onInformation(head: ResponseHead): void {
    const { x } = this;
    if (x.head.minor === 0 || x.stage !== "forwarding") return;
    const fields = new ResponseFields(head.status, head.reason, head);
    fields.dropFraming(); // it has no body, whatever it says (RFC 9110 section 8.6)
    if (!x.client.sendInformation(`HTTP/1.1 ${head.status} ${head.reason}\r\n${fields.fieldText()}\r\n`))
      this.up?.pause();
  }

  onResponse(head: ResponseHead, input: Buffer | undefined, up: Upstream): void {
    if (this.attempts === null) this.answer(head, input, up);
    else {
      head.settle();
      if (input !== undefined) up.hold(input.subarray(head.length));
      if (head.status === 101) this.x.replayable = false; // the upstream speaks another protocol from now on
      this.attempts.answered(head);
    }
  }

  /** An attempt filter has settled on the answer that is held. */
  answerHeld(head: ResponseHead): void {
    if (this.up !== null) this.answer(head, undefined, this.up);
  }

  /** An attempt filter asks again: the answer at hand is thrown away. */
  discard(): void {
    this.appWait?.stop();
    this.up?.abandon();
    this.up = null;
    this.connected = false;
    this.upstreamFull = false;
  }

  /** `input`, head and first of the body, is undefined when the body is held already. */
  private answer(head: ResponseHead, input: Buffer | undefined, up: Upstream): void {
    const { x } = this;
    const { chain } = x.plan;
    x.status = head.status;
    this.early = !x.requestDone;
    if (chain.response.length > 0 || chain.done.length > 0) {
      head.settle();
      x.answer = new ResponseFields(head.status, head.reason, head);
    }
    if (chain.response.length > 0) this.answerFiltered(head, input, up);
    else if (input === undefined) this.commit(head, up.unhold(), up);
    else this.commitAt(head, input, up);
  }

  private answerFiltered(head: ResponseHead, input: Buffer | undefined, up: Upstream): void {
    const { x } = this;
    if (input !== undefined) up.hold(input.subarray(head.length));
    x.responseSeen = true;
    runResponse(x, (_, reply) => {
      if (x.stage !== "forwarding") return;
      if (reply === undefined) this.commit(head, up.unhold(), up);
      else this.replace(reply);
    });
  }

  /** Most answers are small, whole and need no edit: they leave as they came. */
  private commitAt(head: ResponseHead, input: Buffer, up: Upstream): void {
    const { x } = this;
    const bodyLength = input.length - head.length;
    x.closes ||= x.client.leaves || !x.requestDone; // the rest of that request may never come
    if (!goesAsItCame(x, head) || !up.completes(bodyLength)) {
      this.commit(head, input.subarray(head.length), up);
      return;
    }
    x.stage = "answering";
    x.bytesOut = bodyLength;
    x.client.send(input);
    this.complete(up);
  }

  private replace(reply: Reply): void {
    this.abandon();
    this.x.reply(reply);
  }

  /** Sends the head on, and lets the body follow. */
  private commit(head: ResponseHead, rest: Buffer, up: Upstream): void {
    const { x } = this;
    if (head.status === 101) {
      this.switchOver(head, rest, up.surrender!());
      return;
    }
    x.stage = "answering";
    x.closes ||= x.client.leaves || !x.requestDone; // the rest of that request may never come
    const framing = answerFraming(x, head, up);
    up.form = framing.form;
    this.answerHead = framing.head;
    this.chunked = framing.chunked;
    const { responseBody } = x.plan.chain;
    if (responseBody.length > 0 && !up.bodyDone) {
      this.responsePipe = new BodyPipe(x, responseBody, "responseBody", (pieces, last) =>
        this.writeAnswer(pieces, last),
      );
    }
    if (rest.length > 0 || up.bodyDone) up.readBody(rest);
    else if (!this.sendPart(undefined)) up.pause();
  }

  /** The upstream has changed the protocol: from here on, bytes are carried without being looked at. */
  private switchOver(head: ResponseHead, rest: Buffer, far: Connection): void {
    const { x } = this;
    this.up = null;
    if (far.closed) {
      x.fail("upstream_closed", `${this.pool.name}: closed the connection when it had switched the protocol`);
      return;
    }
    x.stage = "answering";
    x.answer ??= new ResponseFields(head.status, head.reason, head);
    x.client.openTunnel!(switchingHead(head, x.answer), far, rest);
  }

  onBody(pieces: Uint8Array[], done: boolean, up: Upstream): void {
    // Bytes may have held nothing but framing: no hook is called for that, and nothing to wait for.
    if (this.responsePipe === null || (pieces.length === 0 && !done)) this.writeAnswer(joined(pieces), done);
    else {
      if (!done) up.pause();
      this.responsePipe.push(joined(pieces), done);
    }
  }

  private writeAnswer(pieces: Uint8Array[], done: boolean): void {
    const { x, up } = this;
    if (x.stage !== "answering" || up === null) return;
    let fits = true;
    x.bytesOut = this.responsePipe === null ? up.contentBytes : x.bytesOut + lengthOf(pieces);
    for (const piece of pieces) {
      if (this.chunked) for (const part of encodeChunk(piece)) fits = this.sendPart(part);
      else fits = this.sendPart(piece);
    }
    if (this.answerHead !== "") fits = this.sendPart(undefined);
    if (done) {
      if (this.chunked || (x.client.version === "http2" && up.trailers !== "")) x.client.endBody(up.trailers);
      this.complete(up);
    } else if (!fits) up.pause();
    else if (this.responsePipe?.busy === false) up.resume();
  }

  /** Writes a part of the answer, its head first; false when the client is slower than the upstream. */
  private sendPart(part: Uint8Array | undefined): boolean {
    const head = this.answerHead;
    this.answerHead = "";
    return head === "" ? this.x.client.send(part!) : this.x.client.sendHead(head, part);
  }

  onClientDrain(): void {
    if (this.responsePipe?.busy !== true) this.up?.resume();
  }

  private complete(up: Upstream): void {
    this.up = null;
    const { x } = this;
    if (x.requestDone && (up.version === "http2" || !mayBeMisread(x.head, this.early))) up.release();
    else up.abandon();
    x.client.finish();
  }

  onUpstreamFailure(code: FailureCode, detail: string, seen: boolean, up: Upstream): void {
    this.up = null;
    this.connected = false;
    if (this.answerHead !== "") this.x.stage = "forwarding"; // nothing of the answer has left: an honest one can
    if (!this.retried && !this.bodyStarted && (up.refused || this.wasStale(up, seen))) {
      this.retried = true;
      this.connect();
    } else if (code === "upstream_unreachable") this.unreachable(detail);
    else this.failed(code, detail);
  }

  private unreachable(detail: string): void {
    const code = judgeUnreachable(this.x, this.pool.place);
    if (code === "app_not_started") this.appWait ??= new AppWait(this.x, () => this.connect());
    if (code !== "app_not_started" || this.appWait?.again() === false) this.failed(code, detail);
  }

  private failed(code: FailureCode, detail: string): void {
    if (this.attempts?.undecided === true && this.x.stage === "forwarding") this.attempts.failed(code, detail);
    else this.x.fail(code, detail);
  }

  /** It was closed while idle: nothing of the request was seen, and asking again changes nothing. */
  private wasStale(up: Upstream, seen: boolean): boolean {
    return up.reused && !seen && this.x.requestDone && isIdempotent(this.requestMethod);
  }

  /** The exchange is over for another reason: let go of the upstream. */
  abandon(): void {
    const { up } = this;
    this.up = null;
    this.connected = false;
    if (this.answerHead !== "") this.x.stage = "forwarding"; // nothing of the answer has left: an honest one can
    this.answerHead = "";
    up?.abandon();
    this.appWait?.stop();
    this.attempts?.stop();
  }
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
