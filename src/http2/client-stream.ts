/**
 * One exchange's way to an upstream that speaks HTTP/2: a stream of a connection that it shares with others.
 *
 *   waiting -> assigned -> head sent -> answer's head -> body -> released
 */
import type { FailureCode } from "../errors.ts";
import { type BodyForm, forbiddenTrailer } from "../http/body.ts";
import { keptFields } from "../http/field-lines.ts";
import { Refusal } from "../http/head.ts";
import type { RequestHead } from "../http/request-head.ts";
import { reasonOf } from "../http/respond.ts";
import { ResponseHead } from "../http/response-head.ts";
import type { Upstream, UpstreamUser } from "../http/upstream.ts";
import { Timed } from "../net/wheel.ts";
import type { ClientPool } from "./client-pool.ts";
import type { ClientSession } from "./client-session.ts";
import { ErrorCode } from "./error-codes.ts";
import type { FieldSection } from "./field-section.ts";
import { responseHeadText } from "./head-text.ts";
import type { ResetHow, Stream, StreamUser } from "./stream.ts";

const nothing = Buffer.alloc(0);

/** Heads have passed the connection's own limits when they are scanned as text. */
const noLimits = { headBytes: Number.POSITIVE_INFINITY, headFields: Number.POSITIVE_INFINITY };

export class ClientStream extends Timed implements Upstream, StreamUser {
  readonly version = "http2";
  form: BodyForm = "content";
  reused = false;
  refused = false;
  contentBytes = 0;
  trailers = "";
  private readonly pool: ClientPool;
  private user: UpstreamUser | null;
  private session: ClientSession | null = null;
  private stream: Stream | null = null;
  private seen = false;
  /** The answer's body is kept back: until the user has settled on the head, or while its client is slow. */
  private holding = false;
  private paused = false;
  private held: Buffer[] = [];
  /** Bytes that `unhold` gave out and `readBody` has not taken back yet. */
  private handedOut = 0;
  private ended = false;
  /** Body that was given on, and of which the upstream was not told yet. */
  private untold = 0;

  constructor(pool: ClientPool, user: UpstreamUser) {
    super();
    this.pool = pool;
    this.user = user;
  }

  get bodyDone(): boolean {
    return this.ended && this.held.length === 0 && this.handedOut === 0;
  }

  get pendingBytes(): number {
    return this.stream?.queued ?? 0;
  }

  /** @internal a connection with room is there */
  assign(session: ClientSession): void {
    this.session = session;
    this.reused = session.used;
    session.used = true;
    this.pool.shared.wheel.clear(this);
  }

  /** @internal tells the user that the wait is over */
  begin(): void {
    this.user?.onConnected(this);
  }

  override onDeadline(): void {
    if (this.session !== null) return;
    this.pool.unwait(this);
    this.fail("upstream_connect_timeout", `${this.pool.name}: no connection in time`);
  }

  // -------------------------------------------------------------------------------------------
  // The request

  sendHead(head: string, body: Uint8Array | undefined): boolean {
    const { session } = this;
    if (session === null || this.user === null) return true;
    const stream = session.http2.openStream();
    this.stream = stream;
    stream.user = this;
    stream.asksNoContent = this.user.requestMethod === "HEAD";
    stream.request(head, session.scheme, false);
    return body === undefined || body.length === 0 || stream.write(body);
  }

  sendPlain(head: RequestHead, before: string, behind: string, id: string): void {
    const { method, target } = head;
    const last = behind === "" ? "" : `${behind}${id}\r\n`;
    this.sendHead(`${method} ${target} HTTP/1.1\r\n${before}${keptFields(head)}${last}\r\n`, undefined);
    this.endBody("");
  }

  send(bytes: Uint8Array): boolean {
    return this.stream === null || this.stream.write(bytes);
  }

  endBody(trailers: string): boolean {
    if (this.stream === null) return true;
    this.stream.end(trailers);
    return this.stream.queued === 0;
  }

