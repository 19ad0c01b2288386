/** Answers made here: fixed replies, filters' replies, and one honest answer for every failure (RFC 9457). */
import { STATUS_CODES } from "node:http";
import type { Field, Reply } from "../contracts.ts";
import { type FailureCode, failure } from "../errors.ts";
import type { Engine } from "./engine.ts";
import type { HttpExchange } from "./exchange.ts";

/** Head and body of an answer, ready to be written. */
export interface Answer {
  readonly head: string;
  readonly body: Uint8Array | undefined;
}

export interface AnswerOptions {
  readonly closes: boolean;
  /** HTTP/1.0 peers must be told that the connection stays. */
  readonly minor: number;
  readonly withoutBody: boolean;
}

const encoder = new TextEncoder();

/** Writes out a reply: its own fields first, then those that every answer has. */
export function renderReply(engine: Engine, reply: Reply, fields: readonly Field[], options: AnswerOptions): Answer {
  const body = typeof reply.body === "string" ? encoder.encode(reply.body) : reply.body;
  let head = `HTTP/1.1 ${reply.status} ${reasonOf(reply.status)}\r\n`;
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
  if (!has(fields, "server")) head += "server: outrigger\r\n";
  if (!has(fields, "date")) head += `date: ${engine.date()}\r\n`;
  const bodiless = reply.status === 204 || reply.status === 304 || reply.status < 200;
  if (!bodiless) head += `content-length: ${body === undefined ? 0 : body.length}\r\n`;
  head += connectionLine(options.closes, options.minor);
  return { head: `${head}\r\n`, body: options.withoutBody || bodiless ? undefined : body };
}

/** What the connection does after this answer, where it differs from the version's habit. */
export function connectionLine(closes: boolean, minor: number): string {
  if (closes) return "connection: close\r\n";
  return minor === 0 ? "connection: keep-alive\r\n" : "";
}

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? (status === 499 ? "Client Closed Request" : "Unknown");
}

function has(fields: readonly Field[], name: string): boolean {
  return fields.some((field) => field[0].toLowerCase() === name);
}

/**
 * The answer for a failure: problem JSON with a stable code and the request id. `detail` may name
 * addresses of the pod's inside, so only loopback and trusted peers are shown it.
 * @param x undefined when there was not even a head to read
 */
export function failureReply(
  code: FailureCode,
  detail: string,
  id: string,
  x: HttpExchange | undefined,
  trusted: boolean,
): Reply {
  const { status, title, grpc } = failure(code);
  if (x?.header("content-type")?.startsWith("application/grpc") === true) return grpcReply(grpc, title, id);
  const problem = {
    type: `https://outrigger.dev/errors/${code}`,
    title,
    status,
    code,
    requestId: id,
    ...(trusted && detail !== "" ? { detail } : {}),
  };
  return {
    status,
    headers: [
      ["content-type", "application/problem+json"],
      ["x-request-id", id],
    ],
    body: `${JSON.stringify(problem)}\n`,
  };
}

/** A trailers-only answer: gRPC callers read the status from these fields. */
function grpcReply(status: number, message: string, id: string): Reply {
  return {
    status: 200,
    headers: [
      ["content-type", "application/grpc"],
      ["grpc-status", String(status)],
      ["grpc-message", message],
      ["x-request-id", id],
    ],
  };
}

/** True for peers on this machine. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
