/**
 * The only door to an upstream: sends an exchange's request, brings the answer back.
 *
 *   session --requestHead, sendBody--> Forward --> upstream connection (pooled or new)
 *   session <--head, body------------- Forward <-- onResponse, onBody
 *
 * Backpressure runs both ways: a full upstream stops the client's connection, a slow client the upstream's.
 */
import type { Reply } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import { Attempts } from "./attempts.ts";
import { type BodyForm, encodeChunk, joined, lastChunk } from "./body.ts";
import { BodyPipe } from "./body-pipe.ts";
import { runResponse } from "./chain.ts";
import type { HttpExchange } from "./exchange.ts";
import { isIdempotent, type Pool } from "./pool.ts";
import { answerFraming, goesAsItCame } from "./relay.ts";
import { requestText } from "./request-text.ts";
import { ResponseFields } from "./response-fields.ts";
import type { ResponseHead } from "./response-head.ts";
import type { UpstreamConnection, UpstreamUser } from "./upstream.ts";

export class Forward implements UpstreamUser {
  readonly requestMethod: string;
  readonly requestForm: BodyForm;
  private readonly x: HttpExchange;
  private readonly pool: Pool;
  private readonly attempts: Attempts | null;
  private readonly requestPipe: BodyPipe | null;
  private responsePipe: BodyPipe | null = null;
  private answerHead = "";
  private chunked = false;
  private up: UpstreamConnection | null = null;
  private connected = false;
  private upstreamFull = false;
  private retriedStale = false;
  private bodyStarted = false;
  private head = "";

  constructor(x: HttpExchange, pool: Pool) {
    this.x = x;
    this.pool = pool;
    this.requestMethod = x.method;
    const { requestBody, attempt } = x.plan.chain;
    this.requestPipe =
      requestBody.length === 0 || x.requestDone
        ? null
        : new BodyPipe(x, requestBody, "requestBody", (pieces, last) => this.writeBody(pieces, last));
    this.requestForm = this.requestPipe === null ? "wire" : "content";
    this.attempts = attempt.length === 0 ? null : new Attempts(x, attempt, this);
  }

  /** False while the body has to wait: for a connection, for the upstream to read, or for a filter. */
  get takesBody(): boolean {
    return this.connected && !this.upstreamFull && this.requestPipe?.busy !== true;
  }

