/** An accepted connection that has not begun its first request: PROXY header, detection, TLS. */
import { Arrival, type ArrivalFailure, type ArrivalOwner, type ArrivalPlan, type Arrived } from "../net/arrival.ts";
import type { Connection } from "../net/connection.ts";
import type { TimerWheel } from "../net/wheel.ts";
import { FirstWord, type Silent } from "../tcp/first-word.ts";
import type { Occupant } from "./admission.ts";
import type { ListenerPlan } from "./plan.ts";
import type { PlanHolder } from "./session.ts";

/** What becomes of it. One of these is called, once. */
export interface Reception {
  arrived(newcomer: Newcomer, what: Arrived): void;
  /** Turned away; the connection still has to be closed. */
  failed(newcomer: Newcomer, code: ArrivalFailure, detail: string): void;
  /** Gone, or closed, without having begun anything. */
  left(newcomer: Newcomer): void;
}

export class Newcomer implements Occupant, ArrivalOwner, Silent {
  readonly connection: Connection;
  readonly holder: PlanHolder;
  /** The plan at the time of accepting: what its gauges counted stays with it. */
  readonly plan: ListenerPlan;
  private readonly wheel: TimerWheel;
  private readonly reception: Reception;
  private readonly arrival: Arrival;
  /** Listens to the upstream while the client is silent, where the listener looks and has a way for bytes. */
  firstWord: FirstWord | undefined = undefined;

  constructor(wheel: TimerWheel, plan: ArrivalPlan, connection: Connection, holder: PlanHolder, reception: Reception) {
    this.wheel = wheel;
    this.connection = connection;
    this.holder = holder;
    this.plan = holder.plan;
    this.reception = reception;
    this.arrival = new Arrival(wheel, plan, connection, this);
  }

  start(): void {
    const { wheel, plan } = this;
    const route =
      plan.arrival?.protocol === "auto" ? plan.stream?.routes.find(({ takes }) => takes(undefined)) : undefined;
    if (route !== undefined) this.firstWord = new FirstWord(wheel, route, this);
    this.arrival.start();
  }

  get silent(): boolean {
    return this.arrival.silent;
  }

  upstreamSpoke(): void {
    if (!this.arrival.takeAsTcp()) this.firstWord?.stop();
  }

  get plans(): readonly ListenerPlan[] {
    return [this.holder.plan];
  }

  get busy(): boolean {
    return this.arrival.busy;
  }

  get heldBytes(): number {
    return this.arrival.heldBytes;
  }

  /** No answer is lost with it. */
  cut(): boolean {
    this.arrival.cut();
    this.left();
    return false;
  }

  arrived(_: Arrival, what: Arrived): void {
    if (this.firstWord?.bytes === undefined) this.firstWord?.stop();
    this.reception.arrived(this, what);
  }

  failed(_: Arrival, code: ArrivalFailure, detail: string): void {
    this.firstWord?.stop();
    this.reception.failed(this, code, detail);
  }

  left(): void {
    this.firstWord?.stop();
    this.reception.left(this);
  }
}
