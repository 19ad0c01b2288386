/**
 * One HTTP/1.1 connection for calls of our own, one call at a time.
 *
 *   opening (TCP -> CONNECT of a proxy -> TLS) -> call: head, body -> answer -> kept for the next call, or closed
 *
 * A request leaves in the pieces it came in; nothing of it is copied but what is small.
 */
import { errorCode, type FailureCode } from "../errors.ts";
import { type BodyReader, CloseReader, noBody } from "../http/body.ts";
import { Refusal } from "../http/head.ts";
import { announcesMoreThanItMay, responseReader } from "../http/response-body.ts";
import { type ResponseHead, readResponseHead } from "../http/response-head.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";
import { dial } from "./dial.ts";
import { tlsTrouble } from "./security.ts";
import type { Target } from "./target.ts";

/** The far end of a call, or the proxy on the way to it. */
export interface CallRoute {
  /** What the connection is opened to. */
  readonly target: Target;
  /** A proxy is asked for a tunnel first: the head of that request, and what begins behind it. */
  readonly tunnel?: { readonly head: string; readonly to: Target } | undefined;
}

/** What is sent. */
export interface CallText {
  readonly method: string;
  readonly head: string;
  /** Must stay as it is until the call is over. */
  readonly body: readonly Uint8Array[];
  /** Bytes of the answer's body that are kept. */
  readonly mostBytes: number;
}

/** Called once each call, with one of the two. */
export interface CallUser {
  answered(head: ResponseHead, body: Buffer, truncated: boolean): void;
  /** @param heard the answer had begun */
  failed(code: FailureCode, detail: string, heard: boolean): void;
}

const headLimits = { headBytes: 64 * 1024, headFields: 200 };
/** Pieces up to this size are sent together: each would cost a system call. */
const smallBytes = 16 * 1024;
const nothing = Buffer.alloc(0);

export class CallConnection implements ConnectionOwner {
  /** Answers before this one: the far end may have closed it meanwhile. */
  calls = 0;
  private readonly route: CallRoute;
  private connection: Connection | undefined;
  private user: CallUser | undefined;
  private call: CallText | undefined;
  private opened: (() => void) | undefined;
  private input: Buffer = nothing;
  private head: ResponseHead | undefined;
  private reader: BodyReader = noBody;
  private pieces: Uint8Array[] = [];
  private kept = 0;
  private closed = false;
  private idleTimer: ReturnType<typeof setTimeout> | undefined;
  private onGone: (() => void) | undefined;

  constructor(route: CallRoute) {
    this.route = route;
  }

  /** Opens it for `user`, who is told of a failure; `ready` is called when a request may be sent. */
  open(user: CallUser, ready: () => void): void {
    this.user = user;
    this.opened = ready;
    this.tryAddress(0);
  }

  send(user: CallUser, call: CallText): void {
    clearTimeout(this.idleTimer);
    this.user = user;
    this.call = call;
    const pieces = coalesced(call.body);
    const first = pieces[0];
    const isSmall = first !== undefined && first.length <= smallBytes;
    this.connection!.writeHead(call.head, isSmall ? first : undefined);
    for (const piece of isSmall ? pieces.slice(1) : pieces) this.connection!.write(piece);
  }

  /** Waits for the next call; `onGone` is called when the far end closes, or after `idleMs`. */
  rest(idleMs: number, onGone: () => void): void {
    this.onGone = onGone;
    this.idleTimer = setTimeout(() => this.close(), idleMs);
    this.idleTimer.unref();
  }

  get isOpen(): boolean {
    return !this.closed;
  }

  /** Ends it; whoever calls is told nothing. What was not sent yet is never sent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.idleTimer);
    const isClean = this.user === undefined && this.connection?.pendingBytes === 0;
    this.user = undefined;
    if (isClean) this.connection?.end();
    else this.connection?.destroy();
    this.onGone?.();
  }

  private tryAddress(index: number): void {
    const { target, tunnel } = this.route;
    dial(target, target.addresses[index]!, undefined, {
      opened: (connection) => this.take(connection),
      ready: () => (tunnel === undefined ? this.ready() : this.connection?.write(tunnel.head)),
      failed: (code, detail, connection) => {
        if (connection === undefined && index + 1 < target.addresses.length && !this.closed) this.tryAddress(index + 1);
        else this.fail(code, detail);
      },
    });
  }

  private take(connection: Connection): void {
    if (this.closed) connection.destroy();
    else {
      this.connection = connection;
      connection.owner = this;
    }
  }

  private ready(): void {
    const { opened } = this;
    this.opened = undefined;
    if (!this.closed) opened?.();
  }

  onData(bytes: Buffer): void {
    if (this.user === undefined)
      this.close(); // an idle connection has nothing to say
    else if (this.head !== undefined) this.readBody(bytes);
    else this.readHead(this.input.length === 0 ? bytes : Buffer.concat([this.input, bytes]));
  }

  /** Any number of 1xx answers may come before the final one. */
  private readHead(input: Buffer): void {
    const head = readResponseHead(input, headLimits);
    if (head === undefined) this.input = Buffer.from(input);
    else if (head instanceof Refusal) this.fail(head.code, head.detail);
    else if (this.opened !== undefined) this.tunnelled(head, input.subarray(head.length));
    else if (head.status === 101) this.fail("upstream_bad_response", "101 to a protocol that was not offered");
    else if (head.status < 200) this.readNext(input.subarray(head.length));
    else this.startBody(head, input.subarray(head.length));
  }