  /** Bytes of the request that wait for the upstream to take them. */
  get heldBytes(): number {
    return this.up?.connection?.pendingBytes ?? 0;
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

  onConnected(up: UpstreamConnection): void {
    const { x, attempts } = this;
    this.up = up;
    this.connected = true;
    x.upstream = this.pool.name;
    this.head = requestText(x, this.pool.authority, this.requestPipe !== null);
    if (attempts?.replays === true)
      for (const piece of attempts.body) if (!this.flushHead(piece)) this.upstreamFull = true;
    if (!x.requestDone) x.session.resumeBody();
    if (this.head !== "") this.flushHead(undefined);
  }

  /** The head leaves together with the first piece of body, if one is at hand. */
  private flushHead(body: Uint8Array | undefined): boolean {
    const { head } = this;
    const connection = this.up?.connection;
    this.head = "";
    if (connection === null || connection === undefined) return true;
    return head === "" ? connection.write(body!) : connection.writeHead(head, body);
  }

  /** Body from the client, in `requestForm`. */
  sendBody(pieces: Uint8Array[], last: boolean): void {
    this.bodyStarted = true;
    if (this.requestPipe === null) this.writeBody(joined(pieces), last);
    else this.requestPipe.push(joined(pieces), last);
  }

  private writeBody(pieces: Uint8Array[], last: boolean): void {
    if (this.up === null) return;
    if (last) this.whole();
    if (this.requestPipe === null) for (const piece of pieces) this.writeWire(piece);
    else {
      for (const piece of pieces) for (const part of encodeChunk(piece)) this.writeWire(part);
      if (last) this.writeWire(lastChunk);
      if (!this.upstreamFull && !last) this.x.session.resumeBody();
    }
  }

  private whole(): void {
    const { x } = this;
    x.requestDone = true;
    x.askedAt = x.session.engine.thread.clock.now();
  }

  private writeWire(piece: Uint8Array): void {
    this.attempts?.keep(piece);
    if (!this.flushHead(piece)) this.upstreamFull = true;
  }

  onUpstreamDrain(): void {
    this.upstreamFull = false;
    if (!this.x.requestDone) this.x.session.resumeBody();
  }

  onInformation(head: ResponseHead): void {
    const { x } = this;
    if (x.head.minor === 0 || x.stage !== "forwarding") return;
    const fields = new ResponseFields(head.status, head.reason, head);
    fields.dropFraming(); // it has no body, whatever it says (RFC 9110 section 8.6)
    if (!x.session.send(`HTTP/1.1 ${head.status} ${head.reason}\r\n${fields.fieldText()}\r\n`))
      this.up?.connection?.pause();
  }

  onResponse(head: ResponseHead, input: Buffer, up: UpstreamConnection): void {
    if (this.attempts === null) this.answer(head, input, up);
    else {
      up.hold(input.subarray(head.length));
      this.attempts.answered(head);
    }
  }

  /** An attempt filter has settled on the answer that is held. */
  answerHeld(head: ResponseHead): void {
    if (this.up !== null) this.answer(head, undefined, this.up);
  }

  /** An attempt filter asks again: the answer at hand is thrown away. */
  discard(): void {
    this.up?.abandon();
    this.up = null;
    this.connected = false;
    this.upstreamFull = false;
  }

  /** `input`, head and first of the body, is undefined when the body is held already. */
  private answer(head: ResponseHead, input: Buffer | undefined, up: UpstreamConnection): void {
    const { x } = this;
    const { chain } = x.plan;
    x.status = head.status;
    if (chain.response.length > 0 || chain.done.length > 0)
      x.answer = new ResponseFields(head.status, head.reason, head);
    if (chain.response.length > 0) this.answerFiltered(head, input, up);
    else if (input === undefined) this.commit(head, up.unhold(), up);
    else this.commitAt(head, input, up);
  }

  private answerFiltered(head: ResponseHead, input: Buffer | undefined, up: UpstreamConnection): void {
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
  private commitAt(head: ResponseHead, input: Buffer, up: UpstreamConnection): void {
    const { x } = this;
    const bodyLength = input.length - head.length;
    x.closes ||= x.session.leaves || !x.requestDone; // the rest of that request may never come
    if (!goesAsItCame(x, head) || !up.completes(bodyLength)) {
      this.commit(head, input.subarray(head.length), up);
      return;
    }
    x.stage = "answering";
    x.bytesOut = bodyLength;
    x.session.send(input);
    this.complete(up);
  }

  private replace(reply: Reply): void {
    this.abandon();
    this.x.reply(reply);
  }

  /** Sends the head on, and lets the body follow. */
  private commit(head: ResponseHead, rest: Buffer, up: UpstreamConnection): void {
    const { x } = this;
    x.stage = "answering";
    x.closes ||= x.session.leaves || !x.requestDone; // the rest of that request may never come
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
    else if (!this.sendPart(undefined)) up.connection?.pause();
  }

  onBody(pieces: Uint8Array[], done: boolean, up: UpstreamConnection): void {
    // Bytes may have held nothing but framing: no hook is called for that, and nothing to wait for.
    if (this.responsePipe === null || (pieces.length === 0 && !done)) this.writeAnswer(joined(pieces), done);
    else {
      if (!done) up.connection?.pause();
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
    if (done && this.chunked) fits = this.sendPart(lastChunk);
    if (this.answerHead !== "") fits = this.sendPart(undefined);
    if (done) this.complete(up);
    else if (!fits) up.connection?.pause();
    else if (this.responsePipe?.busy === false) up.connection?.resume();
  }

  /** Writes a part of the answer, its head first; false when the client is slower than the upstream. */
  private sendPart(part: Uint8Array | undefined): boolean {
    const head = this.answerHead;
    this.answerHead = "";
    return head === "" ? this.x.session.send(part!) : this.x.session.sendHead(head, part);
  }

  onClientDrain(): void {
    if (this.responsePipe?.busy !== true) this.up?.connection?.resume();
  }

  private complete(up: UpstreamConnection): void {
    this.up = null;
    if (this.x.requestDone) up.release();
    else up.abandon();
    this.x.session.finish();
  }

  onUpstreamFailure(code: FailureCode, detail: string, seen: boolean, up: UpstreamConnection): void {
    this.up = null;
    this.connected = false;
    if (this.answerHead !== "") this.x.stage = "forwarding"; // nothing of the answer has left: an honest one can
    if (
      up.reused &&
      !seen &&
      !this.retriedStale &&
      this.x.requestDone &&
      !this.bodyStarted &&
      isIdempotent(this.requestMethod)
    ) {
      // It was closed while idle: nothing of the request was seen, and asking again changes nothing.
      this.retriedStale = true;
      this.connect();
    } else if (this.attempts?.undecided === true && this.x.stage === "forwarding") this.attempts.failed(code, detail);
    else this.x.fail(code, detail);
  }

  /** The exchange is over for another reason: let go of the upstream. */
  abandon(): void {
    const { up } = this;
    this.up = null;
    this.connected = false;
    if (this.answerHead !== "") this.x.stage = "forwarding"; // nothing of the answer has left: an honest one can
    this.answerHead = "";
    up?.abandon();
    this.attempts?.stop();
  }
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
