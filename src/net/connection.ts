/**
 * One TCP connection with backpressure: what could not be written is kept, and `write` says so.
 *
 *   owner.onData  <-  socket          owner calls pause()/resume() on the other side's connection
 *   write(...)    ->  socket, or kept until the socket drains, then owner.onDrain
 */
import type { Socket, SocketHandler, TLSUpgradeOptions } from "bun";
import { errorCode } from "../errors.ts";
import { latin1Write } from "./latin1.ts";
import type { Endpoint, ProxyHeader } from "./proxy-protocol.ts";
import {
  type Handshake,
  handshakeFailure,
  type Security,
  type SocketTls,
  securityOf,
  type TlsStart,
} from "./security.ts";

/** What drives a connection: the client's side of an exchange, or the upstream's. */
export interface ConnectionOwner {
  onData(bytes: Buffer): void;
  /** The peer sent FIN; writing is still possible. */
  onEnd(): void;
  /** Everything kept was written. */
  onDrain(): void;
  /** Called once; nothing can be read or written any more. */
  onClose(error: Error | undefined): void;
}

export type RawSocket = Socket<Connection>;

/** Room in which a head and a small body are put side by side, so that they leave in one system call. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** A head whose bytes can be copied. `length` is that of the whole, the empty line included. */
interface Copyable {
  readonly length: number;
  copyLine(target: Uint8Array): number;
  copyFields(target: Uint8Array, at: number): number;
}

/** Puts a head together; `last` stands behind `behind` on one line with it. Returns its length. */
function assemble(target: Buffer, head: Copyable, before: string, behind: string, last: string): number {
  let at = head.copyLine(target);
  if (before !== "") at += latin1Write(target, before, at);
  at = head.copyFields(target, at);
  if (behind !== "") {
    at += latin1Write(target, behind, at);
    at += latin1Write(target, last, at);
    at = endLine(target, at);
  }
  return endLine(target, at);
}

function endLine(target: Uint8Array, at: number): number {
  target[at] = 13;
  target[at + 1] = 10;
  return at + 2;
}

/** The runtime takes both, its types know neither (Bun 1.4). */
type TlsUpgrade = TLSUpgradeOptions<Connection> & {
  isServer: boolean;
  initialData: Buffer | undefined;
};

const nothing: ConnectionOwner = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} };

export class Connection {
  owner: ConnectionOwner = nothing;
  /** The peer's address without the IPv4-mapped prefix; behind a proxy that said so, its client's. */
  address: string;
  port: number;
  closed = false;
  paused = false;
  /** The peer sent FIN. */
  ended = false;
  /** Bytes taken by `write` that the socket has not taken yet. */
  pendingBytes = 0;
  /** What TLS agreed on; undefined on a plain connection. */
  security: Security | undefined = undefined;
  /** Told when it has closed, beside its owner. */
  onGone: (() => void) | undefined = undefined;
  private socket: RawSocket;
  private readonly kept: Uint8Array[] = [];
  private afterFlush: "shutdown" | "end" | undefined = undefined;
  private finSent = false;
  private reached: Endpoint | undefined = undefined;
  private handshake: Handshake | undefined = undefined;

  constructor(socket: RawSocket) {
    this.socket = socket;
    this.address = plainAddress(socket.remoteAddress);
    this.port = socket.remotePort ?? 0;
    socket.setNoDelay(true);
  }

  /** Where the peer connected to; behind a proxy that said so, where its client did; of a captured one, where it was going. */
  get destination(): Endpoint {
    const { localAddress, localPort } = this.socket;
    return this.reached ?? { address: plainAddress(localAddress), port: localPort ?? 0 };
  }

  /** A proxy in front says whose connection this is. */
  represent({ source, destination }: NonNullable<ProxyHeader["ends"]>): void {
    this.address = source.address;
    this.port = source.port;
    this.reached = destination;
  }

