/**
 * `level=info msg="two words" ok dur=1.5`: pairs with spaces between them. A value in quotes may have escapes as JSON
 * has them; a name without a value is true. All other values stay text.
 */
import { type Parsed, type ParsedFields, put } from "./format.ts";

const space = 32;
const quote = 34;
const equals = 61;
const backslash = 92;

/** Undefined where no pair with a value is in the text, or a quote is not closed. */
export function readLogfmt(text: string): Parsed | undefined {
  const fields: ParsedFields = {};
  let pairs = 0;
  for (let at = skipSpaces(text, 0); at < text.length; at = skipSpaces(text, at)) {
    const nameEnd = wordEnd(text, at);
    const name = text.slice(at, nameEnd);
    if (text.charCodeAt(nameEnd) !== equals) {
      // A quote where a name should be: some sentence, not pairs.
      if (nameEnd === at) return undefined;
      put(fields, name, true);
      at = nameEnd;
      continue;
    }
    if (name === "") return undefined;
    pairs++;
    const valueAt = nameEnd + 1;
    if (text.charCodeAt(valueAt) === quote) {
      const end = quotedEnd(text, valueAt);
      if (end < 0) return undefined;
      put(fields, name, unquoted(text, valueAt, end));
      at = end;
    } else {
      const end = valueEnd(text, valueAt);
      put(fields, name, text.slice(valueAt, end));
      at = end;
    }
  }
  return pairs === 0 ? undefined : { fields };
}

function skipSpaces(text: string, at: number): number {
  let end = at;
  while (text.charCodeAt(end) <= space) end++;
  return end;
}

function wordEnd(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code <= space || code === equals || code === quote) break;
  }
  return end;
}

function valueEnd(text: string, at: number): number {
  let end = at;
  while (text.charCodeAt(end) > space) end++;
  return end;
}

/** The place behind the closing quote, or -1. */
function quotedEnd(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === backslash) end++;
    else if (code === quote) return end + 1;
  }
  return -1;
}

function unquoted(text: string, at: number, end: number): string {
  const inner = text.slice(at + 1, end - 1);
  if (!inner.includes("\\")) return inner;
  try {
    return JSON.parse(text.slice(at, end)) as string;
  } catch {
    return inner.replace(/\\(["\\])/g, "$1");
  }
}
