/** Answers made here: fixed replies, filters' replies, and one honest answer for every failure (RFC 9457). */
import type { Field, Reply } from "../contracts.ts";
import { type FailureCode, failure } from "../errors.ts";
import type { Engine } from "./engine.ts";
import type { HttpExchange } from "./exchange.ts";
import { checkField } from "./fields.ts";

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

/** @throws TypeError for a filter's reply that is none, or that would break the framing of what follows it */
export function checkReply(reply: Reply): void {
  const { status, headers = [], body } = reply;
  if (!Number.isInteger(status) || status < 200 || status > 999)
    throw new TypeError(`the status of a reply is a number from 200 to 999, not ${status}`);
  if (body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array))
    throw new TypeError("the body of a reply is a string or a Uint8Array");
  for (const [name, value] of headers) checkField(name, value);
}

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

/** A status line must have the space after the status, not the words (RFC 9112 section 4); a client shows these. */
export function reasonOf(status: number): string {
  return reasons[status] ?? "";
}

/** RFC 9110 section 15, and those of other RFCs that answers made here may have. `node:http` has them too, for 3 MB. */
const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  499: "Client Closed Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
  511: "Network Authentication Required",
};

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
  const { status, title, grpc, retryAfter } = failure(code);
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
      ...(status === 405 ? [allowed] : []),
      ...(retryAfter === undefined ? [] : [["retry-after", String(retryAfter)] satisfies Field]),
    ],
    body: `${JSON.stringify(problem)}\n`,
  };
}

/** RFC 9110 section 15.5.6: a 405 says what is allowed; which methods an app has is not known here. */
const allowed: Field = ["allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"];

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
