/**
 * A guard against reading a file again and again. A program that changes the beginning of its log in place, while it
 * appends at the end, looks like one that truncates it; without a limit all of it would come out with every change.
 */
import type { FollowedFile } from "./followed-file.ts";
import type { Following } from "./following.ts";
import { setHead } from "./head.ts";
import { headBytes, readAt, readTail } from "./identity.ts";
import { followReplaced } from "./opening.ts";

const windowMs = 10_000;
const mostRewrites = 20;

export class Rewrites {
  private readonly following: Following;
  /** By path: when the window began, and how often the file was found rewritten in it. */
  private readonly counts = new Map<string, { since: number; count: number }>();

  constructor(following: Following) {
    this.following = following;
  }

  /** Follows what a file holds now that was found to be replaced; as it is, where that has become a habit. */
  follow(file: FollowedFile, now: number): void {
    if (!this.isHabit(file, now)) followReplaced(this.following, file);
  }

  /** Forgets what is long past. */
  prune(now: number): void {
    for (const [path, { since }] of this.counts) if (now - since > windowMs) this.counts.delete(path);
  }

  /** True when it has been replaced very often of late, and what stands before the position is still what was read. */
  private isHabit(file: FollowedFile, now: number): boolean {
    const known = this.counts.get(file.row.origin);
    const current = known === undefined || now - known.since > windowMs ? { since: now, count: 0 } : known;
    current.count++;
    this.counts.set(file.row.origin, current);
    if (current.count <= mostRewrites || !takesNewBeginning(file)) return false;
    if (current.count === mostRewrites + 1) {
      this.following.context.emit("log_file_rewritten_often", { input: file.input, path: file.path });
    }
    return true;
  }
}

/** Knows the file by another beginning from now on; false when the bytes before a position are others too. */
function takesNewBeginning({ readers, row, fd }: FollowedFile): boolean {
  const fits = readers.every(({ cursor: { read, tail } }) => {
    return read >= 2 * headBytes && tail !== undefined && Buffer.compare(readTail(fd, read), tail) === 0;
  });
  if (fits) setHead(row, readAt(fd, 0, headBytes));
  return fits;
}
