/** Where the body of an answer ends, by its head. */
import { type BodyReader, ChunkedReader, CloseReader, LengthReader, noBody } from "./body.ts";
import type { ResponseHead } from "./response-head.ts";

/** A 204 that declares a body: it may come after all, and would be read as the next answer on this connection. */
export function announcesMoreThanItMay(head: ResponseHead): boolean {
  return head.status === 204 && (head.chunked || head.contentLength > 0);
}

/** How an answer's body is framed: RFC 9112 section 6.3. */
export function responseReader(method: string, head: ResponseHead): BodyReader {
  if (method === "HEAD" || head.status === 204 || head.status === 304 || head.status === 101) return noBody;
  if (head.chunked) return new ChunkedReader(head.nominated);
  if (head.contentLength >= 0) return head.contentLength === 0 ? noBody : new LengthReader(head.contentLength);
  return new CloseReader();
}
