/** What the ledger remembers of files from before a restart, until each was found again or is known to be gone. */
import { lookInto } from "./archives/compressed-files.ts";
import { type Arrival, type Listings, locate } from "./arrivals.ts";
import type { Following } from "./following.ts";
import { keyOf } from "./identity.ts";
import type { Row } from "./ledger.ts";
import { Stream } from "./stream.ts";
import type { Seen } from "./survey.ts";

/** A file has vanished when so many looks did not find it: one look may fall between two renames. */
const looksUntilVanished = 3;

export class Recollection {
  private readonly following: Following;
  /** Rows whose files were not found yet, and how often they were looked for. */
  private sought = new Map<Row, number>();

  constructor(following: Following) {
    this.following = following;
  }

  /** True when nothing was ever read for these patterns. */
  isEmpty(): boolean {
    return this.rows().length === 0;
  }

  /** True when nothing is looked for any more. */
  isOver(): boolean {
    return this.sought.size === 0;
  }

  begin(): void {
    const { streams } = this.following;
    const rows = this.rows();
    for (const { origin } of rows) if (!streams.has(origin)) streams.set(origin, new Stream(origin));
    this.sought = new Map(rows.filter((row) => row.endedAt === undefined).map((row) => [row, 0]));
  }

  /** Files with unread lines that no pattern matches any more: they were rotated while we were away. */
  arrivals(seen: Seen, listings: Listings): Arrival[] {
    const arrivals: Arrival[] = [];
    for (const [row, looks] of this.sought) {
      const spot = this.isFound(row, seen) ? "found" : locate(row, this.following.births, listings);
      if (spot === "found") this.sought.delete(row);
      else if (spot !== undefined && lookInto(spot.path) === undefined) arrivals.push({ ...spot, origin: row.origin });
      else this.notFound(row, looks + 1);
    }
    return arrivals;
  }

  private rows(): Row[] {
    return [...this.following.ledger.rows.values()].filter((row) => this.following.matches(row.origin));
  }

  /** Found, or found to be replaced: the inode alone may belong to another file by now. */
  private isFound(row: Row, seen: Seen): boolean {
    if (row.endedAt !== undefined) return true;
    const file = this.following.files.get(keyOf(row));
    if (file !== undefined) return file.row === row;
    const found = seen.byKey.get(keyOf(row));
    if (found === undefined || this.following.births.differ(found.stamp, row)) return false;
    // The archive of the file itself may have its inode.
    return lookInto(found.paths[0]!) === undefined;
  }

  private notFound(row: Row, looks: number): void {
    this.sought.set(row, looks);
    const { ledger, parts, context, archives } = this.following;
    const elsewhere = archives?.resolve(row, context.clock.now());
    if (elsewhere === "wait" || (looks < looksUntilVanished && elsewhere === undefined)) return;
    this.sought.delete(row);
    if (elsewhere === "taken") return;
    const bytes = Math.max(0, row.size - Math.min(...[...row.cursors.values()].map((cursor) => cursor.acknowledged)));
    parts.counters.lost("vanished", bytes);
    if (bytes > 0) context.emit("log_bytes_lost", { input: parts.input, path: row.path, bytes, reason: "vanished" });
    ledger.end(row);
  }
}
