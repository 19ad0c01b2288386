/** One row of the hostile corpus: what a client sends, and the only thing that may come of it. */

export interface HostileRow {
  /** The kind of attack. */
  readonly family: string;
  readonly name: string;
  /** All that the client sends on one connection. */
  readonly bytes: string;
  /** The requests that origins get, each in its only right form, without the lines that inbound adds. */
  readonly forwarded: readonly string[];
  /** Of the answers, in order. */
  readonly statuses: readonly number[];
  /** The engine ends the connection behind them. */
  readonly closed: boolean;
}

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

export const host = "Host: a\r\n";
export const chunked = "Transfer-Encoding: chunked\r\n";

/** A POST with these field lines, its body behind them. */
export function post(fields: string, body = "", target = "/"): string {
  return `POST ${target} HTTP/1.1\r\n${host}${fields}\r\n${body}`;
}

export function get(fields: string, target = "/"): string {
  return `GET ${target} HTTP/1.1\r\n${host}${fields}\r\n`;
}

/** Answered with one status and the end of the connection; what stands behind it is seen by nobody. */
export function refused(family: string, status: number, table: Record<string, string>): HostileRow[] {
  return Object.entries(table).map(([name, bytes]) => ({
    family,
    name,
    bytes: bytes + smuggled,
    forwarded: [],
    statuses: [status],
    closed: true,
  }));
}

/** Sent on as it is, or as the second of a pair; the request behind it is served for itself. */
export function passed(family: string, table: Record<string, string | [bytes: string, as: string]>): HostileRow[] {
  return Object.entries(table).map(([name, row]) => {
    const [bytes, as] = typeof row === "string" ? [row, row] : row;
    return { family, name, bytes: bytes + next, forwarded: [as, next], statuses: [200, 200], closed: false };
  });
}

/** The same, but it is the last one on its connection. */
export function last(family: string, table: Record<string, string | [bytes: string, as: string]>): HostileRow[] {
  return Object.entries(table).map(([name, row]) => {
    const [bytes, as] = typeof row === "string" ? [row, row] : row;
    return { family, name, bytes: bytes + smuggled, forwarded: [as], statuses: [200], closed: true };
  });
}
