/** Numbers in text, read without making strings of them. */

/** The number that `count` digits at `at` are; -1 when one of them is none. */
export function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let end = at + count; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Where the digits that begin at `at` end. */
export function digitsEnd(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code < 48 || code > 57) break;
  }
  return end;
}

/** The digits from `at` to `end` as a fraction of a second, in nanoseconds; those beyond the ninth are dropped. */
export function fraction(text: string, at: number, end: number): number {
  const last = Math.min(end, at + 9);
  return digits(text, at, last - at) * 10 ** (9 - (last - at));
}
