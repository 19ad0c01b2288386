/** Header fields as filters see them: text until somebody edits, a list from then on. */
import type { Field, Fields } from "../contracts.ts";
import { isAll, isAuthority, TOKEN, trimmed, VALUE } from "./grammar.ts";
import { fieldLines, findField, type Head, isCut, keptFields } from "./head.ts";

/** Fields whose meaning is this hop's framing or connection: the engine's alone. */
const engineOnly = /^(?:content-length|transfer-encoding|connection|keep-alive|proxy-connection|te|trailer|upgrade)$/i;

export class HeadFields implements Fields {
  /** @internal the scanned head; replies made here have none */
  protected readonly source: Head | undefined;
  /** @internal set once edited */
  protected list: Field[] | undefined;

  constructor(source: Head | undefined, list?: Field[]) {
    this.source = source;
    this.list = list;
  }

  /** @internal false while the fields are those that came */
  get edited(): boolean {
    return this.list !== undefined;
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    if (this.list === undefined) return this.source === undefined ? undefined : findField(this.source, wanted);
    const values = this.list.filter((field) => field[0].toLowerCase() === wanted).map((field) => field[1]);
    return values.length === 0 ? undefined : values.join(", ");
  }

  headers(): Field[] {
    return this.list === undefined ? listFields(this.source) : [...this.list];
  }

  setHeader(name: string, value: string): void {
    checkField(name, value);
    const list = this.edit();
    const wanted = name.toLowerCase();
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
    if (name.toLowerCase() === "host") throw new TypeError("Host cannot be appended, only set");
    this.edit().push([name, value]);
  }

  removeHeader(name: string): void {
    const wanted = name.toLowerCase();
    if (engineOnly.test(name) || wanted === "host") throw new TypeError(`${name} cannot be removed by a filter`);
    this.list = this.edit().filter((field) => field[0].toLowerCase() !== wanted);
  }

  /** @internal true when a filter has said which Host goes on */
  get namesHost(): boolean {
    return this.list?.some((field) => field[0].toLowerCase() === "host") === true;
  }

  /** @internal what goes on the wire, each line with its CRLF */
  fieldText(): string {
    if (this.list !== undefined) return this.list.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    return this.source === undefined ? "" : keptFields(this.source);
  }

  /** @internal drops fields of the engine's own, for a change of framing */
  dropFraming(): void {
    this.list = this.edit().filter((field) => !/^(?:content-length|transfer-encoding)$/i.test(field[0]));
  }

  private edit(): Field[] {
    this.list ??= listFields(this.source);
    return this.list;
  }
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
