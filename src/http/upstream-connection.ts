/**
 * One HTTP/1.1 connection to an upstream, used by one exchange at a time.
 *
 *   connecting -> head -> body -> idle (in the pool) -> head …
 *        any   -> closed
 */
import { errorCode, type FailureCode } from "../errors.ts";
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import { dial } from "../net/dial.ts";
import { isTlsError, tlsTrouble } from "../net/security.ts";
import { Timed } from "../net/wheel.ts";
import { type BodyForm, type BodyReader, CloseReader, endChunks, noBody } from "./body.ts";
import { Refusal } from "./head.ts";
import { clientOf, type Pool } from "./pool.ts";
import type { RequestHead } from "./request-head.ts";
import { announcesMoreThanItMay, responseReader } from "./response-body.ts";
import { type ResponseHead, readResponseHead } from "./response-head.ts";
import { isOffered } from "./upgrade.ts";
import type { Upstream, UpstreamUser } from "./upstream.ts";

type State = "connecting" | "head" | "body" | "idle" | "closed";

export class UpstreamConnection extends Timed implements ConnectionOwner, Upstream {
  readonly version = "http1";
  state: State = "connecting";
  user: UpstreamUser | null;
  connection: Connection | null = null;
  form: BodyForm = "wire";
  reused = false;
  readonly refused = false;
  /** On whose behalf it was opened, when its upstream was told. */
  readonly client: string;
  /** Monotonic milliseconds of the last use. */
  idleSince = 0;
  /** It was not read for a while and nothing has come since: what lies in the kernel is not known until the next turn. */
  blind = false;
  private readonly pool: Pool;
  private reader: BodyReader = noBody;
  private keepsAlive = true;
  private keepAliveSeconds = -1;
  private input: Buffer | null = null;
  private seen = false;
  private holding = false;
  private readonly held: Buffer[] = [];
  /** The upstream closed while its complete body was held. */
  private closedInBody = false;
  /** The kernel is asked for a connection; it goes on trying after we have given up. */
  private trying = false;

  constructor(pool: Pool, user: UpstreamUser) {
    super();
    this.pool = pool;
    this.user = user;
    this.client = pool.target.proxyProtocol === undefined ? "" : clientOf(user.ends);
  }

  /** True when the answer's body is not framed and ends with the connection. */
  get endsWithConnection(): boolean {
    return this.reader instanceof CloseReader;
  }

  get bodyDone(): boolean {
    return this.reader.done;
  }

  get contentBytes(): number {
    return this.reader.contentBytes;
  }

  get trailers(): string {
    return this.reader.trailers;
  }

  get pendingBytes(): number {
    return this.connection === null ? 0 : this.connection.pendingBytes;
  }

  sendHead(head: string, body: Uint8Array | undefined): boolean {
    return this.connection!.writeHead(head, body);
  }

  sendPlain(head: RequestHead, before: string, behind: string, id: string): void {
    this.connection!.writePlain(head, before, behind, id);
  }

  send(bytes: Uint8Array): boolean {
    return this.connection!.write(bytes);
  }

  endBody(trailers: string): boolean {
    return this.send(endChunks(trailers));
  }

  pause(): void {
    this.connection?.pause();
  }

  resume(): void {
    if (this.connection?.paused !== true) return;
    this.blind = true;
    this.connection.resume();
  }

  /** Opens a socket; the outcome is told to the user. Tries each address in order. */
  connect(addresses: readonly string[], timeoutMs: number): void {
    this.pool.wheel.set(this, timeoutMs);
    this.tryAddress(addresses, 0);
  }

  /** Fails without having tried. */
  refuse(detail: string): void {
    if (this.state === "connecting") this.fail("upstream_connect_timeout", `${this.pool.name}: ${detail}`);
  }

