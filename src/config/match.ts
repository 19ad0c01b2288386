/** `match:` of a route: its options, the value made of them, and which match takes everything another one does. */
import * as z from "zod";
import { isIpv4, type Parsed } from "./address.ts";
import { alsoWithIssues } from "./checks.ts";
import { fieldMap, headerValue, method } from "./fields.ts";
import { option, regex, type Scalar, scalar } from "./scalars.ts";
import type { HeaderMatch, Match } from "./schema.ts";

/** Reads `/a` (exact), `/a/*` (everything below `/a/`) or `/*` (no condition: undefined). */
export function parsePathPattern(text: string): Parsed<Match["path"]> {
  const problem = `"${text}" is not a path to match`;
  if (!text.startsWith("/")) return { problem, remedy: `begin it with a slash: /${text.replace(/^\W+/, "")}` };
  if (/[?#]/.test(text))
    return {
      problem: `${problem}: it has a query`,
      remedy: `write ${text.replace(/[?#].*$/, "")}; queries are not compared`,
    };
  if (/[^\x21-\x7e]/.test(text)) return { problem, remedy: "write it as it stands in a request line, percent-encoded" };
  const star = text.indexOf("*");
  if (star === -1) return { value: { exact: text } };
  if (star !== text.length - 1 || !text.endsWith("/*")) {
    return {
      problem: `${problem}: * stands only at the end, behind a slash`,
      remedy: `write ${text.slice(0, star).replace(/\/?$/, "/*")}`,
    };
  }
  return { value: text === "/*" ? undefined : { prefix: text.slice(0, -1) } };
}

function pathPattern(): Scalar<Match["path"]> {
  const doc = {
    title: "path",
    example: "/hello",
    type: "string",
    pattern: "^/([^*?#\\s]*|([^*?#\\s]*/)?\\*)$",
  } as const;
  return scalar(doc, (value) => parsePathPattern(String(value)));
}

/** `a: x` or `a: { present: true }` or `a: { matches: … }`. */
function headerCondition() {
  const condition = z.strictObject({
    present: option(z.boolean(), "True: the field must be there; false: it must not.").optional(),
    matches: option(regex(), "The field's value must match.").optional(),
  });
  return z.union([headerValue(), condition.check(exactlyOne("present", "matches"))]);
}

/** A check that exactly one of the keys is given. */
export function exactlyOne(...keys: string[]) {
  return alsoWithIssues<object>((payload) => {
    const given = keys.filter((key) => (payload.value as Record<string, unknown>)[key] !== undefined);
    if (given.length === 1) return;
    const list = `${keys.slice(0, -1).join(", ")} or ${keys.at(-1)}`;
    const message = given.length === 0 ? `there is no ${list} here` : `${given.join(" and ")} exclude each other`;
    payload.issues.push({
      code: "custom",
      input: payload.value,
      message,
      params: { remedy: `write exactly one of ${list}` },
    });
  });
}

/** A name as a ClientHello carries it (RFC 6066 section 3), or `*.` and a domain; made lower case. */
function serverName(): Scalar<string> {
  const pattern = "^(\\*\\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*)(\\.[A-Za-z0-9_-]+)*\\.?$";
  const doc = { title: "server name", example: '"*.example.com"', type: "string", pattern } as const;
  return scalar(doc, (value) => {
    const name = String(value).toLowerCase().replace(/\.$/, "");
    if (isIpv4(name) || !new RegExp(pattern).test(name))
      return {
        problem: `"${value}" is not a server name`,
        remedy: 'write a name such as "db.example.com" or "*.example.com"',
      };
    return { value: name };
  });
}

/** The options of `match:`. */
export function matchSchema() {
  return z.strictObject({
    path: option(
      pathPattern(),
      "`/a` takes exactly that path, `/a/*` everything below `/a/`, `/*` everything. Compared as received, without the query.",
    ).optional(),
    method: option(
      z.union([method(), z.array(method()).min(1)]),
      "One method or a list of them; any of them is taken.",
    ).optional(),
    headers: option(
      fieldMap(headerCondition()),
      "Header fields, all of which must fit: a text the value must equal, `{ present: true }` or `false`, or `{ matches: regular expression }`. Names are compared without case.",
    ).optional(),
    sni: option(
      z.union([serverName(), z.array(serverName()).min(1)]),
      "With `protocol: tls`: a server name that the client asks for, `*.example.com` for all below it, or a list of them.",
    ).optional(),
  });
}

type MatchOptions = z.output<ReturnType<typeof matchSchema>>;

/** The value made of `match:`; nothing given matches everything. */
export function toMatch(options: MatchOptions | undefined): Match {
  const methods = options?.method;
  return {
    path: options?.path,
    methods: typeof methods === "string" ? [methods] : methods,
    headers: Object.entries(options?.headers ?? {}).map(([name, is]) => toHeaderMatch(name.toLowerCase(), is)),
    sni: typeof options?.sni === "string" ? [options.sni] : options?.sni,
  };
}

type HeaderOptions = string | { present?: boolean | undefined; matches?: RegExp | undefined };

function toHeaderMatch(name: string, is: HeaderOptions): HeaderMatch {
  if (typeof is === "string") return { name, equals: is };
  return is.matches === undefined ? { name, present: is.present === true } : { name, matches: is.matches };
}

/** True when every request that `narrow` takes is taken by `wide` too. */
export function covers(wide: Match, narrow: Match): boolean {
  return (
    coversPath(wide.path, narrow.path) &&
    coversMethods(wide, narrow) &&
    coversHeaders(wide, narrow) &&
    coversNames(wide.sni, narrow.sni)
  );
}

function coversNames(wide: Match["sni"], narrow: Match["sni"]): boolean {
  if (wide === undefined) return true;
  return narrow?.every((name) => wide.some((one) => one === name || coversName(one, name))) ?? false;
}

/** `*.a` takes `b.a`, and all that `*.b.a` takes. */
function coversName(wide: string, name: string): boolean {
  return wide.startsWith("*.") && name.endsWith(wide.slice(1)) && name.length > wide.length - 1;
}

function coversPath(wide: Match["path"], narrow: Match["path"]): boolean {
  if (wide === undefined) return true;
  if (narrow === undefined) return false;
  const start = "exact" in narrow ? narrow.exact : narrow.prefix;
  if ("prefix" in wide) return start.startsWith(wide.prefix);
  return "exact" in narrow && wide.exact === start;
}

function coversMethods(wide: Match, narrow: Match): boolean {
  if (wide.methods === undefined) return true;
  return narrow.methods?.every((method) => wide.methods?.includes(method)) ?? false;
}

function coversHeaders(wide: Match, narrow: Match): boolean {
  const conditions = new Set(narrow.headers.map(headerKey));
  return wide.headers.every((header) => conditions.has(headerKey(header)));
}

function headerKey(header: HeaderMatch): string {
  return JSON.stringify(header, (_, value: unknown) => (value instanceof RegExp ? value.source : value));
}
