/** Lets connections in up to a limit (design section 7), through their arrival where a listener has one. */
import type { Gauge } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import type { ArrivalPlan, Arrived } from "../net/arrival.ts";
import type { Capture } from "../net/capture.ts";
import type { Connection } from "../net/connection.ts";
import type { StreamPlan } from "../tcp/stream-plan.ts";
import { StreamSession } from "../tcp/stream-session.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import type { Engine } from "./engine.ts";
import { Newcomer, type Reception } from "./newcomer.ts";
import { openHttp2 } from "./open-http2.ts";
import type { ListenerPlan } from "./plan.ts";
import { type PlanHolder, Session } from "./session.ts";
import { Turnaways } from "./turnaways.ts";

/** What lives on an accepted connection: its arrival, then its session. */
export interface Occupant {
  /** What it goes by, now and next. */
  readonly plans: readonly ListenerPlan[];
  /** True while a drain has to wait for it. */
  readonly busy: boolean;
  /** Bytes that wait in this process for either side. */
  readonly heldBytes: number;
  /** Ends it now. Returns true when an answer was cut. */
  cut(): boolean;
}

export class Admission implements Reception {
  /** Everything on accepted connections, those still arriving included. */
  readonly sessions = new Set<Occupant>();
  private readonly engine: Engine;
  private readonly limit: ConnectionLimit;
  private readonly turnaways: Turnaways;

  constructor(engine: Engine, limit: ConnectionLimit) {
    this.engine = engine;
    this.limit = limit;
    this.turnaways = new Turnaways(engine, limit);
  }

  admit(connection: Connection, holder: PlanHolder): void {
    const { plan } = holder;
    if (!this.limit.take()) {
      this.turnaways.overload(connection, plan);
      return;
    }
    plan.connections.add(1);
    if (plan.capture === undefined) this.enter(connection, holder);
    else this.judge(connection, holder, plan.capture);
  }

  private enter(connection: Connection, holder: PlanHolder): void {
    const { plan } = holder;
    if (plan.arrival === undefined) this.open(connection, holder, plan.connections);
    else this.receive(connection, holder, plan.arrival);
  }

  /**
   * Lets in what was redirected and does not come from ourselves. The kernel opens our own side of such a circle first,
   * but the runtime may tell us of it a turn later.
   */
  private judge(connection: Connection, holder: PlanHolder, capture: Capture): void {
    const { plan } = holder;
    connection.pause();
    afterTwoTurns(() => {
      const refusal = connection.closed ? undefined : capture.judge(connection);
      if (refusal === undefined && !connection.closed) {
        connection.resume();
        this.enter(connection, holder);
        return;
      }
      this.leave(plan.connections);
      if (refusal !== undefined) this.turnaways.uncaptured(connection, plan, refusal);
    });
  }

  private open(connection: Connection, holder: PlanHolder, connections: Gauge): Session {
    const session = new Session(this.engine, holder, connection, {
      closed: (closed) => this.vacate(closed, connections),
      speaksHttp2: (before, bytes) => {
        this.sessions.delete(before);
        this.openHttp2(connection, holder, connections, bytes);
      },
    });
    this.sessions.add(session);
    return session;
  }

  private openHttp2(connection: Connection, holder: PlanHolder, connections: Gauge, bytes: Buffer | undefined): void {
    const occupy = (occupant: Occupant, before?: Occupant) => {
      if (before !== undefined) this.sessions.delete(before);
      this.sessions.add(occupant);
    };
    const closed = (occupant: Occupant) => this.vacate(occupant, connections);
    openHttp2(this.engine, holder, connection, { occupy, closed }, bytes);
  }

  private receive(connection: Connection, holder: PlanHolder, arrival: ArrivalPlan): void {
    const newcomer = new Newcomer(this.engine.wheel, arrival, connection, holder, this);
    this.sessions.add(newcomer);
    newcomer.start();
  }

  arrived(newcomer: Newcomer, { protocol, bytes, hello, timedOut }: Arrived): void {
    const { connection, holder, plan } = newcomer;
    this.sessions.delete(newcomer);
    if (timedOut) plan.detectTimeouts.add(1);
    if (protocol === "http1") {
      const session = this.open(connection, holder, plan.connections);
      if (bytes !== undefined) session.onData(bytes);
    } else if (protocol === "http2") this.openHttp2(connection, holder, plan.connections, bytes);
    else if (plan.stream !== undefined) this.carry(newcomer, plan.stream, { bytes, hello });
    else this.turnAway(newcomer, "protocol_not_served", `it speaks ${spoken[protocol]}`);
  }

  /** Its bytes are not looked into. */
  private carry(newcomer: Newcomer, stream: StreamPlan, { bytes, hello }: Pick<Arrived, "bytes" | "hello">): void {
    const { connection, holder, plan } = newcomer;
    const session = new StreamSession(this.engine, holder, stream, connection, (closed) =>
      this.vacate(closed, plan.connections),
    );
    this.sessions.add(session);
    const { firstWord } = newcomer;
    if (firstWord?.bytes !== undefined) session.startWith(firstWord.route, firstWord.take(), firstWord.bytes);
    else session.start(hello?.serverName, bytes, hello !== undefined);
  }

  failed(newcomer: Newcomer, code: FailureCode, detail: string): void {
    this.turnAway(newcomer, code, detail);
  }

  private turnAway(newcomer: Newcomer, code: FailureCode, detail: string): void {
    this.left(newcomer);
    this.turnaways.failed(newcomer.connection, newcomer.plan, code, detail);
  }

  left(newcomer: Newcomer): void {
    this.vacate(newcomer, newcomer.plan.connections);
  }

  /** The connection is gone. */
  private vacate(occupant: Occupant, connections: Gauge): void {
    this.sessions.delete(occupant);
    this.leave(connections);
  }

  private leave(connections: Gauge): void {
    connections.add(-1);
    this.limit.give();
  }
}

function afterTwoTurns(then: () => void): void {
  setImmediate(() => setImmediate(then));
}

const spoken = { tls: "TLS", tcp: "neither HTTP nor TLS" } as const;
