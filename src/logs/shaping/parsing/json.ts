/** Lines that are one JSON object each. */
import type { Parsed, ParsedFields } from "./format.ts";

const brace = 123;

/** An object, not a list or a bare value: only that has fields. */
export function readJson(text: string): Parsed | undefined {
  if (text.charCodeAt(0) !== brace && text.trimStart().charCodeAt(0) !== brace) return undefined;
  try {
    return { fields: JSON.parse(text) as ParsedFields };
  } catch {
    return undefined;
  }
}
