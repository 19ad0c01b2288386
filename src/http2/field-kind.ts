/** What the name of a field means to HTTP/2: RFC 9113 sections 8.2 and 8.3. Looked up once per name, then kept with it. */
import { kinds, TOKEN } from "../http/grammar.ts";

export const FieldKind = {
  REGULAR: 0,
  METHOD: 1,
  SCHEME: 2,
  PATH: 3,
  AUTHORITY: 4,
  STATUS: 5,
  /** Begins with a colon and is none of the above. */
  UNKNOWN_PSEUDO: 6,
  /** Belongs to an HTTP/1 connection and has no place here (section 8.2.2). */
  CONNECTION: 7,
  /** Allowed with the value `trailers` only. */
  TE: 8,
  /** May come in crumbs, one cookie a field (section 8.2.3). */
  COOKIE: 9,
  HOST: 10,
  CONTENT_LENGTH: 11,
  /** Upper case, or no token at all. */
  MALFORMED: 12,
} as const;

export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const known = new Map<string, FieldKind>([
  [":method", FieldKind.METHOD],
  [":scheme", FieldKind.SCHEME],
  [":path", FieldKind.PATH],
  [":authority", FieldKind.AUTHORITY],
  [":status", FieldKind.STATUS],
  ["connection", FieldKind.CONNECTION],
  ["keep-alive", FieldKind.CONNECTION],
  ["proxy-connection", FieldKind.CONNECTION],
  ["transfer-encoding", FieldKind.CONNECTION],
  ["upgrade", FieldKind.CONNECTION],
  ["te", FieldKind.TE],
  ["cookie", FieldKind.COOKIE],
  ["host", FieldKind.HOST],
  ["content-length", FieldKind.CONTENT_LENGTH],
]);

export function kindOf(name: string): FieldKind {
  const kind = known.get(name);
  if (kind !== undefined) return kind;
  if (name.charCodeAt(0) === 58) return FieldKind.UNKNOWN_PSEUDO;
  return isLowerToken(name) ? FieldKind.REGULAR : FieldKind.MALFORMED;
}

function isLowerToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if ((kinds[code]! & TOKEN) === 0 || (code >= 65 && code <= 90)) return false;
  }
  return name !== "";
}
