/**
 * Every failure the spine can answer with, declared once. `http/respond` turns a code into an answer;
 * the reference page and the `outrigger_failures_total` labels come from this table.
 * A retired code is never used again for something else.
 */

/** Whose fault a failure is: decides the log level and what a caller should do. */
export type Fault = "client" | "upstream" | "policy" | "us";

export interface Failure {
  /** HTTP status sent when the head of an answer can still be sent. */
  readonly status: number;
  /** gRPC status code for callers that speak gRPC. */
  readonly grpc: number;
  readonly fault: Fault;
  /** One sentence for a person. */
  readonly title: string;
  /** True when the connection cannot be used after this, because its framing is lost. */
  readonly closes?: boolean;
  /** Seconds after which asking again is worth while (RFC 9110 section 10.2.3). */
  readonly retryAfter?: number;
}

export const failures = {
  bad_request_line: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The request line is not valid HTTP/1.1.",
    closes: true,
  },
  bad_header: { status: 400, grpc: 3, fault: "client", title: "A header field is not valid HTTP/1.1.", closes: true },
  bad_host: { status: 400, grpc: 3, fault: "client", title: "Host is missing, repeated or malformed.", closes: true },
  bad_framing: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The length of the request body is ambiguous.",
    closes: true,
  },
  bad_chunk: { status: 400, grpc: 3, fault: "client", title: "The chunked request body is malformed.", closes: true },
  bad_version: {
    status: 505,
    grpc: 3,
    fault: "client",
    title: "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
    closes: true,
  },
  unknown_transfer_coding: {
    status: 501,
    grpc: 12,
    fault: "client",
    title: "Only the chunked transfer coding is supported.",
    closes: true,
  },
  connect_refused: {
    status: 405,
    grpc: 12,
    fault: "client",
    title: "CONNECT is not allowed on this listener.",
    closes: true,
  },
  trace_refused: { status: 405, grpc: 12, fault: "client", title: "TRACE is not passed on." },
  loop: {
    status: 508,
    grpc: 9,
    fault: "us",
    title: "The request has come through sidecars too often: it goes in a circle.",
  },
  forward_proxy_refused: {
    status: 403,
    grpc: 7,
    fault: "policy",
    title: "This listener does not forward to that destination.",
  },
  head_too_large: { status: 431, grpc: 8, fault: "client", title: "The request head exceeds the limit.", closes: true },
  head_timeout: {
    status: 408,
    grpc: 4,
    fault: "client",
    title: "The request head did not arrive in time.",
    closes: true,
  },
  body_timeout: { status: 408, grpc: 4, fault: "client", title: "The request body stopped arriving.", closes: true },
  body_too_large: { status: 413, grpc: 8, fault: "policy", title: "The request body exceeds the limit.", closes: true },
  expectation_failed: {
    status: 417,
    grpc: 3,
    fault: "client",
    title: "Only 100-continue can be expected.",
    closes: true,
  },
  client_closed: {
    status: 499,
    grpc: 1,
    fault: "client",
    title: "The client left before the answer was complete.",
    closes: true,
  },
  tls_failed: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The TLS handshake with the client failed.",
    closes: true,
  },
  http_on_tls_port: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "Plain HTTP was sent to a port that expects TLS.",
    closes: true,
  },
  tls_on_plain_port: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "TLS was sent to a port that expects plain HTTP.",
    closes: true,
  },
  proxy_header_refused: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The connection did not begin with a PROXY header of a trusted peer.",
    closes: true,
  },
  not_redirected: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The connection came to a port that takes only redirected ones.",
    closes: true,
  },
  capture_loop: {
    status: 508,
    grpc: 9,
    fault: "us",
    title: "The connection was redirected to the sidecar that it came from, or was going to a port that captures.",
    closes: true,
  },
  protocol_not_served: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The listener has no route for what the connection speaks.",
    closes: true,
  },
  http2_fault: {
    status: 400,
    grpc: 3,
    fault: "client",
    title: "The connection broke the rules of HTTP/2, or flooded it, and was ended with GOAWAY.",
    closes: true,
  },
  no_route: { status: 404, grpc: 5, fault: "client", title: "No route matches this request." },
  overloaded: { status: 503, grpc: 14, fault: "us", title: "Too many connections or too little memory.", closes: true },
  upstream_unreachable: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The upstream refused the connection or could not be reached.",
  },
  app_not_started: {
    status: 503,
    grpc: 14,
    fault: "upstream",
    title: "The app has not started yet: it has never accepted a connection.",
    retryAfter: 1,
  },
  app_gone: {
    status: 503,
    grpc: 14,
    fault: "upstream",
    title: "The pod is ending, and the app accepts no connections any more.",
    closes: true,
    retryAfter: 1,
  },
  upstream_connect_timeout: {
    status: 504,
    grpc: 4,
    fault: "upstream",
    title: "The upstream did not accept a connection in time.",
  },
  upstream_name_unresolved: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The upstream's name could not be resolved.",
  },
  upstream_tls_failed: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The TLS handshake with the upstream failed.",
  },
  upstream_timeout: { status: 504, grpc: 4, fault: "upstream", title: "The upstream did not answer in time." },
  upstream_idle: { status: 504, grpc: 4, fault: "upstream", title: "The upstream's answer stopped arriving." },
  upstream_closed: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The upstream closed the connection before it answered.",
  },
  upstream_bad_response: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The upstream's answer is not valid HTTP/1.1.",
  },
  upstream_head_too_large: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The head of the upstream's answer exceeds the limit.",
  },
  upstream_body_broken: {
    status: 502,
    grpc: 14,
    fault: "upstream",
    title: "The upstream closed the connection in the middle of its answer.",
  },
  tunnel_broken: { status: 502, grpc: 14, fault: "upstream", title: "The upstream broke the tunnel off." },
  tunnel_idle: { status: 504, grpc: 4, fault: "client", title: "Nothing moved in the tunnel for too long." },
  filter_failed: { status: 503, grpc: 13, fault: "us", title: "A filter failed on this request." },
  reply_body_unreadable: { status: 500, grpc: 13, fault: "us", title: "The body file of this route cannot be read." },
  stopped: { status: 503, grpc: 14, fault: "us", title: "The sidecar is stopping.", closes: true },
} as const satisfies Record<string, Failure>;

export type FailureCode = keyof typeof failures;

/** The row of a code, with the optional members visible. */
export function failure(code: FailureCode): Failure {
  return failures[code];
}

/**
 * A user's mistake: printed as it is, without a stack, and mapped to an exit code.
 * 1 config or input is wrong, 2 usage, 3 could not start.
 */
export class UserError extends Error {
  readonly exitCode: 1 | 2 | 3;
  constructor(message: string, exitCode: 1 | 2 | 3) {
    super(message);
    this.name = "UserError";
    this.exitCode = exitCode;
  }
}

/** The system's code of an error (`ECONNREFUSED`), where it has one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