  onDrain(): void {
    this.user?.onUpstreamDrain();
  }

  // -------------------------------------------------------------------------------------------
  // The answer

  onHead(section: FieldSection, ends: boolean): void {
    this.seen = true;
    this.ended = ends;
    const text = responseHeadText(section, ends, reasonOf(section.status));
    const head = new ResponseHead().scan(Buffer.from(text, "latin1"), text.length, noLimits);
    if (!(head instanceof ResponseHead)) {
      const detail = head instanceof Refusal ? head.detail : "the head does not come to its end";
      this.abort("upstream_bad_response", detail);
    } else if (head.status < 200) this.user?.onInformation(head);
    else {
      this.holding = true;
      this.user?.onResponse(head, undefined, this);
    }
  }

  onBody(bytes: Buffer, ends: boolean): void {
    this.ended = ends;
    if (bytes.length > 0) this.held.push(bytes);
    this.pump();
  }

  onTrailers(lines: string): void {
    const forbidden = forbiddenTrailer(lines);
    if (forbidden !== undefined) {
      this.abort("upstream_bad_response", `${forbidden} is not allowed as a trailer field`);
      return;
    }
    this.ended = true;
    this.trailers = lines;
    this.pump();
  }

  /** Gives the user what has come, unless it wants it later; the peer may send as much again. */
  private pump(): void {
    if (this.holding || this.paused || this.handedOut > 0) return;
    const { held } = this;
    let count = 0;
    for (const piece of held) count += piece.length;
    if (count === 0 && !this.ended) return;
    this.held = [];
    this.give(held, count);
  }

  private give(pieces: Uint8Array[], count: number): void {
    const { user } = this;
    const done = this.ended;
    this.contentBytes += count;
    if (done) this.user = null;
    this.untold += count;
    user?.onBody(pieces, done, this);
    if (!this.paused) this.tell();
  }

  private tell(): void {
    this.stream?.taken(this.untold);
    this.untold = 0;
  }

  readBody(bytes: Uint8Array): void {
    this.handedOut = 0;
    if (this.ended || bytes.length > 0) this.give(bytes.length === 0 ? [] : [bytes], bytes.length);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.tell();
    this.pump();
  }

  hold(rest: Buffer): void {
    this.holding = true;
    if (rest.length > 0) this.held.unshift(rest);
  }

  unhold(): Buffer {
    this.holding = false;
    const rest = this.held.length === 0 ? nothing : Buffer.concat(this.held);
    this.held = [];
    this.handedOut = rest.length;
    return rest;
  }

  /** What comes with the head is not counted before it is read: nothing goes on as it came. */
  completes(): boolean {
    return false;
  }

  // -------------------------------------------------------------------------------------------
  // The end

  onReset(how: ResetHow, detail: string): void {
    this.refused = how === "refused" && !this.seen;
    this.fail(
      how === "fault" ? "upstream_bad_response" : this.seen ? "upstream_body_broken" : "upstream_closed",
      detail,
    );
  }

  /** @internal no connection could be opened for it */
  unreached(code: FailureCode, detail: string): void {
    const { user } = this;
    this.user = null;
    this.pool.shared.wheel.clear(this);
    user?.onUpstreamFailure(code, detail, this.seen, this);
  }

  private fail(code: FailureCode, detail: string): void {
    this.unreached(code, `${this.pool.name}: ${detail}`);
  }

  private abort(code: FailureCode, detail: string): void {
    this.stream?.cancel(ErrorCode.PROTOCOL_ERROR);
    this.fail(code, detail);
  }

  release(): void {
    this.abandon(); // nothing is left to cancel when both sides have ended
  }

  abandon(): void {
    this.user = null;
    this.held = [];
    this.pool.unwait(this);
    this.pool.shared.wheel.clear(this);
    this.stream?.abandon();
  }
}
