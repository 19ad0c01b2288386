/**
 * One TLS connection of an API server: HTTP/1.1, one review after the other.
 *
 *   head -> may it be a review? -> room for its body -> body -> answer -> the next head
 *
 * What is no review is answered in words, and the connection closed where a body would have to be read for nothing.
 */
import { findField } from "../http/field-lines.ts";
import { Refusal } from "../http/head.ts";
import { Lingering } from "../http/lingering.ts";
import type { RequestHead } from "../http/request-head.ts";
import { RequestInput } from "../http/request-input.ts";
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import { Timed, type TimerWheel } from "../net/wheel.ts";
import type { BodyRoom } from "./body-room.ts";

/** Why a request is no review. */
export type TurnedAway = "bad_http" | "wrong_path" | "wrong_method" | "wrong_type" | "too_large" | "bad_body" | "late";

/** What all connections of one webhook share. */
export interface WebhookService {
  readonly wheel: TimerWheel;
  readonly room: BodyRoom;
  /** True: answers carry `Connection: close`. */
  readonly isLeaving: boolean;
  /** Monotonic milliseconds. */
  now(): number;
  /** The answer to a body; a problem is answered with 400. */
  review(body: string): Promise<{ readonly answer: string } | { readonly problem: string }>;
  answered(seconds: number): void;
  turnedAway(connection: WebhookConnection, reason: TurnedAway, detail: string): void;
  closed(connection: WebhookConnection): void;
}

export const reviewPath = "/inject";
/** An object and its predecessor have up to 3 MiB each, and the words around them. */
export const mostBodyBytes = 8 * 1024 * 1024;

const headLimits = { headBytes: 64 * 1024, headFields: 200 };
const headMs = 10_000;
/** Bodies up to this size need no room: the usual pod waits for nobody. */
const smallBytes = 64 * 1024;
const bodyMs = 10_000;
const sendMs = 10_000;
/** Longer than an API server keeps a connection for nothing (90 s): it is the one that closes. */
const idleMs = 180_000;

type Step = "idle" | "head" | "waiting" | "body" | "answering" | "over";

export class WebhookConnection extends Timed implements ConnectionOwner {
  readonly connection: Connection;
  private readonly service: WebhookService;
  private readonly input = new RequestInput();
  private step: Step = "idle";
  private head: RequestHead | undefined;
  private pieces: Uint8Array[] = [];
  private roomTaken = 0;
  private startedAt = 0;

  constructor(connection: Connection, service: WebhookService) {
    super();
    this.connection = connection;
    this.service = service;
    connection.owner = this;
    service.wheel.set(this, headMs);
  }

  /** True while a request is being read or answered. */
  get busy(): boolean {
    return this.step !== "idle" && this.step !== "over";
  }

  /** Closes it when nothing is under way. */
  closeIdle(): void {
    if (!this.busy) this.connection.end();
  }

  onData(bytes: Buffer): void {
    if (this.step === "over") return;
    this.input.add(bytes, headLimits.headBytes);
    this.go();
  }

  /** Goes on as far as what is there reaches. */
  private go(): void {
    if (this.step === "idle" || this.step === "head") this.readHead();
    if (this.step === "body") this.readBody();
  }

  private readHead(): void {
    if (this.input.empty) return;
    if (this.step === "idle") this.service.wheel.set(this, headMs);
    this.step = "head";
    const head = this.input.readHead(headLimits);
    if (head === undefined) {
      if (this.input.empty) this.rest();
      return;
    }
    this.startedAt = this.service.now();
    if (head instanceof Refusal) this.turnAway(400, "bad_http", head.detail);
    else if (head.target !== reviewPath)
      this.turnAway(404, "wrong_path", `nothing is at ${head.target}; reviews are posted to ${reviewPath}`);
    else if (head.method !== "POST") this.turnAway(405, "wrong_method", `use POST, not ${head.method}`);
    else this.judge(head);
  }

  private judge(head: RequestHead): void {
    const type = findField(head, "content-type") ?? "";
    const coding = findField(head, "content-encoding") ?? "identity";
    if (!/^application\/json\s*(;|$)/i.test(type.trim()))
      this.turnAway(415, "wrong_type", `content-type is ${type === "" ? "missing" : type}; send application/json`);
    else if (coding.toLowerCase() !== "identity")
      this.turnAway(415, "wrong_type", `content-encoding ${coding} is not read; send plain JSON`);
    else if (head.contentLength > mostBodyBytes) this.tooLarge();
    else this.awaitRoom(head);
  }

