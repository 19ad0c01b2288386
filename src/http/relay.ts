/** How an answer is framed towards the client, and the head that says so (RFC 9112 section 6). */
import type { BodyForm } from "./body.ts";
import type { HttpExchange } from "./exchange.ts";
import { keptFields } from "./field-lines.ts";
import { connectionLine } from "./respond.ts";
import { ResponseFields } from "./response-fields.ts";
import type { ResponseHead } from "./response-head.ts";
import type { Upstream } from "./upstream.ts";

export interface Framing {
  readonly head: string;
  readonly form: BodyForm;
  /** Content is sent under the chunked coding that we write. */
  readonly chunked: boolean;
}

/** True when head and body can leave exactly as they came, in one piece. */
export function goesAsItCame(x: HttpExchange, head: ResponseHead): boolean {
  if (x.client.version !== "http1" || head.cuts !== null || head.minor === 0 || x.head.minor === 0 || x.closes)
    return false;
  if (x.answer?.edited === true) return false;
  return x.plan.chain.responseBody.length === 0 && !mustDropFraming(x, head);
}

export function answerFraming(x: HttpExchange, head: ResponseHead, up: Upstream): Framing {
  const filtered = x.plan.chain.responseBody.length > 0;
  if (x.client.version === "http2") return http2Framing(x, head, filtered && !up.bodyDone);
  if (up.version === "http2") return fromHttp2Framing(x, head, filtered, up);
  const asItComes = up.bodyDone || (!filtered && (head.contentLength >= 0 || (head.chunked && x.head.minor === 1)));
  if (asItComes && !mustDropFraming(x, head)) return { head: headText(x, head, ""), form: "wire", chunked: false };
  if (head.contentLength >= 0 || head.chunked) fieldsOf(x, head).dropFraming();
  if (up.bodyDone) return { head: headText(x, head, ""), form: "wire", chunked: false };
  const chunked = x.head.minor === 1;
  if (!chunked) x.closes = true; // HTTP/1.0 has no other way to say where a body of unknown length ends
  return { head: headText(x, head, chunked ? "transfer-encoding: chunked\r\n" : ""), form: "content", chunked };
}

/** HTTP/2 frames bodies itself; a declared length goes on as long as it stays true. */
function http2Framing(x: HttpExchange, head: ResponseHead, filtered: boolean): Framing {
  const untrue = filtered || (head.status === 204 && head.contentLength >= 0); // chunked means nothing there
  if (untrue) fieldsOf(x, head).dropFraming();
  return { head: headText(x, head, ""), form: "content", chunked: false };
}

/** What HTTP/2 does by its frames, HTTP/1 has to say in the head. */
function fromHttp2Framing(x: HttpExchange, head: ResponseHead, filtered: boolean, up: Upstream): Framing {
  const bodiless = x.method === "HEAD" || head.status === 204 || head.status === 304;
  if (head.chunked || (filtered && !up.bodyDone) || mustDropFraming(x, head)) fieldsOf(x, head).dropFraming();
  else if (bodiless || head.contentLength >= 0) return { head: headText(x, head, ""), form: "content", chunked: false };
  if (bodiless) return { head: headText(x, head, ""), form: "content", chunked: false };
  // Whether a body is empty is seen only when its stream ends; trailers need chunks even then.
  if (up.bodyDone && up.trailers === "")
    return { head: headText(x, head, "content-length: 0\r\n"), form: "content", chunked: false };
  const chunked = x.head.minor === 1;
  if (!chunked) x.closes = true;
  return { head: headText(x, head, chunked ? "transfer-encoding: chunked\r\n" : ""), form: "content", chunked };
}

/** Answers without a body must not announce a chunked one, and HTTP/1.0 does not know the word. */
function mustDropFraming(x: HttpExchange, head: ResponseHead): boolean {
  if (head.chunked && (x.head.minor === 0 || head.status === 304)) return true;
  return head.status === 204 && (head.chunked || head.contentLength >= 0);
}

function fieldsOf(x: HttpExchange, head: ResponseHead): ResponseFields {
  x.answer ??= new ResponseFields(head.status, head.reason, head);
  return x.answer;
}

function headText(x: HttpExchange, head: ResponseHead, framing: string): string {
  const fields = x.answer === undefined ? keptFields(head) : x.answer.fieldText();
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${fields}${framing}${connectionLine(x.closes, x.head.minor)}\r\n`;
}
