/** What is known of the beginning of a content: it grows to 1 KiB while the content is read. */
import { headBytes, printOf, readAt } from "./identity.ts";
import type { Row } from "./ledger.ts";

/**
 * Extends what is known by bytes that were read at `start`. It is taken from them, not from the file again: that may
 * hold another content by then.
 */
export function learnHead(row: Row, start: number, bytes: Uint8Array): void {
  const known = row.headBytes;
  if (known === undefined || known.length >= headBytes || start > known.length) return;
  const more = bytes.subarray(known.length - start, headBytes - start);
  if (more.length > 0) setHead(row, Buffer.concat([known, more]));
}

export function setHead(row: Row, head: Uint8Array): void {
  row.headBytes = head;
  row.head = printOf(head);
}

/** True when the file still begins with what is known. */
export function beginsAsKnown(row: Row, fd: number): boolean {
  const known = row.headBytes;
  return known === undefined || Buffer.compare(readAt(fd, 0, known.length), known) === 0;
}
