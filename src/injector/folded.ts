/** Fewer operations that make the same document. */
import { type JsonPatchOperation, WorkingModel } from "./patch.ts";

/** One that changes something. */
export type Edit = Exclude<JsonPatchOperation, { readonly op: "test" }>;

/** What is put into a map or list that was just made is written together with it: a text is parsed for each operation. */
export function folded(operations: readonly JsonPatchOperation[]): Edit[] {
  const edits: Edit[] = [];
  const made = new Map<string, WorkingModel>();
  for (const operation of operations) {
    if (operation.op === "test") continue;
    const home = [...made.keys()].find((path) => operation.path.startsWith(`${path}/`));
    if (home !== undefined) made.get(home)!.apply({ ...operation, path: operation.path.slice(home.length) });
    else edits.push(operation as Edit);
    const isMade = home === undefined && operation.op === "add" && isEmpty(operation.value);
    if (isMade) made.set(operation.path, new WorkingModel(operation.value));
  }
  return edits.map((edit) => {
    const model = edit.op === "add" ? made.get(edit.path) : undefined;
    return model === undefined ? edit : ({ ...edit, value: model.root } as Edit);
  });
}

/** True for `[]`, `{}` and nothing else. */
export function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
