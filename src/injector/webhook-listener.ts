/**
 * Where reviews come in. Each connection is encrypted with the certificate that is current when it begins (design D4),
 * so that a new certificate needs no new listener, and no call is lost for it.
 */
import type { Clock, Emit, Metrics } from "../contracts.ts";
import { Arrival, type ArrivalFailure, type ArrivalOwner } from "../net/arrival.ts";
import type { Connection } from "../net/connection.ts";
import { addressText, type ListenAddress, Listener } from "../net/listen.ts";
import { alpnWire, type SocketTls } from "../net/security.ts";
import { TimerWheel } from "../net/wheel.ts";
import { BodyRoom } from "./body-room.ts";
import type { CertificateSource } from "./certificate-source.ts";
import type { Reviews } from "./reviews.ts";
import { type TurnedAway, WebhookConnection, type WebhookService } from "./webhook-connection.ts";

export interface WebhookListenerOptions {
  readonly address: ListenAddress;
  readonly certificate: CertificateSource;
  readonly reviews: Reviews;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly metrics: Metrics;
}

/** Reviews of the largest size that are read at once. */
const roomBytes = 64 * 1024 * 1024;
/** An API server opens a few; this is for whoever opens them without end. */
const mostConnections = 2000;
const arrivalMs = 10_000;
const http1 = alpnWire(["http/1.1"]);

export class WebhookListener implements WebhookService, ArrivalOwner {
  readonly wheel: TimerWheel;
  readonly room = new BodyRoom(roomBytes);
  isLeaving = false;
  private readonly options: WebhookListenerOptions;
  private readonly listener: Listener;
  private readonly arrivals = new Set<Arrival>();
  private readonly connections = new Set<WebhookConnection>();
  private readonly count: (open: number) => void;
  private readonly duration: { observe(seconds: number): void };

  /** @throws UserError (exit 3) when the address cannot be bound */
  constructor(options: WebhookListenerOptions) {
    this.options = options;
    this.wheel = new TimerWheel(options.clock);
    const open = options.metrics.gauge("outrigger_webhook_connections");
    this.count = (change) => open.add(change);
    this.duration = options.metrics.histogram("outrigger_webhook_request_duration_seconds");
    this.listener = Listener.open(options.address, (connection) => this.accept(connection));
  }

  /** As bound. */
  get address(): string {
    return addressText({ host: this.options.address.host ?? "::", port: this.listener.port });
  }

  get port(): number {
    return this.listener.port;
  }

  /** Requests that are being read or answered, and connections about to ask. */
  get running(): number {
    const busy = [...this.connections].filter(({ busy: isBusy }) => isBusy);
    return busy.length + [...this.arrivals].filter(({ busy: isBusy }) => isBusy).length;
  }

  /** Answers carry `Connection: close` from now on, or do not any more. */
  announce(isLeaving: boolean): void {
    this.isLeaving = isLeaving;
  }

  /** Closes what is idle. */
  closeIdle(): void {
    for (const connection of this.connections) connection.closeIdle();
  }

  /** No connection is taken any more; the idle ones are closed. */
  close(): void {
    this.listener.close();
    this.closeIdle();
  }

  /** Closes what is left. */
  cut(): void {
    for (const arrival of this.arrivals) arrival.cut();
    for (const { connection } of this.connections) connection.destroy();
    this.arrivals.clear();
    this.wheel.stop();
  }

  now(): number {
    return this.options.clock.now();
  }

  review(body: string): ReturnType<WebhookService["review"]> {
    return this.options.reviews.review(body);
  }

  answered(seconds: number): void {
    this.duration.observe(seconds);
  }

  turnedAway({ connection }: WebhookConnection, reason: TurnedAway, detail: string): void {
    this.options.metrics.counter("outrigger_webhook_requests_total", { outcome: "turned_away", reason }).add(1);
    this.options.emit("webhook_turned_away", { peer: connection.address, reason, detail });
  }

  closed(connection: WebhookConnection): void {
    if (this.connections.delete(connection)) this.count(-1);
  }

  private accept(connection: Connection): void {
    const tls = this.tls();
    if (tls === undefined) this.fail(connection, "no_certificate", "there is no certificate yet");
    else if (this.connections.size + this.arrivals.size >= mostConnections)
      this.fail(connection, "too_many", `there are ${mostConnections} connections already`);
    else {
      const plan = { protocol: "http", proxies: undefined, tls: { for: () => tls }, timeoutMs: arrivalMs } as const;
      const arrival = new Arrival(this.wheel, plan, connection, this);
      this.arrivals.add(arrival);
      arrival.start();
    }
  }

  private tls(): SocketTls | undefined {
    const { current } = this.options.certificate;
    if (current === undefined) return undefined;
    return { cert: current.cert, key: current.key, minVersion: 0x0303, ALPNProtocols: http1 };
  }

  arrived(arrival: Arrival): void {
    this.arrivals.delete(arrival);
    this.connections.add(new WebhookConnection(arrival.connection, this));
    this.count(1);
  }

  failed(arrival: Arrival, code: ArrivalFailure, detail: string): void {
    this.arrivals.delete(arrival);
    this.fail(arrival.connection, code, detail);
  }

  left(arrival: Arrival): void {
    this.arrivals.delete(arrival);
  }

  private fail(connection: Connection, reason: string, detail: string): void {
    connection.end();
    this.options.metrics.counter("outrigger_webhook_connections_failed_total", { reason }).add(1);
    this.options.emit("webhook_connection_failed", { peer: connection.address, detail });
  }
}
