/** Fewer operations that make the same document. */
import { type JsonPatchOperation, WorkingModel } from "./patch.ts";

/** One that changes something; `more` is put behind its value in a list. */
export type Edit = Exclude<JsonPatchOperation, { readonly op: "test" }> & { readonly more?: readonly unknown[] };

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
  const filled = edits.map((edit) => {
    const model = edit.op === "add" ? made.get(edit.path) : undefined;
    return model === undefined ? edit : ({ ...edit, value: model.root } as Edit);
  });
  return joined(filled);
}

/** Things that are put into a list one behind the other are put there together. */
function joined(edits: readonly Edit[]): Edit[] {
  const result: Edit[] = [];
  for (const edit of edits) {
    const last = result.at(-1);
    const isNext =
      last?.op === "add" && edit.op === "add" && typeof edit.value === "object" && edit.path === nextPath(last);
    if (isNext) result[result.length - 1] = { ...last, more: [...(last.more ?? []), edit.value] };
    else result.push(edit);
  }
  return result;
}

/** The place behind everything that an edit puts into a list. */
function nextPath({ path, more = [] }: Edit): string {
  return path.replace(/\d+$/, (at) => String(Number(at) + 1 + more.length));
}

/** True for `[]`, `{}` and nothing else. */
export function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
