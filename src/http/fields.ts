/**
 * Header fields as filters see them: the head's own text, lines added behind it, and a list only once a filter changes
 * or removes what came. Most filters only add, and a list costs as much as the rest of an exchange.
 */
import type { Field, Fields } from "../contracts.ts";
import { fieldLines, findField, isCut, keptFields } from "./field-lines.ts";
import { isAll, isAuthority, TOKEN, trimmed, VALUE } from "./grammar.ts";
import type { Head } from "./head.ts";

/** Fields whose meaning is this hop's framing or connection: the engine's alone. */
const engineOnly = /^(?:content-length|transfer-encoding|connection|keep-alive|proxy-connection|te|trailer|upgrade)$/i;

export class HeadFields implements Fields {
  /** @internal the scanned head; replies made here have none */
  protected readonly source: Head | undefined;
  /** @internal set once what came was changed */
  protected list: Field[] | undefined;
  private added: Field[] | undefined = undefined;

  constructor(source: Head | undefined, list?: Field[]) {
    this.source = source;
    this.list = list;
  }

  /** @internal false while the fields are those that came */
  get edited(): boolean {
    return this.list !== undefined || this.added !== undefined;
  }

  /** @internal true when what came cannot go on as it is, with lines behind it */
  get rewritten(): boolean {
    return this.list !== undefined;
  }

  /** @internal the edits so far: with their number, what `revert` goes back to */
  get edits(): readonly Field[] | undefined {
    return this.list ?? this.added;
  }

  /** @internal undoes edits: all but the first `count` of what `edits` gave */
  revert(edits: readonly Field[] | undefined, count: number): void {
    // An edit adds to what is there or replaces the list whole; the lines added before there was a list stay as they were.
    const onlyAdded = edits === undefined || edits === this.added;
    this.list = onlyAdded ? undefined : edits.slice(0, count);
    if (onlyAdded) this.added = edits?.slice(0, count);
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    if (this.list !== undefined) return valueIn(this.list, wanted);
    const found = this.source === undefined ? undefined : findField(this.source, wanted);
    if (this.added === undefined) return found;
    const more = valueIn(this.added, wanted);
    return found === undefined || more === undefined ? (found ?? more) : `${found}, ${more}`;
  }

  headers(): Field[] {
    return this.list === undefined ? [...listFields(this.source), ...(this.added ?? [])] : [...this.list];
  }

  setHeader(name: string, value: string): void {
    checkField(name, value);
    const wanted = name.toLowerCase();
    if (this.canAdd(wanted) && this.header(wanted) === undefined) {
      this.add(name, value);
      return;
    }
    const list = this.edit();
    const at = list.findIndex((field) => field[0].toLowerCase() === wanted);
    if (at === -1) {
      list.push([name, value]);
      return;
    }
    this.list = list.filter((field, index) => index <= at || field[0].toLowerCase() !== wanted);
    this.list[at] = [name, value];
  }

  appendHeader(name: string, value: string): void {
    checkField(name, value);
    const wanted = name.toLowerCase();
    if (wanted === "host") throw new TypeError("Host cannot be appended, only set");
    if (this.canAdd(wanted)) this.add(name, value);
    else this.edit().push([name, value]);
  }

  /** What the engine adds itself is merged with what a filter says of it, so that takes the list. */
  private canAdd(wanted: string): boolean {
    if (this.list !== undefined || this.source === undefined) return false;
    return wanted !== "host" && !ownFields.test(wanted);
  }

  private add(name: string, value: string): void {
    this.added ??= [];
    this.added.push([name, value]);
  }

  removeHeader(name: string): void {
    const wanted = name.toLowerCase();
    if (engineOnly.test(name) || wanted === "host") throw new TypeError(`${name} cannot be removed by a filter`);
    if (this.header(wanted) !== undefined) this.list = this.edit().filter((field) => field[0].toLowerCase() !== wanted);
  }

  /** @internal true when a filter has said which Host goes on */
  get namesHost(): boolean {
    return this.list?.some((field) => field[0].toLowerCase() === "host") === true;
  }

  /** @internal what goes on the wire, each line with its CRLF */
  fieldText(): string {
    if (this.list !== undefined) return linesOf(this.list);
    const kept = this.source === undefined ? "" : keptFields(this.source);
    return this.added === undefined ? kept : kept + linesOf(this.added);
  }

  /** @internal the lines behind those that came */
  addedText(): string {
    return this.added === undefined ? "" : linesOf(this.added);
  }

  /** @internal drops fields of the engine's own, for a change of framing */
  dropFraming(): void {
    this.list = this.edit().filter((field) => !/^(?:content-length|transfer-encoding)$/i.test(field[0]));
  }

  private edit(): Field[] {
    this.list ??= this.headers();
    return this.list;
  }
}

/** Fields that the engine writes on what goes to an upstream. */
const ownFields = /^(?:x-forwarded-|x-request-id$|via$|forwarded$)/;

function valueIn(list: readonly Field[], wanted: string): string | undefined {
  let found: string | undefined;
  for (const [name, value] of list) {
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue;
    found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
}

function linesOf(list: readonly Field[]): string {
  let lines = "";
  for (const [name, value] of list) lines += `${name}: ${value}\r\n`;
  return lines;
}

function listFields(head: Head | undefined): Field[] {
  if (head === undefined) return [];
  const list: Field[] = [];
  for (const line of fieldLines(head)) {
    if (isCut(head, line.start)) continue;
    list.push([head.text.slice(line.start, line.nameEnd), trimmed(head.text.slice(line.nameEnd + 1, line.end - 2))]);
  }
  return list;
}

/** @throws TypeError for what may not stand on the wire or would change framing */
export function checkField(name: string, value: string): void {
  if (!isAll(name, TOKEN)) throw new TypeError(`${JSON.stringify(name)} is not a header field name`);
  if (value !== "" && !isAll(value, VALUE))
    throw new TypeError(`the value of ${name} has characters that are not allowed in a header field`);
  if (engineOnly.test(name)) throw new TypeError(`${name} is set by the engine and cannot be changed by a filter`);
  if (name.toLowerCase() === "host" && !isAuthority(value))
    throw new TypeError("Host must be a host name with an optional port");
}