  /** It was redirected to us on its way to there. */
  redirectedFrom(destination: Endpoint): void {
    this.reached = destination;
  }

  /**
   * Goes on encrypted, under this same object. `settled` is called once, perhaps before this returns; on failure the
   * connection is closing already. An owner is told nothing but the end before that.
   * @throws Error when the options cannot be used, such as a key that does not fit; the connection stays plain then
   */
  startTls(tls: SocketTls, start: TlsStart, settled: (failure: Error | undefined) => void): void {
    const plain = this.socket;
    this.handshake = { tls, serverName: start.serverName, settled };
    // The runtime calls the plain socket's events with the encrypted bytes from now on: nobody is to hear them.
    plain.data = deaf;
    try {
      const { isServer, firstBytes: initialData } = start;
      plain.upgradeTLS<Connection>({ data: this, tls, socket: secureEvents, isServer, initialData } as TlsUpgrade);
    } catch (error) {
      plain.data = this;
      this.handshake = undefined;
      throw error;
    }
  }

  /** For what only the system can be asked; -1 where there is none. */
  get descriptor(): number {
    return "fd" in this.socket && typeof this.socket.fd === "number" ? this.socket.fd : -1;
  }

  /** The address of this end, without the IPv4-mapped prefix. */
  get localAddress(): string {
    return plainAddress(this.socket.localAddress);
  }

  /** Writes bytes, or a string whose characters are all below 0x100. Returns false when some had to be kept. */
  write(data: string | Uint8Array): boolean {
    if (this.closed || this.finSent) return true;
    if (this.pendingBytes > 0) return this.keep(typeof data === "string" ? Buffer.from(data, "latin1") : data);
    if (typeof data === "string") return this.writeText(data);
    const taken = this.socket.write(data);
    if (taken === data.length) return true;
    return this.keep(data.subarray(Math.max(taken, 0)));
  }

  /** Writes a head and the first bytes of its body together. */
  writeHead(head: string, body: Uint8Array | undefined): boolean {
    const bodyLength = body === undefined ? 0 : body.length;
    const total = head.length + bodyLength;
    if (total > scratch.length || this.pendingBytes > 0) {
      const fits = this.write(head);
      return bodyLength === 0 ? fits : this.write(body!);
    }
    if (this.closed || this.finSent) return true;
    latin1Write(scratch, head, 0);
    if (bodyLength > 0) scratch.set(body!, head.length);
    const taken = Math.max(this.socket.write(scratch, 0, total), 0);
    return taken === total ? true : this.keep(Buffer.from(scratch.subarray(taken, total)));
  }

  /** Writes request line and fields of a head as they came, with lines before and behind the fields, in one system call. */
  writePlain(head: Copyable, before: string, behind: string, last: string): void {
    const most = head.length + before.length + behind.length + last.length + 2;
    if (most > scratch.length || this.pendingBytes > 0) {
      const target = Buffer.allocUnsafe(most);
      this.write(target.subarray(0, assemble(target, head, before, behind, last)));
      return;
    }
    if (this.closed || this.finSent) return;
    const length = assemble(scratch, head, before, behind, last);
    const taken = Math.max(this.socket.write(scratch, 0, length), 0);
    if (taken < length) this.keep(Buffer.from(scratch.subarray(taken, length)));
  }

