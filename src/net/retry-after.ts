/** When to ask again, as an answer says it. */

/**
 * Milliseconds until then; undefined when the value says nothing. RFC 9110 section 10.2.3: seconds, or a date in any of
 * the three forms of section 5.6.7, which is compared with `nowMs` (since the epoch). What has passed is 0.
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  // asctime names no zone, and means GMT as the others do.
  const at = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(at - nowMs, 0);
}
