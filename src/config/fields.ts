/** The parts of HTTP messages that a configuration may write: methods, header fields, status codes, URLs. */
import * as z from "zod";
import type { Field } from "../contracts.ts";
import type { Parsed } from "./address.ts";
import { alsoWithIssues } from "./checks.ts";
import { type Scalar, scalar } from "./scalars.ts";
import type { StatusRange } from "./schema.ts";

/** RFC 9110 section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What the engine writes itself: a configuration that set these would break the framing of the message. */
const framing = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
]);

/** A method, made upper case. */
export function method(): Scalar<string> {
  return scalar({ title: "method", example: "GET", type: "string" }, (value) => {
    const upper = String(value).toUpperCase();
    if (!token.test(upper)) return { problem: `"${value}" is not a method`, remedy: "write a method such as GET" };
    if (upper === "CONNECT")
      return { problem: "CONNECT is never answered or sent here", remedy: "write another method" };
    return { value: upper };
  });
}

/** What is wrong with a field's value, if anything (RFC 9110 section 5.5). */
function fieldValue(value: string | number): Parsed<string> {
  const text = String(value);
  if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) {
    return {
      problem: "the field's value has a line break, a control character or one beyond Latin-1",
      remedy: "write one line of printable characters",
    };
  }
  if (text !== text.trim())
    return { problem: "the field's value begins or ends with a space", remedy: `write "${text.trim()}"` };
  return { value: text };
}

/** A header field's value. */
export function headerValue(): Scalar<string> {
  return scalar({ title: "field value", example: '"text/plain"', type: "string", isFreeText: true }, fieldValue);
}

/** What is wrong with a field's name. `sent` refuses the names the engine writes itself. */
export function fieldNameProblem(name: string, sent: boolean): { problem: string; remedy: string } | undefined {
  if (!token.test(name))
    return { problem: `"${name}" is not the name of a header field`, remedy: "write letters, digits and dashes" };
  if (sent && framing.has(name.toLowerCase()))
    return { problem: `"${name}" is written by Outrigger itself`, remedy: "remove it" };
  return undefined;
}

function checkNames(sent: boolean) {
  return alsoWithIssues<Record<string, unknown>>((payload) => {
    const seen = new Set<string>();
    for (const name of Object.keys(payload.value)) {
      const twice = { problem: `the field "${name}" stands here twice`, remedy: "write it once; case does not count" };
      const wrong = seen.has(name.toLowerCase()) ? twice : fieldNameProblem(name, sent);
      seen.add(name.toLowerCase());
      if (wrong === undefined) continue;
      payload.issues.push({
        code: "custom",
        input: name,
        path: [name],
        message: wrong.problem,
        params: { remedy: wrong.remedy, atKey: true },
      });
    }
  });
}

/** Fields to be matched: `name: of` each. */
export function fieldMap<T>(of: z.ZodType<T, unknown>): z.ZodType<Record<string, T>, unknown> {
  return z.record(z.string(), of).check(checkNames(false)) as z.ZodType<Record<string, T>, unknown>;
}

/** Fields to be sent, in order. */
export function sentFields(): z.ZodType<readonly Field[], unknown> {
  const record = z.record(z.string(), headerValue()).check(checkNames(true));
  return record.transform((fields): readonly Field[] => Object.entries(fields)) as z.ZodType<readonly Field[], unknown>;
}

/** One of `200`, `2xx`. */
export function statusRange(): Scalar<StatusRange> {
  const doc = { title: "status", example: "2xx", type: ["string", "integer"], pattern: "^[2-5](\\d\\d|xx)$" } as const;
  return scalar(doc, (value) => {
    const text = String(value);
    if (/^[2-5]xx$/.test(text)) return { value: { from: Number(text[0]) * 100, to: Number(text[0]) * 100 + 99 } };
    const status = /^\d{3}$/.test(text) ? Number(text) : 0;
    if (status >= 200 && status <= 599) return { value: { from: status, to: status } };
    return {
      problem: `"${text}" is not the status of an answer`,
      remedy: "write a number from 200 to 599, or 2xx, 3xx, 4xx or 5xx",
    };
  });
}

/** Where a schedule sends its request: `http://` or `https://` with path and query. */
export function requestUrl(): Scalar<string> {
  return callUrl("http://localhost:7878/");
}

/** What we ask of our own: `http://` or `https://` with path and query. @param example a right one */
export function callUrl(example: string): Scalar<string> {
  return scalar({ title: "URL", example, type: "string" }, (value) => {
    const text = String(value);
    const remedy = `write a URL such as ${example}`;
    if (/^service:\/\//i.test(text)) return { problem: "service:// comes in a later release", remedy };
    const url = /^https?:\/\/[^/?#]/i.test(text) && !/\s/.test(text) ? URL.parse(text) : null;
    if (url === null) return { problem: `"${text}" is not a URL that can be asked`, remedy };
    if (url.username !== "" || url.password !== "")
      return { problem: "the URL holds a user or password", remedy: "send an authorization header instead" };
    if (url.hash !== "")
      return { problem: `the URL has a fragment, ${url.hash}, which is never sent`, remedy: "remove it" };
    return { value: url.href };
  });
}
