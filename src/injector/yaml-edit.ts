/**
 * JSON Patch operations on the text of a YAML document: only the lines that an operation is about change, so that
 * comments, quotes and layout stay as people wrote them. What cannot be done so is a `CannotEdit`.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from "yaml";
import { keyText } from "../config/document.ts";
import { type Edit, folded, isEmpty } from "./folded.ts";
import { type JsonPatchOperation, pointerSteps } from "./patch.ts";
import { blockText, flowText, indented, parseManifest } from "./yaml-text.ts";

/** The text has a form in which the change has no obvious place. */
export class CannotEdit extends Error {}

/** The text with all operations carried out, one after the other. `test` is not looked at. */
export function editYaml(text: string, operations: readonly JsonPatchOperation[]): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  let edited = text.replaceAll("\r\n", "\n");
  for (const operation of folded(operations)) edited = new Editing(edited).apply(operation);
  return newline === "\n" ? edited : edited.replaceAll("\n", newline);
}

type Collection = YAMLMap | YAMLSeq;

/** A collection on the way to a place, and the pair in the one above whose value it is. */
interface Holder {
  readonly node: Collection;
  readonly pair: Pair | undefined;
  /** It stands in brackets, or within some. */
  readonly isFlow: boolean;
}

/** One operation on one text. */
class Editing {
  readonly #text: string;
  readonly #document: Document.Parsed;
  readonly #style: { readonly step: number; readonly indentSeq: boolean };

  constructor(text: string) {
    this.#text = text;
    this.#document = parseManifest(text);
    this.#style = styleOf(this.#document, text);
  }

  apply(operation: Edit): string {
    const steps = pointerSteps(operation.path);
    const last = steps.pop();
    if (last === undefined) throw new CannotEdit("the whole document would change");
    const holder = this.#holder(steps);
    if (operation.op === "remove") return this.#remove(holder, last);
    if (isSeq(holder.node)) {
      if (operation.op === "replace") throw new CannotEdit("an item of a list would change");
      return this.#insertItems(holder, Number(last), [operation.value, ...(operation.more ?? [])]);
    }
    if (operation.more !== undefined) throw new CannotEdit("a list was expected");
    const pair = holder.node.items.find((one) => keyText(one) === last);
    return pair === undefined
      ? this.#insertPair(holder, last, operation.value)
      : this.#replaceValue(pair, operation.value, holder.isFlow);
  }

