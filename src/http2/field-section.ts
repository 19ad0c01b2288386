/**
 * What a header block says, as it is decoded: pseudo-fields by name, all others as lines of HTTP/1 text.
 * Knows when that is malformed (RFC 9113 sections 8.1.1, 8.2, 8.3), and when it is too large.
 */
import { FieldKind } from "./field-kind.ts";
import { entryOverhead, isValue, type TableField } from "./header-table.ts";

export interface SectionLimits {
  /** Bytes of all fields, each counted with 32 more (RFC 9113 section 10.5.1). */
  readonly headBytes: number;
  /** Cookies count as one, however many crumbs they come in. */
  readonly headFields: number;
}

export type SectionRole = "request" | "response" | "trailers";

/** Fifteen digits are still an exact number. */
const decimal = /^[0-9]{1,15}$/;
const schemeName = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const statusCode = /^[1-9][0-9]{2}$/;

export class FieldSection {
  role: SectionRole = "request";
  method = "";
  scheme = "";
  path = "";
  authority = "";
  host = "";
  status = 0;
  /** Regular fields without Host and cookies, each with its CRLF. */
  lines = "";
  /** Crumbs, joined. */
  cookie = "";
  /** Declared bytes of body; -1 when not declared. */
  contentLength = -1;
  /** Why it is malformed; empty when it is not. */
  fault = "";
  tooLarge = false;
  /** Size of the list so far, counted on when it is too large already. */
  listBytes = 0;
  private fields = 0;
  private seen = 0;
  private regular = false;
  private readonly limits: SectionLimits;

  constructor(limits: SectionLimits) {
    this.limits = limits;
  }

  begin(role: SectionRole): void {
    this.role = role;
    this.method = this.scheme = this.path = this.authority = this.host = "";
    this.lines = this.cookie = this.fault = "";
    this.status = this.listBytes = this.fields = this.seen = 0;
    this.contentLength = -1;
    this.tooLarge = this.regular = false;
  }

  /** A field that a table holds. */
  addTabled(field: TableField): void {
    if (!this.count(field.size, field.kind)) return;
    if (!field.valid) this.malformed(`the value of ${field.name} has characters that are not allowed`);
    else if (field.kind === FieldKind.REGULAR) {
      this.regular = true;
      this.lines += field.line;
    } else this.note(field.kind, field.name, field.value);
  }

  addLiteral(kind: FieldKind, name: string, value: string): void {
    if (!this.count(name.length + value.length + entryOverhead, kind)) return;
    if (!isValue(value)) this.malformed(`the value of ${name} has characters that are not allowed`);
    else if (kind === FieldKind.REGULAR) {
      this.regular = true;
      this.lines += `${name}: ${value}\r\n`;
    } else this.note(kind, name, value);
  }

  /** False when there is no room for it. */
  private count(size: number, kind: FieldKind): boolean {
    this.listBytes += size;
    if (kind !== FieldKind.COOKIE || this.cookie === "") this.fields++;
    if (this.listBytes > this.limits.headBytes || this.fields > this.limits.headFields) {
      this.tooLarge = true;
      this.lines = this.cookie = "";
    }
    return !this.tooLarge;
  }

  private note(kind: FieldKind, name: string, value: string): void {
    if (kind >= FieldKind.METHOD && kind <= FieldKind.UNKNOWN_PSEUDO) {
      this.notePseudo(kind, name, value);
      return;
    }
    this.regular = true;
    if (kind === FieldKind.CONNECTION) this.malformed(`${name} is a field of HTTP/1 connections`);
    else if (kind === FieldKind.MALFORMED) this.malformed(`${JSON.stringify(name)} is not a lower-case field name`);
    else if (kind === FieldKind.TE) this.noteTe(value);
    else if (kind === FieldKind.COOKIE) this.cookie = this.cookie === "" ? value : `${this.cookie}; ${value}`;
    else if (this.role !== "trailers") this.noteFraming(kind, value); // framing has no place in trailers (RFC 9110 section 6.5.1)
  }

  private noteFraming(kind: FieldKind, value: string): void {
    if (kind === FieldKind.HOST) {
      if (this.host !== "") this.malformed("Host more than once");
      this.host = value;
      return;
    }
    if (this.contentLength !== -1 || !decimal.test(value)) this.malformed("content-length is not one number");
    else this.contentLength = Number(value);
    this.lines += `content-length: ${value}\r\n`;
  }

  private noteTe(value: string): void {
    if (value.toLowerCase() !== "trailers") this.malformed("te is not trailers");
    else this.lines += "te: trailers\r\n";
  }

  private notePseudo(kind: FieldKind, name: string, value: string): void {
    const bit = 1 << kind;
    if (this.regular) this.malformed(`${name} after regular fields`);
    else if ((this.seen & bit) !== 0) this.malformed(`${name} more than once`);
    else if (this.role === "trailers") this.malformed(`${name} in trailers`);
    else if (kind === FieldKind.UNKNOWN_PSEUDO) this.malformed(`${name} is not known`);
    else if ((kind === FieldKind.STATUS) !== (this.role === "response")) this.malformed(`${name} in a ${this.role}`);
    else this.setPseudo(kind, value);
    this.seen |= bit;
  }

  private setPseudo(kind: FieldKind, value: string): void {
    if (kind === FieldKind.METHOD) this.method = value;
    else if (kind === FieldKind.SCHEME) this.scheme = value;
    else if (kind === FieldKind.PATH) this.path = value;
    else if (kind === FieldKind.AUTHORITY) this.authority = value;
    else if (statusCode.test(value)) this.status = Number(value);
    else this.malformed(":status is not three digits");
  }

  private malformed(why: string): void {
    if (this.fault === "") this.fault = why;
  }

  private has(kind: FieldKind): boolean {
    return (this.seen & (1 << kind)) !== 0;
  }

  /** The block is whole: finds what is missing. */
  end(): void {
    if (this.tooLarge || this.fault !== "") return;
    if (this.role === "response" && !this.has(FieldKind.STATUS)) this.malformed(":status is missing");
    if (this.role === "request") this.checkRequest();
  }

  private checkRequest(): void {
    if (!this.has(FieldKind.METHOD)) this.malformed(":method is missing");
    else if (this.method === "CONNECT") this.checkConnect();
    else if (!this.has(FieldKind.SCHEME)) this.malformed(":scheme is missing");
    else if (!schemeName.test(this.scheme)) this.malformed(":scheme is not a scheme");
    else if (!this.has(FieldKind.PATH)) this.malformed(":path is missing");
    else if (this.path === "") this.malformed(":path is empty");
    else if (this.path[0] !== "/" && !(this.path === "*" && this.method === "OPTIONS"))
      this.malformed(":path is not a path");
    if (this.has(FieldKind.AUTHORITY) && this.host !== "" && this.host !== this.authority)
      this.malformed("Host differs from :authority");
  }

  /** Section 8.5: the authority to reach, and nothing else. */
  private checkConnect(): void {
    if (this.has(FieldKind.SCHEME) || this.has(FieldKind.PATH)) this.malformed("CONNECT with :scheme or :path");
    else if (this.authority === "") this.malformed("CONNECT without :authority");
  }
}