  private tooLarge(): void {
    this.turnAway(413, "too_large", `the body has more than ${mostBodyBytes} bytes`);
  }

  private awaitRoom(head: RequestHead): void {
    head.settle();
    this.head = head;
    this.step = "waiting";
    this.connection.pause();
    const bytes = head.chunked ? mostBodyBytes : head.contentLength;
    if (bytes <= smallBytes) this.enterBody(0);
    else this.service.room.enter(bytes, () => this.enterBody(bytes));
  }

  private enterBody(bytes: number): void {
    this.roomTaken = bytes;
    if (this.step === "over") {
      this.leaveRoom();
      return;
    }
    this.step = "body";
    this.service.wheel.set(this, bodyMs);
    this.connection.resume();
    if (this.head!.expect !== "" && !this.input.bodyDone) this.connection.write("HTTP/1.1 100 Continue\r\n\r\n");
    this.readBody();
  }

  private readBody(): void {
    if (!this.input.bodyDone) {
      if (this.input.empty) return;
      this.pieces.push(...this.input.readBody("content").map((piece) => Buffer.from(piece)));
    }
    if (this.input.fault !== undefined) this.turnAway(400, "bad_http", this.input.fault);
    else if (this.input.contentBytes > mostBodyBytes) this.tooLarge();
    else if (this.input.bodyDone) void this.answer();
  }

  private async answer(): Promise<void> {
    this.step = "answering";
    this.service.wheel.set(this, Number.POSITIVE_INFINITY);
    this.connection.pause();
    const body = Buffer.concat(this.pieces).toString();
    this.pieces = [];
    this.input.endBody();
    const outcome = await this.service.review(body);
    this.leaveRoom();
    if (this.connection.closed) return;
    if ("problem" in outcome) this.turnAway(400, "bad_body", outcome.problem, this.closes);
    else this.send(200, outcome.answer, this.closes);
    this.service.answered((this.service.now() - this.startedAt) / 1000);
    if (!this.closing) this.rest();
  }

  private get closes(): boolean {
    return this.service.isLeaving || this.head?.keepsAlive !== true;
  }

  private get closing(): boolean {
    return this.step === "over";
  }

  /** Between two requests. */
  private rest(): void {
    this.step = "idle";
    this.head = undefined;
    this.service.wheel.set(this, idleMs);
    this.connection.resume();
    if (this.connection.ended) this.connection.end();
    else this.go();
  }

  private turnAway(status: number, reason: TurnedAway, detail: string, closes = true): void {
    this.service.turnedAway(this, reason, detail);
    this.send(status, `${JSON.stringify({ error: detail })}\n`, closes);
  }

  private send(status: number, body: string, closes: boolean): void {
    const bytes = Buffer.from(body);
    const allow = status === 405 ? "Allow: POST\r\n" : "";
    const close = closes ? "Connection: close\r\n" : "";
    const head = `HTTP/1.1 ${status} ${phrases[status]}\r\nContent-Type: application/json\r\nContent-Length: ${bytes.length}\r\n${allow}${close}\r\n`;
    this.connection.writeHead(head, bytes);
    if (closes) this.finish();
  }

  private finish(): void {
    this.step = "over";
    this.leaveRoom();
    this.service.wheel.clear(this);
    const { wheel } = this.service;
    // Clients read the answer only when they have sent all: a body that is too large is read, and dropped.
    new Lingering(wheel, this.connection, sendMs, () => this.service.closed(this), 8 * mostBodyBytes);
  }

  private leaveRoom(): void {
    const bytes = this.roomTaken;
    this.roomTaken = 0;
    if (bytes > 0) this.service.room.leave(bytes);
  }

  /** The client has no more to send: what it asked is answered all the same. */
  onEnd(): void {
    if (this.step === "idle" || this.step === "head" || this.step === "body") this.connection.end();
  }

  onDrain(): void {}

  onClose(): void {
    this.step = "over";
    this.leaveRoom();
    this.pieces = [];
    this.service.wheel.clear(this);
    this.service.closed(this);
  }

  override onDeadline(): void {
    if (this.step === "idle") this.connection.end();
    else this.turnAway(408, "late", this.step === "head" ? "no complete head in time" : "no complete body in time");
  }
}

const phrases: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
};
