/**
 * Who speaks first? A listener that looks at its clients' first bytes hears nothing from clients of protocols in which
 * the server begins (SMTP, MySQL, SSH), and would wait for its whole time (traffic.md C14). So while a client is silent
 * the upstream for bytes is connected to, and if that speaks first, the connection is one of bytes.
 */
import type { Upstream, UpstreamUser } from "../http/upstream.ts";
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import type { Ends } from "../net/dial.ts";
import { Timed, type TimerWheel } from "../net/wheel.ts";
import type { StreamRoute } from "./stream-plan.ts";

/** How long a client may be silent before the upstream is asked: most that speak first have spoken by then. */
const silenceMs = 50;
/** How long it may go on being silent where nobody can be reached, whatever it would say: then it is told so. */
const hopelessMs = 1000;

/** The client that may be one of those. */
export interface Silent {
  readonly connection: Connection;
  /** It has begun nothing, and may. */
  readonly silent: boolean;
  /** The upstream has said something, or never will; once. */
  upstreamSpoke(): void;
}

export class FirstWord extends Timed implements UpstreamUser, ConnectionOwner {
  readonly requestMethod = "CONNECT";
  readonly route: StreamRoute;
  /** What the upstream has said, once it has. */
  bytes: Buffer | undefined = undefined;
  private readonly wheel: TimerWheel;
  private readonly client: Silent;
  private up: Upstream | null = null;
  private far: Connection | null = null;
  private isHopeless = false;

  constructor(wheel: TimerWheel, route: StreamRoute, client: Silent) {
    super();
    this.wheel = wheel;
    this.route = route;
    this.client = client;
    wheel.set(this, silenceMs);
  }

  /** Asked when the connection is opened: a PROXY header has been read by then. */
  get ends(): Ends {
    const { address, port, destination } = this.client.connection;
    return { source: { address, port }, destination };
  }

  /** The upstream's connection, which is the caller's from now on. */
  take(): Connection {
    const far = this.far!;
    this.far = null;
    return far;
  }

  /** The client was first, or is gone. */
  stop(): void {
    this.wheel.clear(this);
    this.up?.abandon();
    this.up = null;
    this.far?.end();
    this.far = null;
  }

  override onDeadline(): void {
    if (this.isHopeless) this.client.upstreamSpoke();
    else if (!this.client.silent) this.wheel.set(this, silenceMs);
    else this.up = this.route.poolFor(this.client.connection).connect(this, this.route.connect);
  }

  onConnected(up: Upstream): void {
    this.up = null;
    this.far = up.surrender!();
    this.far.owner = this;
  }

  onData(bytes: Buffer): void {
    if (this.bytes === undefined) {
      this.bytes = bytes;
      this.far!.pause();
      this.client.upstreamSpoke();
    } else this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  /** The client may still speak, and is told then that there is no upstream. A captured one has no other way to go. */
  onUpstreamFailure(): void {
    this.up = null;
    if (this.route.pool !== undefined) return;
    this.isHopeless = true;
    this.wheel.set(this, hopelessMs);
  }

  onEnd(): void {
    this.stop();
  }

  onClose(): void {
    this.far = null;
  }

  onDrain(): void {}
  onInformation(): void {}
  onResponse(): void {}
  onBody(): void {}
  onUpstreamDrain(): void {}
}
