/**
 * How an accepted connection begins, where a listener needs more than plain HTTP:
 *
 *   PROXY header -> which protocol? -> TLS, with the certificate for the name asked for -> which protocol inside?
 *
 * Each step only when the listener has it. All of it together has the time a request head has, and reads no more than
 * each of its parts may have. What was read and belongs to the connection is handed on.
 */
import { type ClientHello, readClientHello } from "./client-hello.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";
import { type Detected, detect } from "./detect.ts";
import { Malformed } from "./malformed.ts";
import { readProxyHeader } from "./proxy-protocol.ts";
import { type SocketTls, tlsTrouble } from "./security.ts";
import { Timed, type TimerWheel } from "./wheel.ts";

/** What a listener says its clients speak; `auto` looks. */
export type ListenerProtocol = "http" | "tcp" | "tls" | "auto";

/** The listener's plan for what arrives. */
export interface ArrivalPlan {
  readonly protocol: ListenerProtocol;
  /** Peers that must send a PROXY header, and no others may come; undefined when connections have none. */
  readonly proxies: ((address: string) => boolean) | undefined;
  /** TLS ends here, with the options for the name a client asks for. */
  readonly tls: { for(serverName: string | undefined): SocketTls } | undefined;
  /** Milliseconds from accept until all of this is done. */
  readonly timeoutMs: number;
}

/** What a connection turned out to be. `tls` is encrypted still: it is passed through. */
export interface Arrived {
  readonly protocol: Detected;
  /** What was read of it; undefined for nothing. */
  readonly bytes: Buffer | undefined;
  /** Of a connection that is passed through. */
  readonly hello: ClientHello | undefined;
  /** The time to look was over: it is taken for opaque bytes, and may not be. */
  readonly timedOut: boolean;
}

/** Why a connection was turned away: codes of `errors.ts`. */
export type ArrivalFailure = "proxy_header_refused" | "tls_failed" | "http_on_tls_port";

/** Who waits for it. One of these is called, once. */
export interface ArrivalOwner {
  arrived(arrival: Arrival, what: Arrived): void;
  /** The connection is closed, or about to be. */
  failed(arrival: Arrival, code: ArrivalFailure, detail: string): void;
  /** The peer left before it had sent anything that could be judged. */
  left(arrival: Arrival): void;
}

/** How long `auto` looks before it takes the connection for opaque bytes (traffic.md D4). */
const detectMs = 10_000;

type Step = "proxy" | "detect" | "hello" | "handshake" | "inside" | "done";

export class Arrival extends Timed implements ConnectionOwner {
  readonly connection: Connection;
  readonly plan: ArrivalPlan;
  private readonly wheel: TimerWheel;
  private readonly owner: ArrivalOwner;
  private readonly endsAt: number;
  private step: Step;
  private bytes: Buffer | undefined = undefined;
  private ended = false;

  constructor(wheel: TimerWheel, plan: ArrivalPlan, connection: Connection, owner: ArrivalOwner) {
    super();
    this.wheel = wheel;
    this.plan = plan;
    this.connection = connection;
    this.owner = owner;
    this.endsAt = wheel.now + plan.timeoutMs;
    this.step = plan.proxies === undefined ? this.firstStep() : "proxy";
    connection.owner = this;
  }

  /** Begins; apart from the constructor, because the owner may be told at once. */
  start(): void {
    const { plan, connection } = this;
    this.wheel.set(this, this.step === "detect" ? Math.min(detectMs, plan.timeoutMs) : plan.timeoutMs);
    if (plan.proxies !== undefined && !plan.proxies(connection.address))
      this.fail("proxy_header_refused", `${connection.address} is not trusted to send a PROXY header`);
    else if (this.step === "done") this.arrive(onlyProtocol(plan.protocol), undefined);
  }

  /** True when the peer has begun: a drain waits for it. */
  get busy(): boolean {
    return this.step !== "done" && (this.bytes !== undefined || this.step === "handshake");
  }

  /** Bytes that wait for the rest of what they belong to. */
  get heldBytes(): number {
    return this.bytes?.length ?? 0;
  }

  /** True while it waits for the first byte that tells the protocol. */
  get silent(): boolean {
    return this.step === "detect" && this.bytes === undefined;
  }

  /** The upstream of a listener that looks has spoken first, so this is no HTTP and no TLS (traffic.md C14). False when it is too late for that. */
  takeAsTcp(): boolean {
    if (!this.silent) return false;
    this.arrive("tcp", undefined);
    return true;
  }

  /** Closes it now. */
  cut(): void {
    this.step = "done";
    this.wheel.clear(this);
    this.connection.end();
  }

  /** The first step behind a PROXY header. `done` where there is nothing to look at. */
  private firstStep(): Step {
    const { protocol, tls } = this.plan;
    if (protocol === "auto") return "detect";
    return tls !== undefined || protocol === "tls" ? "hello" : "done";
  }

  // -------------------------------------------------------------------------------------------
  // What comes in

  onData(bytes: Buffer): void {
    if (this.step === "done") return;
    this.bytes = this.bytes === undefined ? bytes : Buffer.concat([this.bytes, bytes]);
    while (this.bytes !== undefined && this.look(this.bytes));
  }

  /** Returns true when another step may find something in what is there. */
  private look(bytes: Buffer): boolean {
    if (this.step === "proxy") return this.readHeader(bytes);
    if (this.step === "detect") return this.detect(bytes);
    if (this.step === "hello") return this.readHello(bytes);
    if (this.step === "inside") this.detectInside(bytes);
    return false;
  }