  private tryAddress(addresses: readonly string[], index: number): void {
    const address = addresses[index]!;
    this.trying = true;
    this.pool.connectBegan();
    dial(this.pool.target, address, this.user?.ends, {
      opened: (connection) => this.opened(connection, address),
      ready: () => this.ready(),
      failed: (code, detail, connection) => {
        this.tried();
        if (this.state !== "connecting") return;
        if (connection === undefined && index + 1 < addresses.length) this.tryAddress(addresses, index + 1);
        else this.fail(code, `${this.pool.name}: ${detail}`);
      },
    });
  }

  private tried(): void {
    if (!this.trying) return;
    this.trying = false;
    this.pool.connectEnded(this.state !== "connecting");
  }

  private opened(connection: Connection, address: string): void {
    this.tried();
    if (this.state !== "connecting") {
      connection.destroy();
      return;
    }
    const refusal = this.pool.misled?.(connection);
    if (refusal !== undefined) {
      connection.destroy();
      this.fail("forward_proxy_refused", `${this.pool.name}: ${refusal}`);
      return;
    }
    this.connection = connection;
    connection.owner = this;
    this.pool.connected(address);
  }

  private ready(): void {
    if (this.state !== "connecting") return;
    this.pool.wheel.clear(this);
    this.state = "head";
    this.user?.onConnected(this);
  }

  /** The application protocol that TLS agreed on; undefined for none, and without TLS. */
  get alpn(): string | undefined {
    return this.connection?.security?.alpn;
  }

  /** Takes an idle connection into use. */
  assign(user: UpstreamUser): void {
    this.deadline = Number.POSITIVE_INFINITY;
    this.user = user;
    this.reused = true;
    this.state = "head";
    this.seen = false;
    this.form = "wire";
    this.closedInBody = false;
    this.blind = false;
  }

  abandon(): void {
    this.user = null;
    this.close();
  }

  onData(bytes: Buffer): void {
    this.blind = false;
    if (this.state === "body") {
      if (this.holding) this.keepHeld(bytes);
      else if (this.reader.done)
        this.keepsAlive = false; // bytes that nobody asked for
      else this.readBody(bytes);
      return;
    }
    if (this.state !== "head") {
      this.close(); // an idle connection has nothing to say
      return;
    }
    this.seen = true;
    const input = this.input === null ? bytes : Buffer.concat([this.input, bytes]);
    this.input = null;
    this.readHead(input);
  }

  /** Any number of 1xx answers may come before the final one. */
  private readHead(input: Buffer): void {
    for (let rest = input; rest.length > 0; ) {
      const head = readResponseHead(rest, this.pool.shared.responseLimits);
      if (head === undefined) {
        this.input = rest;
        return;
      }
      if (head instanceof Refusal) {
        this.fail(head.code, `${this.pool.name}: ${head.detail}`);
        return;
      }
      if (head.status >= 200 || head.status === 101) {
        this.startBody(head, rest);
        return;
      }
      this.user?.onInformation(head);
      if (this.state !== "head") return;
      rest = rest.subarray(head.length);
    }
  }

  private startBody(head: ResponseHead, input: Buffer): void {
    if (head.status === 101 && !isOffered(head, this.user?.offer ?? "")) {
      this.fail("upstream_bad_response", `${this.pool.name}: 101 to a protocol that was not offered`);
      return;
    }
    this.reader = responseReader(this.user!.requestMethod, head);
    this.keepsAlive = head.keepsAlive && !this.endsWithConnection && !announcesMoreThanItMay(head);
    this.keepAliveSeconds = head.keepAliveSeconds;
    this.state = "body";
    this.user!.onResponse(head, input, this);
  }

  completes(count: number): boolean {
    return this.reader.completes(count);
  }

  readBody(bytes: Uint8Array): void {
    if (this.state !== "body") return;
    const pieces: Uint8Array[] = [];
    const taken = this.reader.feed(bytes, this.form, pieces);
    if (this.reader.fault !== undefined) {
      this.fail("upstream_bad_response", `${this.pool.name}: ${this.reader.fault}`);
      return;
    }
    const user = this.user!;
    if (this.reader.done && taken < bytes.length) this.keepsAlive = false; // bytes that nobody asked for
    user.onBody(pieces, this.reader.done, this);
    if (this.closedInBody && !this.holding) this.peerClosed(undefined);
  }

