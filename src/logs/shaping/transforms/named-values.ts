/**
 * Secrets in text that stand behind a name which says so, and where their values end:
 *
 *   password=hunter2&x=1        "apiKey": ["a", "b"]       {\"secret\":\"a\\\"b\"}      --token abc
 *   <Password>hunter2</…        password: Some("x y")      Cookie: sid=1; theme=dark    Authorization: ApiKey abc
 *
 * Text is no language: a value that nothing encloses ends at white space or a sign that ends values in most. One pass,
 * whatever the text is: what is not closed goes on to the end of the text.
 */
import type { Replacement } from "./secret-shapes.ts";

const tokenKinds = ["access", "refresh", "id", "auth", "api", "bearer", "session", "csrf"];
export const keyKinds = ["api", "access", "account", "secret", "private", "encryption", "signing"];

/** Without one of them there is no such name. */
export const nameNeedles = [
  ...["password", "passwd", "passphrase", "pwd", "secret", "credential", "token", "cookie", "authorization"],
  ...keyKinds.flatMap((kind) => ["", "_", "-"].map((joint) => `${kind}${joint}key`)),
];

const confirmed = "(?:[_-]?(?:confirm(?:ation)?|hash))?";
const words = `pass(?:word|wd|phrase)s?${confirmed}|pwd|secrets?|(?:${tokenKinds.join("|")}|[_-])token|(?:${keyKinds.join("|")})[_-]?keys?(?:[_-]?base)?|credentials?`;
/** As JSON has it, as deep as it is nested. */
const quoteToken = `\\\\*["']`;
/** As forms have lists, and fields in others: `password[]=`, `user[password]=`. */
const index = "(?:\\[\\w{0,20}\\]|\\]|%5b\\w{0,20}%5d|%5d)?";
/** Percent signs as in URLs, escapes as some writers of JSON have them. */
const signs = "(?:=>|:=|[=:]|%3[da]|\\\\+u003[da])(?!=)";
const named = [
  `(?<header>\\b(?:set-)?cookies?|\\b(?:proxy-)?authorization)(?<headerQuote>${quoteToken})?\\s{0,4}${signs}`,
  `(?:${words})(?:(?<quote>${quoteToken})|${index})\\s{0,40}${signs}`,
  `(?:\\b|%5b)token(?:${index}(?:=|%3d|\\\\+u003d)(?!=)|(?<tokenQuote>${quoteToken})\\s{0,4}:|(?<tokenColon>:))`,
  `(?:${words}|\\btoken)(?:(?<=<[\\w:.-]{0,64})(?<element>(?:\\s[^<>]{0,200})?>)|(?<=--[\\w-]{0,64})\\s(?!\\s{0,3}-))`,
];
const name = new RegExp(`(?:${named.join("|")})\\s{0,4}`, "gi");

