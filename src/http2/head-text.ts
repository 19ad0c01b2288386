/**
 * Heads of HTTP/2 as the text that they are inside, so that routes, filters and upstreams of either version see one
 * thing, judged by one scanner. Framing of HTTP/1 is written by us alone: no field of the peer's can bring its own.
 */
import type { FieldSection } from "./field-section.ts";

/** @param ends true when no body follows */
export function requestHeadText(section: FieldSection, ends: boolean): string {
  const { method, path, authority, host, lines, cookie } = section;
  const target = method === "CONNECT" ? authority : path;
  const name = authority === "" ? host : authority;
  let text = `${method} ${target} HTTP/1.1\r\n`;
  if (name !== "") text += `host: ${name}\r\n`;
  text += lines;
  if (cookie !== "") text += `cookie: ${cookie}\r\n`;
  return `${text}${framing(section, ends)}\r\n`;
}

/** @param reason words for the status; an HTTP/1 client may show them */
export function responseHeadText(section: FieldSection, ends: boolean, reason: string): string {
  return `HTTP/1.1 ${section.status} ${reason}\r\n${section.lines}${framing(section, ends)}\r\n`;
}

/** A body of unknown length is a chunked one, until it is known how it goes on. */
function framing(section: FieldSection, ends: boolean): string {
  return ends || section.contentLength !== -1 || section.status === 204 || section.status === 304
    ? ""
    : "transfer-encoding: chunked\r\n";
}
