/** Connections that are not served: told why where they can be, closed, counted, and named in the log at a bounded rate. */
import { type FailureCode, failure } from "../errors.ts";
import type { CaptureRefusal } from "../net/capture.ts";
import { type Connection, isLoopback } from "../net/connection.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import type { Engine } from "./engine.ts";
import { Lingering } from "./lingering.ts";
import type { ListenerPlan } from "./plan.ts";
import { failureReply, renderReply } from "./respond.ts";

/** How long a refused client may take its answer. */
const refusalMs = 1000;
/** One line of each kind a second says it all, however many come. */
const reportEveryMs = 1000;

export class Turnaways {
  private readonly engine: Engine;
  private readonly limit: ConnectionLimit;
  private overloadReportedAt = Number.NEGATIVE_INFINITY;
  private failureReportedAt = Number.NEGATIVE_INFINITY;
  private unreported = 0;

  constructor(engine: Engine, limit: ConnectionLimit) {
    this.engine = engine;
    this.limit = limit;
  }

  /** More connections than are allowed. A client that expects TLS could not read the answer. */
  overload(connection: Connection, plan: ListenerPlan): void {
    const { engine } = this;
    const { most: limit } = this.limit;
    engine.countFailure("overloaded");
    const { clock, emit } = engine.thread;
    if (clock.now() - this.overloadReportedAt >= reportEveryMs) {
      this.overloadReportedAt = clock.now();
      emit("connections_over_limit", { listener: plan.name, limit });
    }
    if (plan.arrival !== undefined) connection.end();
    else this.answer(connection, "overloaded", `more than ${limit} connections`);
  }

  /** Its beginning is not what the listener takes. */
  failed(connection: Connection, plan: ListenerPlan, code: FailureCode, detail: string): void {
    this.engine.countFailure(code);
    this.report(connection, plan, code, detail);
    if (code === "http_on_tls_port") this.sayTls(connection);
    else connection.end();
  }

  /** It was not redirected to where only redirected ones belong, and is told so; or it would go in a circle, and is broken off. */
  uncaptured(connection: Connection, plan: ListenerPlan, { code, detail }: CaptureRefusal): void {
    this.engine.countFailure(code);
    this.report(connection, plan, code, detail);
    if (code === "not_redirected" && plan.arrival?.protocol !== "tls") this.answer(connection, code, detail);
    else connection.destroy();
  }

  private report({ address }: Connection, plan: ListenerPlan, code: FailureCode, detail: string): void {
    const { clock, emit } = this.engine.thread;
    this.unreported++;
    if (clock.now() - this.failureReportedAt < reportEveryMs) return;
    this.failureReportedAt = clock.now();
    emit("connection_refused", { listener: plan.name, peer: address, code, detail, count: this.unreported });
    this.unreported = 0;
  }

  private answer(connection: Connection, code: FailureCode, detail: string): void {
    const { engine } = this;
    const reply = failureReply(code, detail, engine.nextId(), undefined, isLoopback(connection.address));
    const answer = renderReply(engine, reply, reply.headers ?? [], { closes: true, minor: 1, withoutBody: false });
    connection.writeHead(answer.head, answer.body);
    this.letGo(connection);
  }

  /** In plain text, as the client spoke. */
  private sayTls(connection: Connection): void {
    const { status, title } = failure("http_on_tls_port");
    const headers = [["content-type", "text/plain; charset=utf-8"]] as const;
    const reply = { status, headers, body: `${title} Use https:// in front of this address.\n` };
    const answer = renderReply(this.engine, reply, headers, { closes: true, minor: 1, withoutBody: false });
    connection.writeHead(answer.head, answer.body);
    this.letGo(connection);
  }

  private letGo(connection: Connection): void {
    if (!this.limit.takeRefused()) {
      connection.end();
      return;
    }
    new Lingering(this.engine.wheel, connection, refusalMs, () => this.limit.giveRefused());
  }
}