  private readHeader(bytes: Buffer): boolean {
    const header = readProxyHeader(bytes);
    if (header instanceof Malformed) this.fail("proxy_header_refused", header.problem);
    if (header === undefined || header instanceof Malformed) return false;
    if (header.ends !== undefined) this.connection.represent(header.ends);
    const rest = header.length === bytes.length ? undefined : bytes.subarray(header.length);
    this.bytes = rest;
    this.step = this.firstStep();
    if (this.step === "done") this.arrive(onlyProtocol(this.plan.protocol), undefined);
    else if (this.step === "detect") this.wheel.set(this, Math.min(detectMs, this.endsAt - this.wheel.now));
    return this.step === "detect" || this.step === "hello";
  }

  /** `auto`: TLS ends here when there is a certificate for it, and passes through when there is none. */
  private detect(bytes: Buffer): boolean {
    const protocol = detect(bytes);
    if (protocol === undefined) return false;
    if (protocol !== "tls") {
      this.arrive(protocol, undefined);
      return false;
    }
    this.step = "hello";
    this.wheel.set(this, this.endsAt - this.wheel.now);
    return true;
  }

  private readHello(bytes: Buffer): boolean {
    const hello = readClientHello(bytes);
    if (hello === undefined) return false;
    if (hello instanceof Malformed) this.refuseHello(bytes, hello.problem);
    else if (this.plan.tls === undefined) this.arrive("tls", hello);
    else this.shake(this.plan.tls.for(hello.serverName), hello, bytes);
    return false;
  }

  /** Plain HTTP on a port for TLS is a mistake that many make once: it is answered in words. */
  private refuseHello(bytes: Buffer, problem: string): void {
    const isHttp = /^[A-Z-]{1,20} /.test(bytes.toString("latin1", 0, 24)) || detect(bytes) === "http1";
    if (isHttp) this.fail("http_on_tls_port", "plain HTTP was sent to a port for TLS");
    else this.fail("tls_failed", problem);
  }

  private shake(tls: SocketTls, hello: ClientHello, firstBytes: Buffer): void {
    const { connection } = this;
    this.step = "handshake";
    this.bytes = undefined;
    try {
      connection.startTls(tls, { isServer: true, firstBytes, serverName: hello.serverName }, (failure) =>
        failure === undefined ? this.shaken() : this.fail("tls_failed", tlsTrouble(failure)),
      );
    } catch (error) {
      this.fail("tls_failed", error instanceof Error ? tlsTrouble(error) : String(error));
    }
  }

  private shaken(): void {
    const { protocol } = this.plan;
    const alpn = this.connection.security?.alpn;
    if (protocol === "tcp") this.arrive("tcp", undefined);
    else if (alpn === "h2") this.arrive("http2", undefined);
    else if (protocol !== "auto" || alpn !== undefined) this.arrive("http1", undefined);
    else this.step = "inside";
  }

  /** What is spoken inside TLS, when the client did not agree on it by ALPN. */
  private detectInside(bytes: Buffer): void {
    const protocol = detect(bytes);
    if (protocol !== undefined) this.arrive(protocol === "tls" ? "tcp" : protocol, undefined);
  }

  // -------------------------------------------------------------------------------------------
  // How it ends

  /** @param hello of a connection that is passed through */
  private arrive(protocol: Detected, hello: ClientHello | undefined, timedOut = false): void {
    const { bytes, ended } = this;
    this.settle();
    this.owner.arrived(this, { protocol, bytes, hello, timedOut });
    if (ended && !this.connection.closed) this.connection.owner.onEnd();
  }

  private fail(code: ArrivalFailure, detail: string): void {
    if (this.step === "done") return;
    this.settle();
    this.owner.failed(this, code, detail);
  }

  private settle(): void {
    this.step = "done";
    this.bytes = undefined;
    this.wheel.clear(this);
  }

  /** The peer will send no more: what it sent is all there is to judge by. */
  onEnd(): void {
    if (this.step === "done") return;
    this.ended = true;
    if (this.bytes === undefined && this.step !== "handshake") this.leave();
    else if (this.step === "detect" || this.step === "inside") this.arrive("tcp", undefined);
    else
      this.fail(
        this.step === "proxy" ? "proxy_header_refused" : "tls_failed",
        "it closed the connection before that was complete",
      );
  }

  private leave(): void {
    this.settle();
    this.connection.end();
    this.owner.left(this);
  }

  onClose(error: Error | undefined): void {
    if (this.step === "done") return;
    if (this.bytes === undefined && this.step !== "handshake") {
      this.settle();
      this.owner.left(this);
    } else
      this.fail(
        this.step === "proxy" ? "proxy_header_refused" : "tls_failed",
        error === undefined ? "it closed the connection" : tlsTrouble(error),
      );
  }

  onDrain(): void {}

  override onDeadline(): void {
    const ms = this.plan.timeoutMs;
    if (this.step === "detect" || this.step === "inside") this.arrive("tcp", undefined, true);
    else if (this.step === "proxy") this.fail("proxy_header_refused", `no complete PROXY header within ${ms} ms`);
    else if (this.step !== "done") this.fail("tls_failed", `no complete TLS handshake within ${ms} ms`);
  }
}

function onlyProtocol(protocol: ListenerProtocol): Detected {
  return protocol === "tcp" ? "tcp" : "http1";
}
