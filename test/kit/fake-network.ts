/**
 * The engine's HTTP side without sockets: everything happens in one call of `run`, in an order chosen by a seed.
 *
 *   ClientEnd  <->  FakeSocket - Connection - Session … Forward - Connection - FakeSocket  <->  UpstreamEnd
 */
import type { Listener } from "../../src/config/schema.ts";
import { compileListener, type FilterRegistry } from "../../src/http/compile.ts";
import { Engine } from "../../src/http/engine.ts";
import type { ListenerPlan } from "../../src/http/plan.ts";
import { Pool } from "../../src/http/pool.ts";
import { Session } from "../../src/http/session.ts";
import type { UpstreamUser } from "../../src/http/upstream.ts";
import { UpstreamConnection } from "../../src/http/upstream-connection.ts";
import { Connection, type RawSocket } from "../../src/net/connection.ts";
import { tcpTarget } from "../../src/net/target.ts";
import { configOf, forwardTo, type ListenerOptions, listenerOf, RecordingThread } from "./engine.ts";
import type { Seeded } from "./random.ts";

/** The far end of a fake socket. */
export interface FarEnd {
  onBytes(bytes: Buffer): void;
  onFin(): void;
  onReset(): void;
}

/** What the engine takes for a socket. Bytes for the engine wait here until the network's turn comes. */
export class FakeSocket {
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 2;
  readonly connection: Connection;
  far: FarEnd = { onBytes() {}, onFin() {}, onReset() {} };
  private readonly network: FakeNetwork;
  private readonly incoming: Buffer[] = [];
  private finComes = false;
  private paused = false;
  private full = false;

  constructor(network: FakeNetwork) {
    this.network = network;
    this.connection = new Connection(this as unknown as RawSocket);
    network.sockets.push(this);
  }

  /** Puts bytes on their way to the engine, a packet each. */
  deliver(pieces: readonly Buffer[]): void {
    for (const piece of pieces) if (piece.length > 0) this.incoming.push(piece);
  }

  deliverFin(): void {
    this.finComes = true;
  }

  get hasWork(): boolean {
    if (this.connection.closed) return false;
    return this.full || (!this.paused && (this.incoming.length > 0 || this.finComes));
  }

  /** Lets one thing happen. */
  step(): void {
    const { connection } = this;
    if (this.full) {
      this.full = false;
      connection.flush();
    } else if (this.incoming.length > 0) connection.owner.onData(this.incoming.shift()!);
    else {
      this.finComes = false;
      connection.ended = true;
      connection.owner.onEnd();
    }
  }

  // What follows is called by the Connection.

  setNoDelay(): void {}

  write(bytes: Uint8Array, from = 0, count = bytes.length): number {
    const taken = this.network.room(count);
    if (taken > 0) this.far.onBytes(Buffer.from(bytes.subarray(from, from + taken)));
    if (taken < count) this.full = true;
    return taken;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  shutdown(): void {
    this.far.onFin();
  }

  end(): void {
    this.far.onFin();
    this.connection.markClosed(undefined);
  }

  terminate(): void {
    this.far.onReset();
    this.connection.markClosed(undefined);
  }
}

/** A client that keeps what it gets. */
export class ClientEnd implements FarEnd {
  received = "";
  ended = false;
  broken = false;
  onBytes(bytes: Buffer): void {
    this.received += bytes.toString("latin1");
  }
  onFin(): void {
    this.ended = true;
  }
  onReset(): void {
    this.broken = true;
  }
}

class FakeUpstream extends UpstreamConnection {
  /** The connection is there. */
  open(connection: Connection): void {
    if (this.state !== "connecting") return;
    this.connection = connection;
    connection.owner = this;
    this.state = "head";
    this.user?.onConnected(this);
  }
}

class FakePool extends Pool {
  private readonly network: FakeNetwork;

  constructor(network: FakeNetwork) {
    super(tcpTarget("upstream", 80), network.engine);
    this.network = network;
  }

  override connect(user: UpstreamUser): UpstreamConnection {
    const up = new FakeUpstream(this, user);
    this.network.connects.push(() => {
      const socket = new FakeSocket(this.network);
      socket.far = this.network.upstream(socket);
      up.open(socket.connection);
    });
    return up;
  }
}

/** One engine with one listener whose routes forward to upstreams made by `upstream`. */
export class FakeNetwork {
  readonly thread = new RecordingThread();
  readonly engine = new Engine(this.thread);
  readonly sockets: FakeSocket[] = [];
  readonly connects: (() => void)[] = [];
  /** Makes the far end of a new connection to the upstream. */
  upstream: (socket: FakeSocket) => FarEnd = () => new ClientEnd();
  /** Chooses what happens next and what sockets take; without it everything is whole and in order. */
  random: Seeded | undefined;
  private plan: ListenerPlan | undefined;

  static async start(
    options: Partial<ListenerOptions> = {},
    limits = {},
    registry: FilterRegistry = {},
  ): Promise<FakeNetwork> {
    const network = new FakeNetwork();
    const listener = listenerOf({ routes: forwardTo(1), ...options });
    network.plan = await network.compile(listener, limits, registry);
    return network;
  }

  private async compile(listener: Listener, limits: object, registry: FilterRegistry): Promise<ListenerPlan> {
    const { plan } = await compileListener(this.engine, listener, configOf([], limits).limits, registry);
    const pool = new FakePool(this);
    const routes = plan.routes.map((route) => ({
      ...route,
      action: route.action.kind === "forward" ? { kind: "forward" as const, pool, places: [] } : route.action,
    }));
    return { ...plan, routes };
  }

  /** A client's connection, accepted. */
  client(end = new ClientEnd()): { end: ClientEnd; socket: FakeSocket } {
    const socket = new FakeSocket(this);
    socket.far = end;
    new Session(this.engine, { plan: this.plan! }, socket.connection, { closed() {}, speaksHttp2() {} });
    return { end, socket };
  }

  /** Lets everything happen that can happen now. Promises get no turn meanwhile. */
  run(): void {
    for (;;) {
      const ready = this.sockets.filter((socket) => socket.hasWork);
      const count = ready.length + this.connects.length;
      if (count === 0) break;
      const at = this.random === undefined ? 0 : this.random.whole(count);
      if (at < this.connects.length) this.connects.splice(at, 1)[0]!();
      else ready[at - this.connects.length]!.step();
    }
    for (let i = this.sockets.length - 1; i >= 0; i--)
      if (this.sockets[i]!.connection.closed) this.sockets.splice(i, 1);
  }

  /** @internal how many of `count` bytes a socket takes at once */
  room(count: number): number {
    if (this.random === undefined || !this.random.chance(0.1)) return count;
    return this.random.whole(count + 1);
  }

  stop(): void {
    for (const socket of this.sockets) socket.connection.destroy();
    this.engine.stop();
  }
}
