/** The client's side of one exchange: an HTTP/1 session, which has one at a time, or one stream of an HTTP/2 session. */
import type { Connection } from "../net/connection.ts";
import type { ConnectionPeer } from "../net/peer.ts";
import type { Engine } from "./engine.ts";
import type { ListenerPlan } from "./plan.ts";

/** Which protocol one side of an exchange speaks. Heads are text in the form of HTTP/1.1 on either. */
export type Version = "http1" | "http2";

export interface Client {
  readonly version: Version;
  readonly engine: Engine;
  /** The plan by which the exchange runs. */
  readonly plan: ListenerPlan;
  readonly peer: ConnectionPeer;
  /** `https` when TLS ends here. */
  readonly scheme: "http" | "https";
  /** The peer's claims about the client are believed. */
  readonly trusted: boolean;
  /** Field lines that every request of this connection is sent on with. */
  readonly connectionLines: string;
  /** True when answers end their connections, as clients must go elsewhere. */
  readonly leaves: boolean;
  /** True when nothing of the request is left to read, or so little that it can be dropped. */
  readonly bodyRead: boolean;
  /** Trailer lines of the request, each with its CRLF, once its body was read in form `content`. */
  readonly requestTrailers: string;
  /** Bytes of the answer that the client has not taken. */
  readonly pendingBytes: number;

  /** The exchange has found its route, whose limits of time hold from now on. */
  startClock(): void;
  /** The forwarder can take body again. */
  resumeBody(): void;
  /** Writes a 1xx head; false when the client is slower than the upstream. */
  sendInformation(head: string): boolean;
  /** Writes the final head and the first of the body. False as above. */
  sendHead(head: string, body: Uint8Array | undefined): boolean;
  /** Writes more of the body, or head and body that go as they came. */
  send(bytes: Uint8Array): boolean;
  /** Ends a body of undeclared length: the last chunk in HTTP/1, trailers or END_STREAM in HTTP/2. Lines have their CRLF. */
  endBody(trailers: string): boolean;
  /**
   * Sends the head, then pipes both connections into each other until they end; that ends the exchange as well.
   * Absent where the client has no connection of its own, as in HTTP/2.
   * @param farEarly what came of the upstream behind its head
   */
  openTunnel?(head: string, far: Connection, farEarly: Uint8Array): void;
  /** The answer is out, or will never be. */
  finish(): void;
  /** Ends the exchange without the rest of its answer, so that the client sees that it is not whole. */
  breakOff(): void;
}
