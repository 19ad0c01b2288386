/** Upstreams that overlook a body read it as their next request, and its answer would be the next user's. */
import type { RequestHead } from "./request-head.ts";

/** Methods whose content means nothing (RFC 9110 section 9.3), so that some servers do not look for any. */
const bodiless = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"]);

/** True when a request may be taken for two. `early` tells that its answer came before it was whole. */
export function mayBeMisread(head: RequestHead, early: boolean): boolean {
  return early || ((head.chunked || head.contentLength > 0) && bodiless.has(head.method));
}