  /** Stops reading: the kernel's window closes, and the peer waits. */
  pause(): void {
    if (this.paused || this.closed) return;
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused || this.closed) return;
    this.paused = false;
    this.socket.resume();
  }

  /** Sends FIN after what is kept; reading goes on. */
  shutdown(): void {
    if (this.pendingBytes > 0) this.afterFlush ??= "shutdown";
    else this.sendFin();
  }

  /** Closes after what is kept. */
  end(): void {
    if (this.closed) return;
    if (this.pendingBytes > 0) this.afterFlush = "end";
    else this.socket.end();
  }

  /** Closes at once with a reset, so that the peer cannot take what it has for the whole. */
  destroy(): void {
    if (!this.closed) this.socket.terminate();
  }

  private writeText(text: string): boolean {
    // A string would leave as UTF-8, so it goes through Latin-1 bytes (RFC 9112 section 2.2: heads are octets).
    if (text.length > scratch.length) return this.write(Buffer.from(text, "latin1"));
    latin1Write(scratch, text, 0);
    const taken = Math.max(this.socket.write(scratch, 0, text.length), 0);
    return taken === text.length ? true : this.keep(Buffer.from(scratch.subarray(taken, text.length)));
  }

  private keep(bytes: Uint8Array): false {
    if (this.closed) return false;
    this.kept.push(bytes);
    this.pendingBytes += bytes.length;
    return false;
  }

  private sendFin(): void {
    if (this.closed || this.finSent) return;
    this.finSent = true;
    this.socket.shutdown();
  }

  /** @internal called by the socket */
  flush(): void {
    while (this.kept.length > 0) {
      const first = this.kept[0]!;
      const taken = this.socket.write(first);
      if (taken < 0) return;
      this.pendingBytes -= taken;
      if (taken < first.length) {
        this.kept[0] = first.subarray(taken);
        return;
      }
      this.kept.shift();
    }
    if (this.afterFlush === "shutdown") this.sendFin();
    if (this.afterFlush === "end") this.socket.end();
    else this.owner.onDrain();
  }

  /** @internal called by the socket that takes over */
  adopt(socket: RawSocket): void {
    this.socket = socket;
  }

  /** @internal the socket opens with a handshake of its own, as a client's does */
  expectHandshake(tls: SocketTls, settled: (failure: Error | undefined) => void): void {
    this.handshake = { tls, serverName: tls.serverName, settled };
  }

  /** @internal called by the socket; `error` also tells of a certificate that was not verified although it went well */
  shaken(success: boolean, error: Error | null): void {
    const { handshake, socket } = this;
    if (handshake === undefined) return;
    this.handshake = undefined;
    const { tls, serverName, settled } = handshake;
    const certificate = tls.requestCert === true ? (socket.getPeerX509Certificate() ?? undefined) : undefined;
    const failure = handshakeFailure(tls, success, error, certificate === undefined || socket.authorized);
    if (failure !== undefined) {
      settled(failure);
      return;
    }
    this.security = securityOf(socket, serverName, certificate);
    settled(undefined);
  }

  /** @internal called by the socket */
  markClosed(error: Error | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.kept.length = 0;
    this.pendingBytes = 0;
    this.onGone?.();
    this.owner.onClose(error);
  }
}

/** The events every socket shares; `open` is up to who listens or connects. */
export const connectionEvents = {
  data(socket, bytes) {
    socket.data.owner.onData(bytes);
  },
  drain(socket) {
    socket.data.flush();
  },
  end(socket) {
    socket.data.ended = true;
    socket.data.owner.onEnd();
  },
  close(socket, error) {
    socket.data?.markClosed(error ?? undefined);
  },
  error(socket, error) {
    socket.data?.markClosed(error);
    socket.terminate();
    // What our own code threw in one of these calls comes here as well: a bug, which must not look like a lost peer.
    if (errorCode(error) === undefined) queueMicrotask(() => rethrow(error));
  },
} satisfies SocketHandler<Connection>;

/** Hears what nobody is to hear. */
const deaf = new Connection({ setNoDelay() {} } as unknown as RawSocket);

/** Events of a socket whose bytes are encrypted. */
const secureEvents = {
  ...connectionEvents,
  open(socket) {
    socket.data.adopt(socket);
  },
  handshake(socket, success, error) {
    socket.data.shaken(success, error);
  },
} satisfies SocketHandler<Connection>;

function rethrow(error: Error): never {
  throw error;
}

/** `::ffff:10.0.0.1` is how a dual-stack socket writes 10.0.0.1. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "";
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** True for addresses of this machine, written as `plainAddress` does. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