  private readNext(rest: Buffer): void {
    this.input = nothing;
    if (rest.length > 0) this.readHead(rest);
  }

  private startBody(head: ResponseHead, rest: Buffer): void {
    head.settle();
    this.input = nothing;
    this.head = head;
    this.reader = responseReader(this.call!.method, head);
    this.pieces = [];
    this.kept = 0;
    if (this.reader.done) this.answer(rest.length > 0);
    else if (rest.length > 0) this.readBody(rest);
  }

  private readBody(bytes: Buffer): void {
    const pieces: Uint8Array[] = [];
    const taken = this.reader.feed(bytes, "content", pieces);
    if (this.reader.fault !== undefined) {
      this.fail("upstream_bad_response", this.reader.fault);
      return;
    }
    const { mostBytes } = this.call!;
    for (const piece of pieces) this.keep(piece, mostBytes);
    if (this.reader.done) this.answer(taken < bytes.length);
    else if (this.reader.contentBytes > mostBytes) this.answer(true);
  }

  private keep(piece: Uint8Array, mostBytes: number): void {
    const taken = piece.subarray(0, mostBytes - this.kept);
    this.kept += taken.length;
    if (taken.length > 0) this.pieces.push(Buffer.from(taken));
  }

  /** @param isOver something came that is no part of the answer, or some of it is not waited for */
  private answer(isOver: boolean): void {
    const { user, connection, reader } = this;
    const head = this.head!;
    const body = Buffer.concat(this.pieces);
    const isTruncated = reader.contentBytes > this.kept;
    this.user = undefined;
    this.call = undefined;
    this.head = undefined;
    this.pieces = [];
    this.calls++;
    // An answer that came early leaves a part of the request behind, whose memory is its owner's again.
    const isSpent = connection!.pendingBytes > 0 || connection!.ended || announcesMoreThanItMay(head);
    if (isOver || isSpent || !head.keepsAlive || reader instanceof CloseReader) this.end();
    user!.answered(head, body, isTruncated);
  }

  private end(): void {
    this.closed = true;
    if (this.connection!.pendingBytes > 0) this.connection!.destroy();
    else this.connection!.end();
  }

  /** The proxy has answered to CONNECT. */
  private tunnelled(head: ResponseHead, rest: Buffer): void {
    head.settle();
    const { to } = this.route.tunnel!;
    this.input = nothing;
    if (head.status >= 100 && head.status < 200) this.readNext(rest);
    else if (head.status < 200 || head.status > 299)
      this.fail("upstream_unreachable", `the proxy ${this.route.target.name} answers ${statusText(head)}`);
    else if (rest.length > 0) this.fail("upstream_bad_response", "the proxy spoke before the far end could");
    else this.startTls(to);
  }

  private startTls(to: Target): void {
    const settled = (failure: Error | undefined) => {
      if (failure === undefined) this.ready();
      else this.fail("upstream_tls_failed", tlsTrouble(failure));
    };
    const tls = to.tls!;
    try {
      this.connection!.startTls(tls, { isServer: false, serverName: tls.serverName }, settled);
    } catch (error) {
      settled(error instanceof Error ? error : new Error(String(error)));
    }
  }

  onEnd(): void {
    this.gone(undefined);
  }

  onDrain(): void {}

  onClose(error: Error | undefined): void {
    this.gone(error);
  }

  private gone(error: Error | undefined): void {
    if (this.closed) return;
    if (this.user === undefined) this.close();
    else if (this.head !== undefined && this.reader instanceof CloseReader && error === undefined) this.answer(true);
    else this.lost(error === undefined ? "it closed the connection" : (errorCode(error) ?? error.message));
  }

  private lost(how: string): void {
    if (this.opened !== undefined) this.fail("upstream_tls_failed", `${how} before a request could be sent`);
    else if (this.head === undefined) this.fail("upstream_closed", `${how} before it answered`);
    else this.fail("upstream_body_broken", `${how} in the middle of its answer`);
  }

  private fail(code: FailureCode, detail: string): void {
    const { user } = this;
    const heard = this.head !== undefined || this.input.length > 0;
    this.opened = undefined;
    this.close();
    user?.failed(code, detail, heard);
  }
}

/** `503 Service Unavailable` */
export function statusText({ status, reason }: ResponseHead): string {
  return reason === "" ? String(status) : `${status} ${reason}`;
}

/** Runs of small pieces made one; large ones stay what they are. */
function coalesced(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  if (pieces.length < 2 || pieces.every(({ length }) => length > smallBytes)) return pieces;
  const out: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let bytes = 0;
  const flush = () => {
    if (run.length > 0) out.push(run.length === 1 ? run[0]! : Buffer.concat(run));
    run = [];
    bytes = 0;
  };
  for (const piece of pieces) {
    if (piece.length > smallBytes || bytes + piece.length > 4 * smallBytes) flush();
    if (piece.length > smallBytes) out.push(piece);
    else {
      run.push(piece);
      bytes += piece.length;
    }
  }
  flush();
  return out;
}
