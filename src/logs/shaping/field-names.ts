/** Names of fields as bytes, to be looked for in lines. */
import type { LogFields } from "../../contracts.ts";

let last: { readonly fields: LogFields; readonly names: readonly Buffer[] } = { fields: {}, names: [] };

/** Names of the fields of a source: the same object from record to record. */
export function namesOf(fields: LogFields): readonly Buffer[] {
  if (fields !== last.fields) last = { fields, names: Object.keys(fields).map((name) => Buffer.from(name)) };
  return last.names;
}