  hold(rest: Buffer): void {
    this.holding = true;
    if (rest.length > 0) this.held.push(rest);
  }

  /** One more read is kept; most users have made up their minds before it comes. */
  private keepHeld(bytes: Buffer): void {
    this.held.push(bytes);
    this.connection!.pause();
  }

  unhold(): Buffer {
    this.holding = false;
    const rest = this.held.length === 1 ? this.held[0]! : Buffer.concat(this.held);
    this.held.length = 0;
    this.resume();
    if (this.closedInBody && rest.length === 0) queueMicrotask(() => this.peerClosed(undefined));
    return rest;
  }

  surrender(): Connection {
    this.user = null;
    this.state = "closed";
    this.pool.wheel.clear(this);
    return this.connection!;
  }

  release(): void {
    this.user = null;
    if (this.state !== "body" || !this.keepsAlive || !this.reader.done || this.connection!.ended) {
      this.close();
      return;
    }
    this.state = "idle";
    this.resume(); // an unread connection would hide what nobody asked for, and that it was closed
    this.idleSince = this.pool.wheel.now;
    this.pool.put(this, this.keepAliveSeconds);
  }

  onEnd(): void {
    this.peerClosed(undefined);
  }

  onClose(error: Error | undefined): void {
    this.peerClosed(error);
  }

  private peerClosed(error: Error | undefined): void {
    if (this.state === "closed") return;
    if (this.holding && error === undefined) this.closedInBody = true;
    else if (this.state === "body" && this.endsWithConnection && error === undefined) this.finishByClose();
    else if (error !== undefined && isTlsError(error) && !this.reused && !this.seen)
      this.fail("upstream_tls_failed", `${this.pool.name}: ${tlsTrouble(error)}`);
    else this.lost(error === undefined ? "closed the connection" : (errorCode(error) ?? error.message));
  }

  onDrain(): void {
    this.user?.onUpstreamDrain();
  }

  private finishByClose(): void {
    const user = this.user;
    this.user = null;
    this.close(true);
    user?.onBody([], true, this);
  }

  private lost(how: string): void {
    if (this.state === "connecting") this.fail("upstream_tls_failed", `${this.pool.name}: ${how} during the handshake`);
    else this.lostInUse(how);
  }

  private lostInUse(gone: string): void {
    const mayBeTls = this.state === "head" && this.connection?.security !== undefined && !this.reused && !this.seen;
    const how = mayBeTls
      ? `${gone} right after the TLS handshake, as for want of a client certificate it trusts,`
      : gone;
    if (this.state === "body" && this.reader.done) this.keepsAlive = false;
    else if (this.state === "body")
      this.fail("upstream_body_broken", `${this.pool.name}: ${how} in the middle of its answer`);
    else this.fail("upstream_closed", `${this.pool.name}: ${how} before it answered`);
  }

  override onDeadline(): void {
    if (this.state === "connecting") this.fail("upstream_connect_timeout", `${this.pool.name}: no connection in time`);
    else if (this.state === "idle") this.close();
  }

  private fail(code: FailureCode, detail: string): void {
    const user = this.user;
    this.user = null;
    this.close();
    user?.onUpstreamFailure(code, detail, this.seen, this);
  }

  /** @param clean false where the upstream must see that something was broken off */
  private close(clean = this.state === "idle" || (this.state === "body" && this.reader.done)): void {
    if (this.state === "closed") return;
    if (this.state === "idle") this.pool.forget(this);
    if (this.trying) this.pool.connectGivenUp();
    this.state = "closed";
    this.pool.wheel.clear(this);
    if (clean && this.connection?.pendingBytes === 0) this.connection.end();
    else this.connection?.destroy();
  }
}
