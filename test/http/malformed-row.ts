/** One request that must be refused, and short ways to write many. */
import type { FailureCode } from "../../src/errors.ts";

export interface Malformed {
  readonly name: string;
  readonly code: FailureCode;
  readonly status: number;
  readonly bytes: string;
}

export const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

type Table = Record<string, string>;

export function rows(status: number, code: FailureCode, table: Table): Malformed[] {
  return Object.entries(table).map(([name, bytes]) => ({ name, code, status, bytes: bytes + smuggled }));
}

export const host = "Host: a\r\n";

export function line(text: string): string {
  return `${text}\r\n${host}\r\n`;
}

export function fields(text: string): string {
  return `POST / HTTP/1.1\r\n${host}${text}\r\n`;
}

/** One POST per text, with five bytes of body. */
export function each(texts: readonly string[], of: (text: string) => string, title = "", body = "hello"): Table {
  return Object.fromEntries(texts.map((text) => [`${title}${JSON.stringify(text)}`, of(text) + body]));
}

export const chunked = "Transfer-Encoding: chunked\r\n";
