/** What differs between requests in and calls out; `inbound/accept` and `outbound/capture` are the two. */
import type { Version } from "./client.ts";
import type { HttpExchange } from "./exchange.ts";
import type { RequestHead } from "./request-head.ts";

export interface Manner {
  /** Called once per request, before anything looks at its fields. */
  receive(head: RequestHead, trusted: boolean): void;
  /** Field lines that are the same for every request of a connection from that address, encrypted or not. */
  connectionLines(address: string, scheme: "http" | "https", version: Version): string;
  /** True when Host is taken from where a request goes: its line stands before the fields. */
  readonly namesUpstream: boolean;
  /**
   * The lines behind a request's own fields when those go on as they came, the last one without its value, which is
   * the request's id; empty for none, undefined when the fields cannot go on so.
   */
  linesBehind(x: HttpExchange): string | undefined;
  /** The fields that go to the upstream, each with its CRLF. `authority` is where they go. */
  requestFields(x: HttpExchange, authority: string): string;
}
