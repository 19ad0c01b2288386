/**
 * Follows files through rotation, truncation and restarts: what `log-inputs/files` is made of.
 *
 *   survey -> what became of known files -> arrivals -> streams       once a second
 *   due files, rotated ones first, each up to its quota -> lanes      every turn
 *
 * By polling alone: change notification does not work on every volume, and its limits are shared by all pods of a user.
 */
import type { LogInput, LogInputContext, LogMeasure, LogSourceState } from "../../contracts.ts";
import type { Archives } from "./archives/archives.ts";
import { CompressedFiles } from "./archives/compressed-files.ts";
import { readableCompressions } from "./archives/compression.ts";
import { type Arrival, distinct, groupFresh, inOrder, Listings, locate, missedAt } from "./arrivals.ts";
import { FileMark } from "./file-block.ts";
import { measureFile, stateOf, stateWord } from "./file-state.ts";
import { FollowedFile } from "./followed-file.ts";
import { type Following, followingOf, type ReadOptions } from "./following.ts";
import { Glance } from "./glance.ts";
import { Exclusion, Glob } from "./glob.ts";
import { keyOf } from "./identity.ts";
import { followAll } from "./newcomers.ts";
import { followMissed, followReplaced, spotNow } from "./opening.ts";
import { Recollection } from "./recollection.ts";
import { Retirement } from "./retirement.ts";
import { Rewrites } from "./rewrites.ts";
import type { Seen } from "./survey.ts";
import type { Suspects } from "./suspects.ts";

export interface FollowOptions extends ReadOptions {
  /** Absolute patterns. */
  readonly paths: readonly string[];
  /** Absolute patterns, or patterns for names. */
  readonly exclude: readonly string[];
  /** Where to begin in files that are there the very first time. */
  readonly from: "beginning" | "end";
  /** Disk that deleted files may keep from being freed; default 256 MiB. */
  readonly hold?: number;
  /** Given where compressed files are read; otherwise they are left out. */
  readonly archives?: ((following: Following) => Archives) | undefined;
}

const surveyIntervalMs = 1_000;
const surveysPerPruning = 600;
/** So many looks may find that files were renamed under them until something is read all the same. */
const mostUnfinishedSurveys = 16;
/** With more files than this, one that was quiet for so long is left to the survey, which wakes it when it has grown. */
const mostProbedFiles = 64;
const sleepyMs = 10_000;
/** Longest turn of the thread, before others get theirs. */
const turnMs = 10;
/** Read buffers are let go after this time without a line. */
const idleMs = 2_000;

export class Follower implements LogInput {
  private readonly options: FollowOptions;
  private readonly following: Following;
  private readonly retirement: Retirement;
  private readonly suspects: Suspects;
  private readonly recollection: Recollection;
  private readonly rewrites: Rewrites;
  private readonly glance: Glance;
  private readonly compressed: CompressedFiles;
  private readonly archives: Archives | undefined;
  private order: FollowedFile[] = [];
  /** Files whose first bytes have been seen and not read. */
  private readonly begun: FollowedFile[] = [];
  private nextFile = 0;
  private nextSurveyAt = Number.NEGATIVE_INFINITY;
  private isFirst = true;
  private surveys = 0;
  private unfinishedSurveys = 0;
  private lastReadAt: number;

  constructor(options: FollowOptions, context: LogInputContext) {
    this.options = options;
    const globs = options.paths.map((path) => new Glob(path));
    this.following = followingOf(context, globs, new Exclusion(options.exclude), options);
    this.retirement = new Retirement(this.following, options.hold);
    this.suspects = this.following.suspects;
    this.recollection = new Recollection(this.following);
    this.rewrites = new Rewrites(this.following);
    this.glance = new Glance(context.clock);
    const readable = options.archives === undefined ? [] : readableCompressions;
    this.compressed = new CompressedFiles(context.name, context.emit, readable);
    this.archives = options.archives?.(this.following);
    this.following.archives = this.archives;
    this.lastReadAt = context.clock.now();
  }

