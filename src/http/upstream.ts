/** One exchange's way to an upstream: an HTTP/1 connection, or one stream of an HTTP/2 connection. */
import type { FailureCode } from "../errors.ts";
import type { Connection } from "../net/connection.ts";
import type { Ends } from "../net/dial.ts";
import type { BodyForm } from "./body.ts";
import type { Version } from "./client.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";

export interface Upstream {
  readonly version: Version;
  /** In which form the body is given to the user; HTTP/2 has only content. */
  form: BodyForm;
  /** True when an earlier exchange used the connection: it may have been closed meanwhile. */
  readonly reused: boolean;
  /** True once it failed and surely nobody has looked at the request: it may be sent again, whatever its method. */
  readonly refused: boolean;
  /** True when nothing of the answer is left to come. */
  readonly bodyDone: boolean;
  /** Bytes of the answer's body so far, without framing. */
  readonly contentBytes: number;
  /** Trailer lines of the answer, each with its CRLF, once its body was read in form `content`. */
  readonly trailers: string;
  /** Bytes of the request that the upstream has not taken. */
  readonly pendingBytes: number;

  /** Writes the request's head and the first of its body. False when the rest must wait. */
  sendHead(head: string, body: Uint8Array | undefined): boolean;
  /** Writes a plain request without a body byte for byte, with lines before and behind its fields, the last one ended by `id`; HTTP/1 only. */
  sendPlain(head: RequestHead, before: string, behind: string, id: string): void;
  /** Writes more of the body; false when the rest must wait. */
  send(bytes: Uint8Array): boolean;
  /** Ends a body of undeclared length in HTTP/1, and every request in HTTP/2. Trailer lines have their CRLF. */
  endBody(trailers: string): boolean;
  /** Stops reading the answer; `resume` goes on. */
  pause(): void;
  resume(): void;

  /** True when the whole body is exactly the `count` bytes that came with the head; it is done then, and nobody is told. */
  completes(count: number): boolean;
  /** Takes bytes of the answer's body and gives them to the user in its form. */
  readBody(bytes: Uint8Array): void;
  /** Keeps the body back, and the upstream waiting, while the user makes up its mind about the head. */
  hold(rest: Buffer): void;
  /** What was held; the body flows on from here. */
  unhold(): Buffer;

  /**
   * Hands the connection itself over, once connected and with nothing held: its bytes are the taker's from now on.
   * Absent where a way is not a connection of its own, as in HTTP/2.
   */
  surrender?(): Connection;
  /** Gives the connection back after a complete exchange. */
  release(): void;
  /** Ends this use at once; the user is not told. */
  abandon(): void;
}

/** In this pod or not. `awaited`: in this pod, where it may still be starting, as nobody was ever connected with it. */
export type Place = "elsewhere" | "awaited" | "here";

/** Where an upstream's connections, or streams, come from. */
export interface UpstreamPool {
  /** `host:port`, for people. */
  readonly name: string;
  /** As a Host field carries it. */
  readonly authority: string;
  /** The Host line for requests that are named after where they go. */
  readonly hostLine: string;
  readonly place: Place;
  /** One that is there already, assigned to the user; undefined when none is good enough for its method. */
  take(user: UpstreamUser): Upstream | undefined;
  /** A new one; `user.onConnected` or `user.onUpstreamFailure` follows. */
  connect(user: UpstreamUser, timeoutMs: number): Upstream;
}

/** Who uses it right now. All calls come from the socket, none from inside a call to the upstream. */
export interface UpstreamUser {
  readonly requestMethod: string;
  /** On whose behalf, for upstreams that are told by a PROXY header; undefined for requests of our own. */
  readonly ends?: Ends | undefined;
  /** Protocols the request offers to switch to. A 101 that chooses among them is a final answer, any other a fault. */
  readonly offer?: string;
  /** The connection is open: send the request. */
  onConnected(up: Upstream): void;
  /** A 1xx answer other than 101; the final one follows. */
  onInformation(head: ResponseHead): void;
  /**
   * The final head. `input` begins with it and goes on with what has come of the body: set `up.form` and call
   * `up.readBody(input.subarray(head.length))`, or `up.hold` that part for later. Undefined when the body is held already.
   */
  onResponse(head: ResponseHead, input: Buffer | undefined, up: Upstream): void;
  onBody(pieces: Uint8Array[], done: boolean, up: Upstream): void;
  /** The request can be written again. */
  onUpstreamDrain(): void;
  /** Once; the way is gone. `seen` tells whether any byte of an answer had come. */
  onUpstreamFailure(code: FailureCode, detail: string, seen: boolean, up: Upstream): void;
}
