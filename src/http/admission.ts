/** Lets connections in up to a limit; the ones above it are told so and closed (design section 7). */

import { type Connection, isLoopback } from "../net/connection.ts";
import type { Engine } from "./engine.ts";
import { Lingering } from "./lingering.ts";
import type { ListenerPlan } from "./plan.ts";
import { failureReply, renderReply } from "./respond.ts";
import { type PlanHolder, Session } from "./session.ts";

/** How long a refused client may take its answer. */
const refusalMs = 1000;
/** Refused clients that may take that time at once: in a flood they would use up the descriptors kept for other uses. */
const mostRefused = 64;

export class Admission {
  readonly sessions = new Set<Session>();
  private readonly engine: Engine;
  private readonly maxConnections: number;
  private reportedAt = Number.NEGATIVE_INFINITY;
  private refused = 0;

  constructor(engine: Engine, maxConnections: number) {
    this.engine = engine;
    this.maxConnections = maxConnections;
  }

  admit(connection: Connection, holder: PlanHolder): void {
    if (this.sessions.size >= this.maxConnections) {
      this.refuse(connection, holder.plan);
      return;
    }
    const { connections } = holder.plan;
    connections.add(1);
    const session = new Session(this.engine, holder, connection, (closed) => {
      this.sessions.delete(closed);
      connections.add(-1);
    });
    this.sessions.add(session);
  }

  private refuse(connection: Connection, plan: ListenerPlan): void {
    this.report(plan);
    this.engine.countFailure("overloaded");
    const reply = failureReply(
      "overloaded",
      `more than ${this.maxConnections} connections`,
      this.engine.nextId(),
      undefined,
      isLoopback(connection.address),
    );
    const answer = renderReply(this.engine, reply, reply.headers ?? [], { closes: true, minor: 1, withoutBody: false });
    connection.writeHead(answer.head, answer.body);
    this.letGo(connection);
  }

  private letGo(connection: Connection): void {
    if (this.refused >= mostRefused) {
      connection.end();
      return;
    }
    this.refused++;
    new Lingering(this.engine.wheel, connection, refusalMs, () => {
      this.refused--;
    });
  }

  /** At most once a second: under a flood of connections one line says it all. */
  private report(plan: ListenerPlan): void {
    const now = this.engine.thread.clock.now();
    if (now - this.reportedAt < 1000) return;
    this.reportedAt = now;
    this.engine.thread.emit("connections_over_limit", { listener: plan.name, limit: this.maxConnections });
  }
}
