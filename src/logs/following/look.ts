/**
 * One look at everything an input follows: first what became of the files that are open, then what is new. What is
 * unknown may be what rotation made of a file that is known, so the known ones come first.
 *
 *   survey -> renamed, deleted, replaced, begun? -> arrivals -> missed beside them -> is all still in its place?
 */

import type { CompressedFiles } from "./archives/compressed-files.ts";
import { type Arrival, distinct, groupFresh, inOrder, Listings, locate, missedAt } from "./arrivals.ts";
import type { FollowedFile } from "./followed-file.ts";
import type { Following } from "./following.ts";
import { keyOf } from "./identity.ts";
import { followAll, followBefore, isInPlace } from "./newcomers.ts";
import { followMissed } from "./opening.ts";
import type { Recollection } from "./recollection.ts";
import type { Retirement } from "./retirement.ts";
import type { Rewrites } from "./rewrites.ts";
import type { Found, Seen } from "./survey.ts";

/** What looks share and leave to each other. */
export interface LookParts {
  readonly following: Following;
  readonly retirement: Retirement;
  readonly recollection: Recollection;
  readonly rewrites: Rewrites;
  readonly compressed: CompressedFiles;
}

export class Look {
  readonly seen: Seen;
  private readonly parts: LookParts;
  private readonly now: number;
  private readonly listings: Listings;
  /** Files that were followed before it. */
  private readonly before: ReadonlySet<FollowedFile>;
  /** True while no look was brought to its end. */
  private readonly isFirst: boolean;

  /** Asks the file system what there is; `now` is monotonic. */
  constructor(parts: LookParts, now: number, isFirst: boolean) {
    const { following } = parts;
    this.parts = parts;
    this.now = now;
    this.seen = following.survey.take();
    this.listings = new Listings(following);
    this.before = new Set(following.files.values());
    this.isFirst = isFirst;
  }

  /**
   * Follows what is found. False when files were renamed meanwhile, so that it must be done again. `begun` are files
   * that were empty so far and of which the first bytes are known now.
   */
  take(begun: readonly FollowedFile[]): boolean {
    const { following, recollection } = this.parts;
    if (this.isFirst) recollection.begin();
    for (const file of this.before) this.update(file);
    for (const stream of following.streams.values()) if (stream.isOwed) stream.sort();
    // Before anything unknown is looked at: it may be the copy that was made before a truncation.
    followBefore(following, [...begun, ...this.changed()]);
    if (!this.follow(this.arrivals())) return false;
    this.followMissedBeside();
    return isInPlace(following, this.before) && !following.isUnsettled;
  }

  /** What became of a file we hold open. */
  private update(file: FollowedFile): void {
    const { following } = this.parts;
    const found = this.seen.byKey.get(file.key);
    const was = file.status;
    if (found === undefined) {
      const { links } = file.stat();
      file.status = links === 0 ? "deleted" : "rotated";
      const isLost = was === "live" || following.streams.get(file.row.origin)?.isOwed === true;
      if (file.status === "rotated" && isLost) {
        file.row.path = locate(file.row, following.births, this.listings)?.path ?? file.row.path;
      }
    } else {
      const { origin, path } = file.row;
      const now = [origin, path].find((known) => found.paths.includes(known)) ?? found.paths[0]!;
      file.status = now === origin ? "live" : "rotated";
      const isRewritten = file.seen(now, found.stamp);
      if (isRewritten) followMissed(following, origin, { path: now, stamp: found.stamp }, this.listings);
    }
    if (file.status === "live") file.leftMs = undefined;
    else file.leftMs ??= file.row.mtimeMs;
    if (was === "live" && file.status !== "live") this.noteRotation(file);
  }

  /** Follows anew what was replaced; returns the files that have their first bytes. */
  private changed(): FollowedFile[] {
    const begun: FollowedFile[] = [];
    for (const file of this.before) {
      if (file.isReplaced()) this.parts.rewrites.follow(file, this.now);
      else if (file.begins()) begun.push(file);
    }
    return begun;
  }

  private noteRotation(file: FollowedFile): void {
    const { parts, context } = this.parts.following;
    const kind = file.status === "deleted" ? "deleted" : "renamed";
    file.pace.hurry();
    context.checkpoint.hasten();
    if (parts.shownAs !== undefined) return;
    parts.counters.rotated(kind);
    context.emit("log_file_rotated", { input: parts.input, path: file.row.origin, kind, now: file.path });
  }

  private arrivals(): Arrival[] {
    const { seen, listings } = this;
    const { following, recollection } = this.parts;
    const fresh = this.fresh();
    const missed = this.missed();
    for (const _ of missed) following.parts.counters.rotated("missed");
    const remembered = recollection.arrivals(seen, listings);
    return inOrder(distinct([...groupFresh(fresh, following), ...remembered, ...missed]));
  }

  /** Files that are matched, that nobody follows, and that are not compressed. */
  private fresh(): Found[] {
    const { following, retirement, compressed } = this.parts;
    const unknown = [...this.seen.byKey.values()].filter(
      ({ key, stamp }) => !following.files.has(key) && !retirement.isParked(key, stamp),
    );
    const archives = new Set(unknown.filter((found) => compressed.takes(found)));
    following.archives?.look([...archives], following.context.clock.now(), this.isFirst && following.past.isBegun);
    return unknown.filter((found) => !archives.has(found));
  }

  /** Files that came and went at a path between two looks. */
  private missed(): Arrival[] {
    const { following } = this.parts;
    const { streams, context } = following;
    const left = [...streams.values()].filter((stream) => stream.isLeft(this.seen.byPath.get(stream.path)));
    return left
      .filter((stream) => stream.folderChanged(context.clock.wall()))
      .flatMap((stream) => missedAt(stream.path, following, this.listings));
  }

  /** False when files were renamed meanwhile. */
  private follow(arrivals: readonly Arrival[]): boolean {
    const { following, retirement } = this.parts;
    for (const { stamp } of arrivals) retirement.unpark(keyOf(stamp));
    return followAll(following, arrivals);
  }

  /** Once more for new files: one may have been truncated between its folder's listing and its opening. */
  private followMissedBeside(): void {
    const { following } = this.parts;
    const { files, streams } = following;
    const opened = [...files.values()].filter((file) => file.status === "live" && !this.before.has(file));
    const origins = this.isFirst ? [...streams.keys()] : opened.map(({ row }) => row.origin);
    const listings = new Listings(following);
    for (const origin of origins) followMissed(following, origin, undefined, listings);
  }
}
