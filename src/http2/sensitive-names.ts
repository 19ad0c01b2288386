/**
 * Names of fields whose values must never enter a compression table (RFC 7541 section 7.1): their length would be told
 * to who can guess and watch. A peer marks them field by field, and an intermediary must keep the mark (section 6.2.3);
 * as heads travel inside as text, the mark is kept with the name, for all connections from then on.
 */

/** More names than any client marks; a hostile one cannot make the set grow without end. */
const mostNames = 256;
const longestName = 128;

const names = new Set(["authorization", "proxy-authorization"]);

/** Changes with every name that is added: tables made before may hold values of it. */
export let sensitiveVersion = 0;

/** @param name lower case */
export function markSensitive(name: string): void {
  if (names.has(name) || names.size >= mostNames || name.length > longestName) return;
  names.add(name);
  sensitiveVersion++;
}

/** Short cookies can be guessed one by one (section 7.1.3); long ones cannot. */
export function isSensitive(name: string, value: string): boolean {
  if (names.has(name)) return true;
  return value.length < 20 && (name === "cookie" || name === "set-cookie");
}
