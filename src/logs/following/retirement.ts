/**
 * When a file is let go. Never by the clock alone: a renamed or deleted file is kept until its end was read and every
 * output acknowledged it, and a little longer, because its writer may have it open still. Only deleted files that
 * together hold too much disk are given up, oldest first, and counted.
 */
import { openFilesLimit } from "../../limits.ts";
import type { FollowedFile } from "./followed-file.ts";
import type { Following } from "./following.ts";
import type { Stamp } from "./identity.ts";
import type { Seen } from "./survey.ts";

/** Quiet time after which a file without a name is done, and one that was renamed. */
const deletedQuietMs = 1_000;
const rotatedQuietMs = 60_000;
/** Quiet time after which an unfinished last line is final: when the next file has lines, and when it has not. */
const succeededQuietMs = 1_000;
const unsucceededQuietMs = 5_000;
/** Disk that deleted files may keep from being freed, unless the entry says otherwise. */
const defaultHoldBytes = 256 * 1024 * 1024;
/**
 * Open files above which quiet ones are closed although nothing happened to them. An open one costs less to look at,
 * and its lines are not lost with its name; but descriptors are there for connections first.
 */
const mostOpenFiles = Math.min(4096, Math.max(512, Math.floor((openFilesLimit() ?? 0) / 8)));

/** A file that is matched, but closed because nothing happens in it; it is opened again when its size changes. */
export interface Parked {
  readonly file: FollowedFile;
  readonly size: number;
  readonly mtimeMs: number;
}

export class Retirement {
  readonly parked = new Map<string, Parked>();
  private readonly following: Following;
  private readonly holdBytes: number;

  constructor(following: Following, holdBytes = defaultHoldBytes) {
    this.following = following;
    this.holdBytes = holdBytes;
  }

  /** Lets go of what can be let go of. `isMatched` tells whether a pattern finds the file where it is now. */
  review(now: number, isMatched: (file: FollowedFile) => boolean): void {
    const { files } = this.following;
    for (const file of [...files.values()]) {
      if (file.status !== "live") this.finishLine(file, now);
      if (!file.exhausted || !file.settled) continue;
      const quietMs = now - file.pace.grewAt;
      if (file.status === "deleted") {
        if (quietMs >= deletedQuietMs) this.finish(file);
      } else if (quietMs >= rotatedQuietMs && (file.status === "rotated" || files.size > mostOpenFiles)) {
        if (isMatched(file)) this.park(file);
        else this.finish(file);
      }
    }
    this.limitHeldBytes();
  }

  /** True when time alone changes nothing: all matched files are open and live, and not so many that quiet ones are closed. */
  isQuiet({ byKey }: Seen): boolean {
    const { files } = this.following;
    if (this.parked.size > 0 || byKey.size !== files.size || files.size > mostOpenFiles) return false;
    return [...files.values()].every(({ status, key }) => status === "live" && byKey.has(key));
  }

  /** True when the file is closed because nothing happened to it, and nothing has since. */
  isParked(key: string, { size, mtimeMs }: Stamp): boolean {
    const parked = this.parked.get(key);
    return parked?.size === size && parked.mtimeMs === mtimeMs;
  }

  unpark(key: string): void {
    this.parked.delete(key);
  }

  /** Forgets parked files that are gone. */
  keepParked(isMatched: (key: string) => boolean): void {
    for (const [key, { file }] of this.parked) {
      if (isMatched(key)) continue;
      this.parked.delete(key);
      this.following.ledger.end(file.row);
    }
  }

  /** Nothing will be added to a last line without a newline once its file is quiet. */
  private finishLine(file: FollowedFile, now: number): void {
    if (file.exhausted || file.trouble !== undefined) return;
    const next = this.following.streams.get(file.row.origin)?.successor(file);
    const isSucceeded = next !== undefined && next.knownSize > 0;
    const neededMs = isSucceeded ? succeededQuietMs : unsucceededQuietMs;
    if (now - file.pace.grewAt < neededMs) return;
    if (file.isFinal) file.offerLastLine(true);
    else file.yields = true;
  }

  private finish(file: FollowedFile): void {
    this.close(file);
    this.following.ledger.end(file.row);
    this.following.context.checkpoint.touch(0);
  }

  private park(file: FollowedFile): void {
    this.close(file);
    this.parked.set(file.key, { file, size: file.knownSize, mtimeMs: file.row.mtimeMs });
  }

  private close(file: FollowedFile): void {
    file.close();
    this.following.files.delete(file.key);
    this.following.ledger.release(file.row, this.following.files);
  }

  private limitHeldBytes(): void {
    // What was read is in memory: a file that only waits for acknowledgements loses nothing, however large it is. And
    // while outputs take what is read, no file is given up that will be through in a moment.
    const deleted = [...this.following.files.values()].filter((file) => file.status === "deleted");
    let held = deleted.reduce((sum, file) => sum + file.unread, 0);
    for (const file of deleted) {
      if (held <= this.holdBytes) return;
      if (!isHeldUp(file)) continue;
      held -= file.unread;
      this.abandon(file);
    }
  }

  private abandon(file: FollowedFile): void {
    const { parts, context } = this.following;
    const bytes = file.unread;
    parts.counters.lost("held_too_long", bytes);
    context.emit("log_bytes_lost", { input: parts.input, path: file.path, bytes, reason: "held_too_long" });
    this.finish(file);
  }
}

/** True when an output that takes nothing now has not read all of it. */
function isHeldUp({ readers, knownSize }: FollowedFile): boolean {
  return readers.some(({ lane, cursor }) => cursor.read < knownSize && lane.room <= 0);
}
