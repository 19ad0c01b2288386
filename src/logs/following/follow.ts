/**
 * Follows files through rotation, truncation and restarts: what `log-inputs/files` is made of.
 *
 *   survey -> what became of known files -> arrivals -> streams       once a second
 *   due files, rotated ones first, each up to its quota -> lanes      every turn
 *
 * By polling alone: change notification does not work on every volume, and its limits are shared by all pods of a user.
 */
import type { Acknowledged, LogInput, LogInputContext, LogMeasure, LogSourceState } from "../../contracts.ts";
import type { Archives } from "./archives/archives.ts";
import { CompressedFiles } from "./archives/compressed-files.ts";
import { readableCompressions } from "./archives/compression.ts";
import { FileMark } from "./file-block.ts";
import { measureFile, stateOf, stateWord } from "./file-state.ts";
import { FollowedFile } from "./followed-file.ts";
import { type Following, followingOf, type ReadOptions } from "./following.ts";
import { Glance } from "./glance.ts";
import { Exclusion, Glob } from "./glob.ts";
import { Look, type LookParts } from "./look.ts";
import { followBefore, isInPlace } from "./newcomers.ts";
import { Recollection } from "./recollection.ts";
import { Retirement } from "./retirement.ts";
import { Rewrites } from "./rewrites.ts";
import type { Seen } from "./survey.ts";

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
  private readonly parts: LookParts;
  private readonly glance: Glance;
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
    const { following } = this;
    this.glance = new Glance(context.clock);
    const readable = options.archives === undefined ? [] : readableCompressions;
    this.parts = {
      following,
      retirement: new Retirement(following, options.hold),
      recollection: new Recollection(following),
      rewrites: new Rewrites(following),
      compressed: new CompressedFiles(context.name, context.emit, readable),
    };
    this.archives = options.archives?.(following);
    following.archives = this.archives;
    this.lastReadAt = context.clock.now();
  }

  turn(): number {
    const { clock } = this.following.context;
    const now = clock.now();
    const isDue = now >= this.nextSurveyAt || this.following.isUnsettled;
    if (isDue && !this.glanceIsEnough(now) && !this.survey(now)) {
      this.readSettled(now);
      return 0;
    }
    const isReading = this.readDue(now);
    const archiveMs = this.archives?.turn(now) ?? Number.POSITIVE_INFINITY;
    if (isReading || archiveMs === 0) return 0;
    // An idle thread collects no garbage by itself; it would keep megabytes of buffers for nothing.
    if (now - this.lastReadAt > idleMs && this.following.parts.buffers.trim()) Bun.gc(true);
    let dueAt = Math.min(this.nextSurveyAt, now + archiveMs);
    for (const file of this.order) if (file.open && !file.blocked) dueAt = Math.min(dueAt, file.pace.nextLookAt);
    return Math.max(1, dueAt - now);
  }

  /** Reads soon: something was just written. */
  hurry(): void {
    for (const file of this.following.files.values()) file.pace.hurry();
  }

  look(): void {
    this.nextSurveyAt = Number.NEGATIVE_INFINITY;
    this.hurry();
  }

  acknowledged(block: Acknowledged, output: string): void {
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
    const idle = [...this.parts.retirement.parked.values()].map(({ file }) => stateOf(file, "idle", now));
    return [...open, ...(this.archives?.state() ?? []), ...idle];
  }

  measure(measure: LogMeasure): void {
    for (const file of this.following.files.values()) measureFile(file, stateWord(file), measure);
    for (const { file } of this.parts.retirement.parked.values()) measureFile(file, "idle", measure);
    // Of what was never opened nobody knows more than that it is there.
    for (let i = this.following.survey.unopenableFiles; i > 0; i--) measure.file("unreadable");
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
    if (this.surveys === 0) this.beginPast();
    const look = new Look(this.parts, now, this.isFirst);
    const { seen } = look;
    const isComplete = look.take(this.begun.splice(0));
    if (isComplete) this.allFound(this.isFirst);
    else this.lookAgain();
    this.tidy(seen, now);
    this.isFirst &&= !isComplete;
    this.reorder();
    const isQuiet = isComplete && this.parts.recollection.isOver() && this.parts.retirement.isQuiet(seen);
    if (isQuiet) this.glance.end(now, seen, this.following.files.values());
    this.unfinishedSurveys = isComplete ? 0 : this.unfinishedSurveys + 1;
    return isComplete || this.unfinishedSurveys % mostUnfinishedSurveys === 0;
  }

  /** Forgets what is gone, and lets go of what nobody needs any more. */
  private tidy(seen: Seen, now: number): void {
    const { following, compressed, retirement } = this.parts;
    following.suspects.keepOnly(seen.byKey);
    compressed.keepOnly(seen.byKey);
    retirement.keepParked((key) => seen.byKey.has(key));
    retirement.review(now, (file) => seen.byKey.has(file.key));
    if (++this.surveys % surveysPerPruning === 0) this.forgetStreams(seen);
  }

  /** Paths that were a name for a day, as with a date in it, must not be remembered for ever. */
  private forgetStreams(seen: Seen): void {
    const { streams, ledger } = this.following;
    this.parts.rewrites.prune(this.following.context.clock.now());
    const origins = new Set([...ledger.rows.values()].map((row) => row.origin));
    for (const path of streams.keys()) if (!seen.byPath.has(path) && !origins.has(path)) streams.delete(path);
  }

  /** Where nothing was ever read. */
  private beginPast(): void {
    const { survey, past } = this.following;
    if (this.options.from === "end" && this.parts.recollection.isEmpty()) past.begin(survey.take(), survey.take());
  }

  private allFound(isFirst: boolean): void {
    const { past, files } = this.following;
    if (isFirst) past.found(files.keys());
    else past.end();
    for (const stream of this.following.streams.values()) stream.settle();
    for (const file of this.following.files.values()) file.settle();
  }

  private lookAgain(): void {
    this.nextSurveyAt = Number.NEGATIVE_INFINITY;
    for (const stream of this.following.streams.values()) stream.lookAgain();
  }

  /** Rotated files first, oldest first, then the live ones. */
  private reorder(): void {
    const all = [...this.following.files.values()];
    const rotated = all.filter((file) => file.status !== "live");
    rotated.sort((a, b) => a.row.mtimeMs - b.row.mtimeMs);
    this.order = [...rotated, ...all.filter((file) => file.status === "live")];
    this.nextFile = 0;
  }

  /** A look could not be brought to its end: what it has yet to find comes after the files that the last one settled. */
  private readSettled(now: number): void {
    if (!this.following.isUnsettled) this.readSome(now, (file) => file.isSettled);
  }

  /** True when there is more to read at once. */
  private readDue(now: number): boolean {
    const more = this.readSome(now);
    return this.followBegun() || more;
  }

  private readSome(now: number, mayRead: (file: FollowedFile) => boolean = () => true): boolean {
    const { clock } = this.following.context;
    let more = false;
    for (let count = this.order.length; count > 0; count--) {
      const file = this.order[this.nextFile++ % this.order.length]!;
      if (!file.open || file.pace.nextLookAt > now || !mayRead(file)) continue;
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
    const isQuiet = result === "end" && file.exhausted && now - file.pace.grewAt > sleepyMs;
    if (isQuiet && this.order.length > mostProbedFiles && file.status === "live")
      file.pace.nextLookAt = Number.POSITIVE_INFINITY;
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
    this.lookBeside(() => this.parts.rewrites.follow(file, now));
  }

  /** Of files that hold their first bytes, nothing is read before what they held meanwhile. True when there were any. */
  private followBegun(): boolean {
    const begun = this.begun.splice(0);
    if (begun.length > 0) this.lookBeside(() => followBefore(this.following, begun));
    return begun.length > 0;
  }

  private lookBeside(follow: () => void): void {
    const before = new Set(this.following.files.values());
    follow();
    if (!isInPlace(this.following, before)) this.following.isUnsettled = true;
    this.glance.forget();
    this.reorder();
  }
}
