/** The characters of HTTP: RFC 9110 section 5.6.2 (tokens), 5.5 (values), RFC 3986 section 3.2 (authority). */

/** What a character below 0x100 may be; bits are or-ed. */
export const TOKEN = 1;
export const VALUE = 2;
export const TARGET = 4;

export const kinds = new Uint8Array(256);

for (const character of "!#$%&'*+-.^_`|~0123456789") kinds[character.charCodeAt(0)]! |= TOKEN;
for (let i = 0; i < 26; i++) {
  kinds[65 + i]! |= TOKEN;
  kinds[97 + i]! |= TOKEN;
}
kinds[9]! |= VALUE;
for (let i = 0x20; i < 0x100; i++) if (i !== 0x7f) kinds[i]! |= VALUE;
// A fragment has no place in a request target (RFC 9112 section 3.2), and raw non-ASCII bytes are read differently by every server.
for (let i = 0x21; i < 0x7f; i++) if (i !== 0x23) kinds[i]! |= TARGET;

/** True when every character of `text` is of that kind, and there is at least one. */
export function isAll(text: string, kind: number): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || (kinds[code]! & kind) === 0) return false;
  }
  return true;
}

const authority =
  /^(?:\[[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::([0-9]{1,5}))?$/;

/** The last value that was found good: nearly all requests name the same host. */
let lastAuthority = "";

/** A Host value: a name or address with an optional port. An empty one names nothing and is refused. */
export function isAuthority(text: string): boolean {
  if (text === lastAuthority && text !== "") return true;
  const match = authority.exec(text);
  const good = match !== null && (match[1] === undefined || Number(match[1]) <= 65535);
  if (good) lastAuthority = text;
  return good;
}

/** The last good authority, if it is what stands between `from` and `to`. */
export function knownAuthority(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (to - from !== lastAuthority.length) return undefined;
  for (let i = from; i < to; i++) if (bytes[i] !== lastAuthority.charCodeAt(i - from)) return undefined;
  return lastAuthority;
}

/** Takes spaces and tabs off both ends (RFC 9110 section 5.6.3); `trim` would take bytes of UTF-8 with them, such as 0xA0. */
export function trimmed(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Compares bytes from `start` with a lower-case field name of letters and hyphens; the length is known to fit. */
export function isName(bytes: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if ((bytes[start + i]! | 0x20) !== name.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * The same, where an underscore counts as a hyphen: CGI, WSGI and Rack make one name of both (RFC 3875 section 4.1.18),
 * so that an app behind them cannot tell `X_Forwarded_For` from the field it believes.
 */
export function isTwin(bytes: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const wanted = name.charCodeAt(i);
    const byte = bytes[start + i]!;
    if ((byte | 0x20) !== wanted && !(byte === 95 && wanted === 45)) return false;
  }
  return true;
}

const SP = 32;
const TAB = 9;
const DEL = 127;
/** Fifteen digits are still an exact number. */
const mostDigits = 15;

/** The first position from `from` on that is not a character of a value (`VALUE` in the grammar); compared, as that is faster than the table. */
export function valueEnd(bytes: Uint8Array, from: number, limit: number): number {
  for (let position = from; position < limit; position++) {
    const byte = bytes[position]!;
    if (byte < SP ? byte !== TAB : byte === DEL) return position;
  }
  return limit;
}

/** The number that stands between `from` and `to`, white space around it allowed; -1 when it is not one. */
export function decimal(bytes: Uint8Array, from: number, to: number): number {
  let start = from;
  let end = to;
  while (start < end && (bytes[start] === SP || bytes[start] === TAB)) start++;
  while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === TAB)) end--;
  if (start === end || end - start > mostDigits) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
