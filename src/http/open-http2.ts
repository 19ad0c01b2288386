/** Opens the session of an HTTP/2 client; its code is loaded with the first one, so that others do not pay for it. */
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import type { Occupant } from "./admission.ts";
import type { Engine } from "./engine.ts";
import type { ListenerPlan } from "./plan.ts";
import type { PlanHolder } from "./session.ts";

type Http2 = typeof import("../http2/server-session.ts");

let http2: Http2 | undefined;

/** Where who lives on the connection is known. */
export interface Residence {
  /** @param before who gives way to it */
  occupy(occupant: Occupant, before?: Occupant): void;
  /** Once, when the connection is over. */
  closed(occupant: Occupant): void;
}

/** @param bytes what the client has sent already, from the preface on */
export function openHttp2(
  engine: Engine,
  holder: PlanHolder,
  connection: Connection,
  residence: Residence,
  bytes: Buffer | undefined,
): void {
  if (http2 === undefined) residence.occupy(new Arriving(engine, holder, connection, residence, bytes));
  else begin(http2, engine, holder, connection, residence, bytes);
}

function begin(
  { ServerSession }: Http2,
  engine: Engine,
  holder: PlanHolder,
  connection: Connection,
  residence: Residence,
  bytes: Buffer | undefined,
  before?: Occupant,
): void {
  const session = new ServerSession(engine, holder, connection, (occupant) => residence.closed(occupant));
  residence.occupy(session, before);
  if (bytes !== undefined) session.http2.onData(bytes);
}

/** Holds the connection while the code is loaded. */
class Arriving implements Occupant, ConnectionOwner {
  readonly busy = false;
  readonly heldBytes = 0;
  private readonly holder: PlanHolder;
  private readonly connection: Connection;
  private readonly residence: Residence;
  private bytes: Buffer | undefined;

  constructor(
    engine: Engine,
    holder: PlanHolder,
    connection: Connection,
    residence: Residence,
    bytes: Buffer | undefined,
  ) {
    this.holder = holder;
    this.connection = connection;
    this.residence = residence;
    this.bytes = bytes;
    connection.owner = this;
    connection.pause();
    import("../http2/server-session.ts").then((loaded) => this.loaded(loaded, engine));
  }

  get plans(): readonly ListenerPlan[] {
    return [this.holder.plan];
  }

  private loaded(loaded: Http2, engine: Engine): void {
    const { connection, holder, residence } = this;
    http2 = loaded;
    if (connection.closed) return;
    begin(loaded, engine, holder, connection, residence, this.bytes, this);
    connection.resume();
  }

  cut(): boolean {
    this.connection.end();
    return false;
  }

  onData(bytes: Buffer): void {
    this.bytes = this.bytes === undefined ? bytes : Buffer.concat([this.bytes, bytes]);
  }

  onEnd(): void {
    this.connection.end();
  }

  onDrain(): void {}

  onClose(): void {
    this.residence.closed(this);
  }
}