  turn(): number {
    const { clock } = this.following.context;
    const now = clock.now();
    const isDue = now >= this.nextSurveyAt || this.following.isUnsettled;
    if (isDue && !this.glanceIsEnough(now) && !this.survey(now)) return 0;
    const isReading = this.readDue(now);
    const archiveMs = this.archives?.turn(now) ?? Number.POSITIVE_INFINITY;
    if (isReading || archiveMs === 0) return 0;
    // An idle thread collects no garbage by itself; it would keep megabytes of buffers for nothing.
    if (now - this.lastReadAt > idleMs && this.following.parts.buffers.trim()) Bun.gc(true);
    let dueAt = Math.min(this.nextSurveyAt, now + archiveMs);
    for (const file of this.order) if (file.open && !file.blocked) dueAt = Math.min(dueAt, file.nextLookAt);
    return Math.max(1, dueAt - now);
  }

  /** Reads soon: something was just written. */
  hurry(): void {
    for (const file of this.following.files.values()) file.hurry();
  }

  look(): void {
    this.nextSurveyAt = Number.NEGATIVE_INFINITY;
    this.hurry();
  }

  acknowledged(block: Parameters<LogInput["acknowledged"]>[0], output: string): void {
    const { source, start, end, mark } = block;
    if (this.archives?.acknowledged(block, output)) return;
    if (!(source instanceof FollowedFile && mark instanceof FileMark)) return;
    source.row.cursors.get(output)?.acknowledge(mark.offset, mark.tail);
    this.following.context.checkpoint.touch(end - start);
  }

  unread(): number {
    let bytes = this.archives?.unread() ?? 0;
    for (const file of this.following.files.values()) {
      file.stat();
      bytes += file.unread;
    }
    return bytes;
  }

  finish(): void {
    for (const file of this.following.files.values()) file.offerLastLine(file.isFinal);
    this.following.context.checkpoint.touch(0);
  }

  state(): LogSourceState[] {
    const now = this.following.context.clock.now();
    const open = [...this.following.files.values()].map((file) => stateOf(file, file.trouble ?? file.status, now));
    const idle = [...this.retirement.parked.values()].map(({ file }) => stateOf(file, "idle", now));
    return [...open, ...(this.archives?.state() ?? []), ...idle];
  }

  measure(measure: LogMeasure): void {
    for (const file of this.following.files.values()) measureFile(file, stateWord(file), measure);
    for (const { file } of this.retirement.parked.values()) measureFile(file, "idle", measure);
  }

  close(): void {
    const { files, ledger, parts } = this.following;
    for (const file of files.values()) {
      file.close();
      ledger.release(file.row, files);
    }
    files.clear();
    this.archives?.close();
    parts.buffers.trim();
  }

  /** False when only a survey can tell what has changed. */
  private glanceIsEnough(now: number): boolean {
    const stirred = this.following.isUnsettled ? undefined : this.glance.take(now);
    if (stirred === undefined) return false;
    this.nextSurveyAt = now + surveyIntervalMs;
    for (const { file, stamp } of stirred) {
      file.seen(file.path, stamp);
      if (file.isReplaced()) this.hasAnother(file, now);
      else if (file.begins()) this.begun.push(file);
    }
    this.followBegun();
    return !this.following.isUnsettled;
  }

  /**
   * Looks at everything. False when it must be done again before anything is read: what was not found yet may come
   * before what was.
   */
  private survey(now: number): boolean {
    this.nextSurveyAt = now + surveyIntervalMs;
    if (this.following.isUnsettled) this.lookAgain();
    this.following.isUnsettled = false;
    this.glance.begin(now);
    const seen = this.following.survey.take();
    const listings = new Listings(this.following);
    const before = new Set(this.following.files.values());
    if (this.isFirst) this.recollection.begin();
    for (const file of before) this.update(file, seen, listings);
    for (const stream of this.following.streams.values()) if (stream.isOwed) stream.sort();
    // Before anything unknown is looked at: it may be the copy that was made before a truncation.
    for (const file of before) {
      if (file.isReplaced()) this.replace(file, now);
      else if (file.begins()) this.begun.push(file);
    }
    this.followBefore(this.begun.splice(0));
    const isFollowed = this.follow(this.arrivals(seen, listings));
    if (isFollowed) this.followMissedBeside(before);
    const isComplete = isFollowed && this.settle(before) && !this.following.isUnsettled;
    if (isComplete) this.allFound();
    else this.lookAgain();
    this.suspects.keepOnly(seen.byKey);
    this.compressed.keepOnly(seen.byKey);
    this.retirement.keepParked((key) => seen.byKey.has(key));
    this.retirement.review(now, (file) => seen.byKey.has(file.key));
    this.isFirst &&= !isComplete;
    if (++this.surveys % surveysPerPruning === 0) this.forgetStreams(seen);
    this.reorder();
    const isQuiet = isComplete && this.recollection.isOver() && this.retirement.isQuiet(seen);
    if (isQuiet) this.glance.end(now, seen, this.following.files.values());
    this.unfinishedSurveys = isComplete ? 0 : this.unfinishedSurveys + 1;
    return isComplete || this.unfinishedSurveys % mostUnfinishedSurveys === 0;
  }

