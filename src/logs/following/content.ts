/** Finds out which known content an opened file holds, if any, and makes cursors ready to go on in it. */
import type { Cursor } from "./cursor.ts";
import { type Births, hasPrint, printOf, readAt, readTail, type Stamp, samePrint } from "./identity.ts";
import type { Row } from "./ledger.ts";

/** True when the file still holds the content of the row, as far as it was read. */
export function holdsContent(row: Row, fd: number, stamp: Stamp, births: Births): boolean {
  if (births.differ(stamp, row) || stamp.size < row.head.length || !hasPrint(fd, 0, row.head)) return false;
  return [...row.cursors.values()].every((cursor) => cursorFits(cursor, fd, stamp.size));
}

function cursorFits(cursor: Cursor, fd: number, size: number): boolean {
  if (size < Math.max(cursor.read, cursor.acknowledged)) return false;
  if (cursor.tail !== undefined) return Buffer.compare(readTail(fd, cursor.read), cursor.tail) === 0;
  const { length } = cursor.acknowledgedTail;
  return hasPrint(fd, cursor.acknowledged - length, cursor.acknowledgedTail);
}

/**
 * Takes from the verified file what a checkpoint keeps only hashes of. False, and nothing is taken, when the file holds
 * other bytes by now: it was truncated after it was verified.
 */
export function refresh(row: Row, fd: number): boolean {
  const head = row.headBytes ?? readAt(fd, 0, row.head.length);
  const cursors = [...row.cursors.values()].filter(({ tail }) => tail === undefined);
  const tails = cursors.map(({ read }) => readTail(fd, read));
  const isSame = cursors.every(({ acknowledgedTail }, i) => samePrint(printOf(tails[i]!), acknowledgedTail));
  if (!isSame || !samePrint(printOf(head), row.head)) return false;
  row.headBytes = head;
  for (const [i, cursor] of cursors.entries()) cursor.tail = tails[i];
  return true;
}
