/** Numbers of payment cards (ISO/IEC 7812): told from other long numbers by issuer, length and check digit. */

/** Whole, or in the groups they are written in: 4-4-4-4, 4-4-4-4-3, 4-6-5 and 4-6-4, by spaces or dashes. */
const candidate = /(?<!\d)(?:[2-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,7}(?:\1\d{3})?|3\d{3}([ -]?)\d{6}\2\d{4,5})(?!\d)/g;
/** Cheaper than the candidate itself, and found wherever that is. */
const hint = /(?<!\d)[2-6]\d{3}[ -]?\d{4}/;

/** Replaces every card number by what `replacement` returns. */
export function replaceCards(text: string, replacement: (secret: string) => string): string {
  if (!hint.test(text)) return text;
  return text.replace(candidate, (written: string) => {
    if (isCard(written)) return replacement(written);
    // The last group may be the beginning of something else.
    const shorter = /^(.*)([ -]\d{3})$/.exec(written);
    return shorter !== null && isCard(shorter[1]!) ? replacement(shorter[1]!) + shorter[2] : written;
  });
}

/** Issuers by the first digits, each with the lengths its numbers have. */
const issuers: readonly (readonly [prefix: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(6011|64[4-9]|65)/, [16, 19]],
  [/^35(2[89]|[3-8])/, [16, 19]],
  [/^3(0[0-5]|095|[689])/, [14, 16, 19]],
  [/^62/, [16, 17, 18, 19]],
  [/^(50|5[6-8]|6)/, [13, 14, 15, 16, 17, 18, 19]],
];

/** True for a number that an issuer may have given out: its length is right, and its check digit. */
export function isCard(written: string): boolean {
  const digits = written.replace(/[ -]/g, "");
  const issuer = issuers.find(([prefix]) => prefix.test(digits));
  return issuer?.[1].includes(digits.length) === true && hasCheckDigit(digits);
}

/** Luhn's algorithm (ISO/IEC 7812-1, annex B): every second digit from the right counts double. */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, isDouble = false; at >= 0; at--, isDouble = !isDouble) {
    const digit = digits.charCodeAt(at) - 48;
    const value = isDouble ? digit * 2 : digit;
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 === 0;
}