  /** What became of a file we hold open. */
  private update(file: FollowedFile, seen: Seen, listings: Listings): void {
    const found = seen.byKey.get(file.key);
    const was = file.status;
    if (found === undefined) {
      const { links } = file.stat();
      file.status = links === 0 ? "deleted" : "rotated";
      const isLost = was === "live" || this.following.streams.get(file.row.origin)?.isOwed === true;
      if (file.status === "rotated" && isLost) {
        file.row.path = locate(file.row, this.following.births, listings)?.path ?? file.row.path;
      }
    } else {
      const { origin, path } = file.row;
      const now = [origin, path].find((known) => found.paths.includes(known)) ?? found.paths[0]!;
      file.status = now === origin ? "live" : "rotated";
      const isRewritten = file.seen(now, found.stamp);
      if (isRewritten) followMissed(this.following, origin, { path: now, stamp: found.stamp }, listings);
    }
    if (file.status === "live") file.leftMs = undefined;
    else file.leftMs ??= file.row.mtimeMs;
    if (was === "live" && file.status !== "live") this.noteRotation(file);
  }

  /**
   * The files were empty when they were looked at last; what else they held since then is in copies beside them. All
   * are known by their first bytes before the first folder is listed: a copy that is made later says so by them.
   */
  private followBefore(begun: readonly FollowedFile[]): void {
    const listings = new Listings(this.following);
    for (const file of begun) {
      if (!file.open) continue;
      const now = spotNow(this.following, file.row, file.stat(), listings);
      file.row.path = now.path;
      followMissed(this.following, file.row.origin, now, listings);
    }
  }

  private noteRotation(file: FollowedFile): void {
    const { parts, context } = this.following;
    const kind = file.status === "deleted" ? "deleted" : "renamed";
    file.hurry();
    context.checkpoint.hasten();
    if (this.options.shownAs !== undefined) return;
    parts.counters.rotated(kind);
    context.emit("log_file_rotated", { input: parts.input, path: file.row.origin, kind, now: file.path });
  }

  private arrivals(seen: Seen, listings: Listings): Arrival[] {
    const { files, streams, context } = this.following;
    const unknown = [...seen.byKey.values()].filter(
      ({ key, stamp }) => !files.has(key) && !this.retirement.isParked(key, stamp),
    );
    const compressed = new Set(unknown.filter((found) => this.compressed.takes(found)));
    this.archives?.look([...compressed], context.clock.now(), this.isPassingOver);
    const fresh = unknown.filter((found) => !compressed.has(found));
    const left = [...streams.values()].filter((stream) => stream.isLeft(seen.byPath.get(stream.path)));
    const missed = left
      .filter((stream) => stream.folderChanged(context.clock.wall()))
      .flatMap((stream) => missedAt(stream.path, this.following, listings));
    for (const _ of missed) this.following.parts.counters.rotated("missed");
    const remembered = this.recollection.arrivals(seen, listings);
    return inOrder(distinct([...groupFresh(fresh, this.following), ...remembered, ...missed]));
  }

  /** False when files were renamed meanwhile. */
  private follow(arrivals: readonly Arrival[]): boolean {
    for (const { stamp } of arrivals) this.retirement.unpark(keyOf(stamp));
    return followAll(this.following, arrivals, this.isPassingOver);
  }

  /** True when what is there now is not to be read. */
  private get isPassingOver(): boolean {
    return this.isFirst && this.options.from === "end" && this.recollection.isEmpty();
  }

