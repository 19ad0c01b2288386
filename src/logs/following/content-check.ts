/** Whether an open file still holds the content it is followed for, asked as seldom as can be. */
import type { Cursor } from "./cursor.ts";
import { beginsAsKnown } from "./head.ts";
import { readTail } from "./identity.ts";
import type { Row } from "./ledger.ts";

export class ContentCheck {
  private readonly row: Row;
  private readonly fd: number;
  /** Size and time of writing when the content was last found to be the same. */
  private verified = { size: -1, mtimeMs: Number.NaN };
  /** True when the file was read to its end: what is there now may be another content with the same tail. */
  private isDoubtful = false;

  constructor(row: Row, fd: number) {
    this.row = row;
    this.fd = fd;
  }

  /** True when the bytes before this position, or those at the beginning, are others. Throws what reading throws. */
  isOther(size: number, { read, tail }: Cursor): boolean {
    const { verified } = this;
    const { mtimeMs } = this.row;
    if (size === verified.size && mtimeMs === verified.mtimeMs) return false;
    if (tail !== undefined && Buffer.compare(readTail(this.fd, read), tail) !== 0) return true;
    if (!beginsAsKnown(this.row, this.fd)) return true;
    this.verified = { size, mtimeMs };
    return false;
  }

  /** The file was read to its end: with the next read its beginning is to be compared as well. */
  readToEnd(): void {
    this.isDoubtful = true;
  }

  /**
   * The tail alone may deceive: lines that are all alike end alike at any place. After a pause the beginning is
   * compared as well; not while the file is read without pause, where each read would be followed by a second one.
   */
  doubt(): "replaced" | undefined {
    if (!this.isDoubtful) return undefined;
    this.isDoubtful = false;
    return beginsAsKnown(this.row, this.fd) ? undefined : "replaced";
  }
}