  #holder(steps: readonly string[]): Holder {
    let holder = this.#holderOf(this.#document.contents, undefined, false);
    for (const step of steps) {
      const pair = isMap(holder.node) ? holder.node.items.find((one) => keyText(one) === step) : undefined;
      const value = isSeq(holder.node) ? holder.node.items[Number(step)] : pair?.value;
      holder = this.#holderOf(value, pair, holder.isFlow);
    }
    return holder;
  }

  #holderOf(node: unknown, pair: Pair | undefined, isFlow: boolean): Holder {
    if (isAlias(node)) throw new CannotEdit(`*${node.source} stands for something that is written elsewhere`);
    if (!isMap(node) && !isSeq(node)) throw new CannotEdit("a map or list was expected");
    return { node, pair, isFlow: isFlow || node.flow === true };
  }

  #insertPair({ node, pair, isFlow }: Holder, key: string, value: unknown): string {
    const [first, last] = [node.items[0] as Pair | undefined, node.items.at(-1)];
    if (last === undefined) {
      return isFlow && pair !== undefined && !this.#isWithinFlow(pair)
        ? this.#openEmpty(node, pair, { [key]: value })
        : this.#fillEmpty(node, { [key]: value });
    }
    if (isFlow) return this.#insertFlow(node, node.items.length, `${JSON.stringify(key)}: `, value);
    return this.#insertLines(this.#lineAfter(last), { [key]: value }, this.#column(first!.key));
  }

  #insertItems({ node, pair, isFlow }: Holder, at: number, values: readonly unknown[]): string {
    if (node.items.length === 0) {
      return pair !== undefined && !this.#isWithinFlow(pair)
        ? this.#openEmpty(node, pair, values)
        : this.#fillEmpty(node, values);
    }
    if (isFlow) return this.#insertFlow(node, at, "", ...values);
    const dash = start(node);
    if (this.#text[dash] !== "-" || this.#prefix(dash).trim() !== "")
      throw new CannotEdit("a list begins within a line");
    const after = at === 0 ? this.#lineAfterKey(pair, dash) : this.#lineAfter(node.items[at - 1]);
    return this.#insertLines(after, values, this.#prefix(dash).length);
  }

  /** What stands right below the key, comments on the first item, stays below what is inserted. */
  #lineAfterKey(pair: Pair | undefined, dash: number): number {
    return pair === undefined ? dash - this.#prefix(dash).length : this.#nextLine(end(pair.key));
  }

  #insertLines(at: number, value: unknown, column: number): string {
    const lines = indented(blockText(value, this.#style.step, this.#style.indentSeq), column);
    const isUnfinished = at > 0 && this.#text[at - 1] !== "\n";
    return this.#splice(at, at, isUnfinished ? `\n${lines.replace(/\n$/, "")}` : lines);
  }

  /** `key: []` or `key: {}` becomes a block below its key. */
  #openEmpty(node: Node, pair: Pair, value: unknown): string {
    const column = this.#column(pair.key) + (Array.isArray(value) && !this.#style.indentSeq ? 0 : this.#style.step);
    const lines = indented(blockText(value, this.#style.step, this.#style.indentSeq), column);
    const [from, to] = [start(node), end(node)];
    // Where nothing was written, what follows the key may be a comment.
    const before = from === to ? this.#text.slice(0, from) : this.#text.slice(0, from).replace(/ +$/, "");
    const line = this.#nextLine(to);
    const rest = this.#text.slice(to, line);
    const isFinished = rest.endsWith("\n");
    return `${before}${rest}${isFinished ? lines : `\n${lines.replace(/\n$/, "")}`}${this.#text.slice(line)}`;
  }

  /** `[]` or `{}` within brackets: what comes in stands as its surroundings do. */
  #fillEmpty(node: Collection, value: unknown): string {
    const column = this.#isSpread(start(node)) ? this.#lineIndent(start(node)) : undefined;
    return this.#splice(start(node), end(node), flowText(value, column, this.#style.step));
  }

  #insertFlow(node: Collection, at: number, key: string, ...values: readonly unknown[]): string {
    const first = start(node.items[0]);
    const column = this.#prefix(first).trim() === "" ? this.#prefix(first).length : undefined;
    const gap = column === undefined ? " " : `\n${" ".repeat(column)}`;
    const text = values.map((value) => `${key}${flowText(value, column, this.#style.step)}`).join(`,${gap}`);
    if (at === 0) return this.#splice(first, first, `${text},${gap}`);
    const after = endOfItem(node.items[at - 1]);
    return this.#splice(after, after, `,${gap}${text}`);
  }

  #replaceValue(pair: Pair, value: unknown, isFlow: boolean): string {
    const node = pair.value;
    if (isAlias(node)) throw new CannotEdit(`*${node.source} stands for something that is written elsewhere`);
    if (typeof value === "object" && value !== null && !isEmpty(value)) return this.#fillValue(pair, value, isFlow);
    // A word needs no quotes within brackets either.
    const isText = typeof value === "string" && (!isFlow || /^[A-Za-z][\w.-]*$/.test(value));
    const text = isText ? this.#scalarText(node, value) : JSON.stringify(value);
    if (!isScalar(node) && (isMap(node) || isSeq(node)) && !node.flow) return this.#closeBlock(pair, node, text);
    const [from, to] = [start(node), end(node)];
    return this.#splice(from, to, /\s$/.test(this.#text.slice(0, from)) ? text : ` ${text}`);
  }

  /** A value where null was. */
  #fillValue(pair: Pair, value: object, isFlow: boolean): string {
    const node = pair.value;
    if (!isScalar(node) || node.value !== null) throw new CannotEdit("a map or list would be replaced");
    if (!isFlow) return this.#openEmpty(node, pair, value);
    const text = flowText(value, undefined, 0);
    const gap = /\s$/.test(this.#text.slice(0, start(node))) ? "" : " ";
    return this.#splice(start(node), end(node), gap + text);
  }

  /** In the quotes that were there. */
  #scalarText(node: unknown, value: string): string {
    const type = isScalar(node) ? node.type : undefined;
    if (type === "BLOCK_LITERAL" || type === "BLOCK_FOLDED")
      throw new CannotEdit("a text of several lines would change");
    return type === "QUOTE_DOUBLE" ? JSON.stringify(value) : blockText(value, 2, true).trimEnd();
  }

  #remove({ node, pair, isFlow }: Holder, last: string): string {
    const at = isSeq(node) ? Number(last) : node.items.findIndex((one) => keyText(one as Pair) === last);
    const item = node.items[at];
    if (item === undefined) throw new CannotEdit("what would be removed is not there");
    if (isFlow) return this.#removeFlow(node, at);
    if (node.items.length === 1) {
      if (pair === undefined) throw new CannotEdit("nothing would be left");
      return this.#closeBlock(pair, node, isSeq(node) ? "[]" : "{}");
    }
    const from = start(item);
    const prefix = this.#prefix(from);
    if (!(isSeq(node) ? /^ *- +$/ : /^ *$/).test(prefix)) throw new CannotEdit("it begins within a line");
    return this.#splice(from - prefix.length, this.#lineAfter(item), "");
  }

  #removeFlow(node: Collection, at: number): string {
    const next = node.items[at + 1];
    if (at > 0) return this.#splice(endOfItem(node.items[at - 1]), endOfItem(node.items[at]), "");
    if (next !== undefined) return this.#splice(start(node.items[0]), start(next), "");
    return this.#splice(start(node) + 1, end(node) - 1, "");
  }

  /** A block becomes what can stand behind its key: `[]`, `{}` or `null`. */
  #closeBlock(pair: Pair, node: Collection, text: string): string {
    const from = start(node);
    const line = this.#nextLine(end(pair.key));
    if (from < line) throw new CannotEdit("a list begins within a line");
    const colon = this.#text.indexOf(":", end(pair.key)) + 1;
    const before = `${this.#text.slice(0, colon)} ${text}${this.#text.slice(colon, line)}`;
    return before + this.#text.slice(this.#lineAfter(node));
  }

  #isWithinFlow(pair: Pair): boolean {
    return !/^[ -]*$/.test(this.#prefix(start(pair.key))) || this.#isQuotedJson(pair);
  }

  /** In JSON a key on a line of its own looks as it does in a block. */
  #isQuotedJson(pair: Pair): boolean {
    return isMap(this.#document.contents) && this.#document.contents.flow === true && isScalar(pair.key);
  }

  /** True when the brackets around a place begin on an earlier line. */
  #isSpread(at: number): boolean {
    return !/[[{]/.test(this.#prefix(at));
  }

  #lineIndent(at: number): number {
    return /^ */.exec(this.#text.slice(this.#lineStart(at)))![0].length;
  }

  #column(key: unknown): number {
    const prefix = this.#prefix(start(key));
    if (!/^[ -]*$/.test(prefix)) throw new CannotEdit("a map begins within a line");
    return prefix.length;
  }

  /** Where the line begins that follows everything of a pair, an item or a value. */
  #lineAfter(item: unknown): number {
    const last = endOfItem(item);
    return last > 0 && this.#text[last - 1] === "\n" ? last : this.#nextLine(last);
  }

  #nextLine(at: number): number {
    const newline = this.#text.indexOf("\n", at);
    return newline < 0 ? this.#text.length : newline + 1;
  }

  #lineStart(at: number): number {
    return this.#text.lastIndexOf("\n", at - 1) + 1;
  }

  #prefix(at: number): string {
    return this.#text.slice(this.#lineStart(at), at);
  }

  #splice(from: number, to: number, text: string): string {
    return this.#text.slice(0, from) + text + this.#text.slice(to);
  }
}