const opening = /(?:[bur]{1,2}(?=["']))?(\\*)(["'])/iy;
const bare = /[^\s,;&"'<>(){}[\]\\|]+/y;
const nothingSecret = /(?:null|true|false|nil|none|undefined)\b/iy;
const cookies = /[^\s=;,"'<>]+=[^\s;,"'<>]*(?:;\s?[^\s=;,"'<>]+(?:=[^\s;,"'<>]*)?)*/y;
const credential =
  /(?:(?:basic|bearer|token|api-?key|key|negotiate|ntlm|hmac)\s[^\s,;"'<>]+|(?=[^\s,;"'<>]*\d)[^\s,;"'<>()[\]]{8,})/iy;
/** "Unexpected token: }" is prose. */
const unlikeProse = /(?=[^\s,;"'<>]*\d)[^\s,;"'<>()[\]{}]{8,}/y;
/** A scheme of HTTP is no secret; what is behind it is. */
const scheme = /^[\w-]+\s+(?=\S)/;

/** A value, and what encloses it: quotes stay. */
interface Value {
  readonly from: number;
  readonly to: number;
  readonly quote: string;
  /** Behind the last quote. */
  readonly end: number;
}

/** The text with every such value replaced. */
export function replaceNamedValues(text: string, replacement: Replacement): string {
  let made = "";
  let place = 0;
  name.lastIndex = 0;
  for (let found = name.exec(text); found !== null; found = name.exec(text)) {
    const at = name.lastIndex;
    const value = valueAt(text, at, found.groups ?? {});
    if (value === undefined) continue;
    made += text.slice(place, at) + written(text, value, found.groups ?? {}, replacement);
    place = value.end;
    name.lastIndex = place;
  }
  return made + text.slice(place);
}

type Groups = Readonly<Record<string, string | undefined>>;

function written(text: string, { from, to, quote }: Value, groups: Groups, replacement: Replacement): string {
  const before = text.slice(from, to);
  const kept = groups.header === undefined ? "" : (scheme.exec(before)?.[0] ?? "");
  // A bare value behind a quoted name is JSON, and what stands for it must be a text there.
  const around = quote === "" ? (quoteOf(groups) ?? "") : quote;
  return `${around}${kept}${replacement(before.slice(kept.length))}${around}`;
}

function quoteOf({ quote, headerQuote, tokenQuote }: Groups): string | undefined {
  return quote ?? headerQuote ?? tokenQuote;
}

function valueAt(text: string, at: number, groups: Groups): Value | undefined {
  if (groups.element !== undefined) return until(at, text.indexOf("<", at), text);
  const quoted = match(opening, text, at);
  if (quoted !== undefined) return quotedAt(text, at, quoted);
  if (match(nothingSecret, text, at) !== undefined) return undefined;
  if (groups.tokenColon !== undefined && match(unlikeProse, text, at) === undefined) return undefined;
  const isHeader = groups.header !== undefined && quoteOf(groups) === undefined && !isBracket(text, at);
  if (isHeader) return headerAt(text, at, groups.header ?? "");
  return until(at, bareEnd(text, at, quoteOf(groups)), text);
}

function headerAt(text: string, at: number, header: string): Value | undefined {
  const found = match(/cookies?$/i.test(header) ? cookies : credential, text, at);
  return found === undefined ? undefined : until(at, at + found[0].length, text);
}

/** From `from` to `to`, or to the end of the text where that is below 0. */
function until(from: number, to: number, text: string): Value | undefined {
  const end = to < 0 ? text.length : to;
  return end === from ? undefined : { from, to: end, quote: "", end };
}

function quotedAt(text: string, at: number, [all, slashes, quote]: RegExpExecArray): Value {
  const from = at + all.length;
  const depth = slashes!.length;
  const { to, end } = closing(text, from, quote!, depth);
  return { from, to, quote: `${slashes}${quote}`, end };
}

/**
 * Where a quoted text ends. Nested in other texts of JSON, its quotes have `depth` backslashes, and those within it
 * more; one that has fewer ends the text around it, which was cut.
 */
function closing(text: string, from: number, quote: string, depth: number): { to: number; end: number } {
  for (let at = text.indexOf(quote, from); at >= 0; at = text.indexOf(quote, at + 1)) {
    let slashes = 0;
    while (at - slashes > from && text[at - slashes - 1] === "\\") slashes++;
    if (slashes < depth) return { to: at - slashes, end: at - slashes };
    if (slashes % (2 * (depth + 1)) !== depth) continue;
    // SQL and CSV write a quote twice.
    if (depth === 0 && at > from && text[at + 1] === quote) at++;
    else return { to: at - depth, end: at + 1 };
  }
  return { to: text.length, end: text.length };
}

/** What nothing encloses, with what is in brackets right behind it: `Some("a b")`, `Optional[a]`, `[]byte{1, 2}`. */
function bareEnd(text: string, from: number, quote: string | undefined): number {
  const depth = quote === undefined ? 0 : quote.length - 1;
  let at = from;
  for (;;) {
    if (isBracket(text, at)) {
      const end = bracketsEnd(text, at, depth);
      if (end < 0) return end;
      at = end;
    } else {
      const found = match(bare, text, at);
      if (found === undefined) return at;
      at += found[0].length;
    }
  }
}

function isBracket(text: string, at: number): boolean {
  return at < text.length && "[{(".includes(text[at]!);
}

/** Behind the bracket that closes the one at `from`; below 0 where none does. Those in quoted texts are no brackets. */
function bracketsEnd(text: string, from: number, depth: number): number {
  const sign = /[[{()}\]]|(?<=[[{(,:\s])'|\\*"/g;
  sign.lastIndex = from;
  let open = 0;
  for (let found = sign.exec(text); found !== null; found = sign.exec(text)) {
    const [all] = found;
    const last = all.at(-1)!;
    if (last === '"' || last === "'") {
      // The text around it ends: it was cut.
      if (last === '"' && all.length - 1 < depth) return found.index;
      sign.lastIndex = closing(text, sign.lastIndex, last, all.length - 1).end;
    } else {
      open += "[{(".includes(last) ? 1 : -1;
      if (open === 0) return sign.lastIndex;
    }
  }
  return -1;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
