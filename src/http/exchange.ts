/** One request and its answer: the data. How it moves is in `session.ts` (client's side) and `forward.ts` (upstream's side). */
import type { Direction, Exchange, Field, Peer, ResponseView } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import { HeadFields } from "./fields.ts";
import type { RoutePlan } from "./plan.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";
import type { Session } from "./session.ts";

/** Where an exchange stands. The answer's head is on its way to the client from `answering` on. */
export type Stage = "admitting" | "forwarding" | "answering" | "done";

export class HttpExchange extends HeadFields implements Exchange {
  readonly head: RequestHead;
  readonly session: Session;
  readonly id: string;
  readonly startedAt: number;
  plan: RoutePlan;
  stage: Stage = "admitting";
  failure: FailureCode | undefined = undefined;
  failureDetail = "";
  durationMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  attempts = 0;
  status = 0;
  upstream: string | undefined = undefined;
  /** The client has sent its whole body, and the upstream was given it. */
  requestDone = false;
  /** Monotonic milliseconds at which the request was whole: from then on the upstream owes an answer. */
  askedAt: number;
  /** The filters' response hooks have had their say. */
  responseSeen = false;
  /** The body sent so far can be sent again. */
  replayable = true;
  /** The answer ends with the connection. */
  closes = false;
  answer: ResponseFields | undefined = undefined;
  private controller: AbortController | undefined;
  private ownNotes: Map<string, unknown> | undefined;

  constructor(session: Session, head: RequestHead, id: string, plan: RoutePlan, startedAt: number) {
    super(head);
    this.session = session;
    this.head = head;
    this.id = id;
    this.plan = plan;
    this.startedAt = startedAt;
    this.askedAt = startedAt;
  }

  get direction(): Direction {
    return this.session.plan.direction;
  }
  get listener(): string {
    return this.session.plan.name;
  }
  /** Host is known even where its line is not sent on. */
  override header(name: string): string | undefined {
    const found = super.header(name);
    if (found === undefined && name.toLowerCase() === "host") return this.head.authority || undefined;
    return found;
  }
  get route(): string {
    return this.plan.name;
  }
  get peer(): Peer {
    return this.session.peer;
  }
  get method(): string {
    return this.head.method;
  }
  get target(): string {
    return this.head.target;
  }
  get path(): string {
    const query = this.head.target.indexOf("?");
    return query === -1 ? this.head.target : this.head.target.slice(0, query);
  }
  get authority(): string {
    return this.head.authority;
  }
  get scheme(): "http" | "https" {
    return "http";
  }
  get response(): ResponseView | undefined {
    return this.answer;
  }
  get notes(): Map<string, unknown> {
    this.ownNotes ??= new Map();
    return this.ownNotes;
  }
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.stage === "done") this.controller.abort();
    return this.controller.signal;
  }

  /** @internal tells who listens that this exchange will not go on */
  abort(): void {
    this.controller?.abort();
  }
}

/** The answer's head as filters see and edit it. */
export class ResponseFields extends HeadFields implements ResponseView {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, source: ResponseHead | undefined, list?: Field[]) {
    super(source, list);
    this.status = status;
    this.reason = reason;
  }
}