function rangeOf(node: unknown): readonly [number, number] {
  const range = (node as { range?: readonly [number, number, number] | null } | null | undefined)?.range;
  if (!range) throw new CannotEdit("a place is not known");
  return [range[0], range[1]];
}

function isPairLike(item: unknown): item is Pair {
  return typeof item === "object" && item !== null && "key" in item;
}

function start(item: unknown): number {
  return rangeOf(isPairLike(item) ? item.key : item)[0];
}

function end(node: unknown): number {
  return rangeOf(node)[1];
}

/** Where the last thing in it ends: a block itself reaches to the next thing, comments included. */
function endOfItem(item: unknown): number {
  const node = isPairLike(item) ? (item.value ?? item.key) : item;
  if ((isMap(node) || isSeq(node)) && !node.flow && node.items.length > 0) return endOfItem(node.items.at(-1));
  return end(node);
}

/** How the document is laid out, told by the first list and the first map in a map. */
function styleOf(document: Document.Parsed, text: string): { step: number; indentSeq: boolean } {
  const found: { step?: number; indentSeq?: boolean } = {};
  const column = (at: number) => at - (text.lastIndexOf("\n", at - 1) + 1);
  const look = (node: unknown): void => {
    if (isSeq(node)) node.items.forEach(look);
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if ((isMap(value) || isSeq(value)) && value.items.length > 0) {
        const isBelow = value.flow !== true || text.slice(start(value)).startsWith("{\n");
        const inner = value.flow === true ? start(value.items[0]) : start(value);
        const deeper = column(inner) - column(start(key));
        if (isSeq(value) && value.flow !== true) found.indentSeq ??= deeper > 0;
        else if (isBelow && deeper > 0 && deeper <= 8) found.step ??= deeper;
      }
      look(value);
    }
  };
  look(document.contents);
  return { step: found.step ?? 2, indentSeq: found.indentSeq ?? true };
}