  /** Once more for new files: one may have been truncated between its folder's listing and its opening. */
  private followMissedBeside(before: ReadonlySet<FollowedFile>): void {
    const { files, streams } = this.following;
    const opened = [...files.values()].filter((file) => file.status === "live" && !before.has(file));
    const origins = this.isFirst ? [...streams.keys()] : opened.map(({ row }) => row.origin);
    const listings = new Listings(this.following);
    for (const origin of origins) followMissed(this.following, origin, undefined, listings);
  }

  /** Paths that were a name for a day, as with a date in it, must not be remembered for ever. */
  private forgetStreams(seen: Seen): void {
    const { streams, ledger } = this.following;
    this.rewrites.prune(this.following.context.clock.now());
    const origins = new Set([...ledger.rows.values()].map((row) => row.origin));
    for (const path of streams.keys()) if (!seen.byPath.has(path) && !origins.has(path)) streams.delete(path);
  }

  private replace(file: FollowedFile, now: number): void {
    if (!this.rewrites.isHabit(file, now)) followReplaced(this.following, file);
  }

  private allFound(): void {
    for (const stream of this.following.streams.values()) stream.settle();
    for (const { row } of this.following.files.values()) row.isNew = false;
  }

  private lookAgain(): void {
    this.nextSurveyAt = Number.NEGATIVE_INFINITY;
    for (const stream of this.following.streams.values()) stream.lookAgain();
  }

  /** False when a file was renamed or truncated while others were found beside it. */
  private settle(before: ReadonlySet<FollowedFile>): boolean {
    const { files, streams } = this.following;
    const origins = new Set([...files.values()].filter((file) => !before.has(file)).map(({ row }) => row.origin));
    return ![...origins].some((origin) => streams.get(origin)?.hasMoved() === true);
  }

  /** Rotated files first, oldest first, then the live ones. */
  private reorder(): void {
    const all = [...this.following.files.values()];
    const rotated = all.filter((file) => file.status !== "live");
    rotated.sort((a, b) => a.row.mtimeMs - b.row.mtimeMs);
    this.order = [...rotated, ...all.filter((file) => file.status === "live")];
    this.nextFile = 0;
  }

  /** True when there is more to read at once. */
  private readDue(now: number): boolean {
    const more = this.readSome(now);
    return this.followBegun() || more;
  }

  private readSome(now: number): boolean {
    const { clock } = this.following.context;
    let more = false;
    for (let count = this.order.length; count > 0; count--) {
      const file = this.order[this.nextFile++ % this.order.length]!;
      if (!file.open || file.nextLookAt > now) continue;
      if (this.read(file, now)) more = true;
      if (this.following.isUnsettled) return true;
      if (clock.now() - now >= turnMs) return true;
    }
    this.nextFile = 0;
    return more;
  }

  private read(file: FollowedFile, now: number): boolean {
    const troubled = file.trouble;
    const result = file.turn(now);
    if (result === "more") this.lastReadAt = now;
    const isSleepy = result === "end" && this.order.length > mostProbedFiles && now - file.grewAt > sleepyMs;
    if (isSleepy && file.status === "live") file.nextLookAt = Number.POSITIVE_INFINITY;
    if (result === "failed" && file.trouble !== troubled) {
      const { parts, context } = this.following;
      context.emit("log_path_unreadable", { input: parts.input, path: file.path, error: file.trouble });
    }
    if (result === "replaced") this.hasAnother(file, now);
    if (result === "begun") this.begun.push(file);
    return result === "more" || result === "replaced" || result === "begun";
  }

  /** The file holds another content than before: what it held is looked for. */
  private hasAnother(file: FollowedFile, now: number): void {
    this.lookBeside(() => this.replace(file, now));
  }

  /** Of files that hold their first bytes, nothing is read before what they held meanwhile. True when there were any. */
  private followBegun(): boolean {
    const begun = this.begun.splice(0);
    if (begun.length > 0) this.lookBeside(() => this.followBefore(begun));
    return begun.length > 0;
  }

  private lookBeside(follow: () => void): void {
    const before = new Set(this.following.files.values());
    follow();
    if (!this.settle(before)) this.following.isUnsettled = true;
    this.glance.forget();
    this.reorder();
  }
}
