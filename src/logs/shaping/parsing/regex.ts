/** Lines of a form of one's own: a regular expression whose named groups are the fields. */
import { mostRegexText, type ParsedFields, type Read } from "./format.ts";

/** Groups that took no part in the match have no field. */
export function regexReader(pattern: RegExp): Read {
  return (text) => {
    const groups = text.length > mostRegexText ? undefined : pattern.exec(text)?.groups;
    if (groups === undefined) return undefined;
    const fields: ParsedFields = {};
    for (const name in groups) if (groups[name] !== undefined) fields[name] = groups[name];
    return { fields };
  };
}
