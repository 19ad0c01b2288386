/**
 * Follows files through rotation, truncation and restarts: what `log-inputs/files` is made of.
 *
 *   survey -> what became of known files -> arrivals -> streams       once a second
 *   due files, rotated ones first, each up to its quota -> lanes      every turn
 *
 * By polling alone: change notification does not work on every volume, and its limits are shared by all pods of a user.
 */
import type { Block, LogInput, LogInputContext, LogSourceState } from "../contracts.ts";
import { type Arrival, distinct, groupFresh, inOrder, locate, missedAt } from "./arrivals.ts";
import { FileBlock, ReadBuffers } from "./file-block.ts";
import { FollowCounters } from "./follow-counters.ts";
import type { FollowedFile } from "./followed-file.ts";
import { Exclusion, Glob } from "./glob.ts";
import { Births, keyOf } from "./identity.ts";
import { Ledger, type Row } from "./ledger.ts";
import { type Following, followArrival, followReplaced } from "./opening.ts";
import { Retirement } from "./retirement.ts";
import { Stream } from "./stream.ts";
import { type Seen, Survey } from "./survey.ts";
import { Suspects } from "./suspects.ts";

export interface FollowOptions {
  /** Absolute patterns. */
  readonly paths: readonly string[];
  /** Absolute patterns, or patterns for names. */
  readonly exclude: readonly string[];
  /** Where to begin in files that are there the very first time. */
  readonly from: "beginning" | "end";
}

const surveyIntervalMs = 1_000;
/** A file that was followed before a restart has vanished when so many looks did not find it. */
const looksUntilVanished = 3;
/** Longest turn of the thread, before others get theirs. */
const turnMs = 10;
/** Read buffers are let go after this time without a line. */
const idleMs = 2_000;

export class Follower implements LogInput {
  private readonly options: FollowOptions;
  private readonly globs: readonly Glob[];
  private readonly exclusion: Exclusion;
  private readonly following: Following;
  private readonly retirement: Retirement;
  private readonly suspects: Suspects;
  private order: FollowedFile[] = [];
  private nextFile = 0;
  private nextSurveyAt = Number.NEGATIVE_INFINITY;
  private isFirst = true;
  /** Rows whose files were not found yet after a restart, and how often they were looked for. */
  private sought = new Map<Row, number>();
  private lastReadAt: number;

  constructor(options: FollowOptions, context: LogInputContext) {
    this.options = options;
    this.globs = options.paths.map((path) => new Glob(path));
    this.exclusion = new Exclusion(options.exclude);
    const ledger = context.checkpoint.section("files", (saved) => new Ledger(context.clock, saved));
    this.following = followingOf(context, ledger, this.globs, this.exclusion);
    this.retirement = new Retirement(this.following);
    this.suspects = new Suspects(this.following.births);
    this.lastReadAt = context.clock.now();
  }

  turn(): number {
    const { clock } = this.following.context;
    const now = clock.now();
    if (now >= this.nextSurveyAt) this.survey(now);
    if (this.readDue(now)) return 0;
    if (now - this.lastReadAt > idleMs) this.following.parts.buffers.trim();
    let dueAt = this.nextSurveyAt;
    for (const file of this.order) if (file.open && !file.blocked) dueAt = Math.min(dueAt, file.nextLookAt);
    return Math.max(1, dueAt - now);
  }

  look(): void {
    this.nextSurveyAt = Number.NEGATIVE_INFINITY;
    for (const file of this.following.files.values()) file.hurry();
  }

  acknowledged(block: Block, output: string): void {
    if (!(block instanceof FileBlock)) return;
    block.source.row.cursors.get(output)?.acknowledge(block.end, block.tail);
    block.release();
    this.following.context.checkpoint.touch(block.end - block.start);
  }

  unread(): number {
    let bytes = 0;
    for (const file of this.following.files.values()) {
      file.stat();
      bytes += file.unread;
    }
    return bytes;
  }

  finish(): void {
    for (const file of this.following.files.values()) file.offerLastLine(file.status !== "live");
    this.following.context.checkpoint.touch(0);
  }

  state(): LogSourceState[] {
    const parked = [...this.retirement.parked.values()].map(({ file }) => ({ ...file.describe(), state: "idle" }));
    return [...[...this.following.files.values()].map((file) => file.describe()), ...parked];
  }

  close(): void {
    const { files, ledger, parts } = this.following;
    for (const file of files.values()) {
      file.close();
      ledger.release(file.row, files);
    }
    files.clear();
    parts.buffers.trim();
  }

  private survey(now: number): void {
    this.nextSurveyAt = now + surveyIntervalMs;
    const seen = this.following.survey.take();
    const before = new Set(this.following.files.values());
    if (this.isFirst) this.rememberStreams();
    for (const file of before) this.update(file, seen);
    const isComplete = this.follow(this.arrivals(seen), before);
    if (!isComplete) this.lookAgain();
    this.suspects.keepOnly(new Set(seen.byPath.keys()));
    this.retirement.keepParked((key) => seen.byKey.has(key));
    this.retirement.review(now, (file) => seen.byKey.has(file.key));
    this.isFirst &&= !isComplete;
    this.reorder();
  }

  /** What became of a file we hold open. */
  private update(file: FollowedFile, seen: Seen): void {
    const found = seen.byKey.get(file.key);
    const was = file.status;
    if (found === undefined) {
      const { links } = file.stat();
      file.status = links === 0 ? "deleted" : "rotated";
      if (file.status === "rotated" && was === "live") file.row.path = this.newPath(file);
    } else {
      const { origin, path } = file.row;
      const now = [origin, path].find((known) => found.paths.includes(known)) ?? found.paths[0]!;
      file.status = now === origin ? "live" : "rotated";
      file.seen(now, found.stamp);
    }
    if (was === "live" && file.status !== "live") this.noteRotation(file);
  }

  private noteRotation(file: FollowedFile): void {
    const { parts, context } = this.following;
    const kind = file.status === "deleted" ? "deleted" : "renamed";
    parts.counters.rotated(kind);
    context.emit("log_file_rotated", { input: parts.input, path: file.row.origin, kind, now: file.path });
    context.checkpoint.hasten();
    file.hurry();
  }

  private newPath(file: FollowedFile): string {
    return locate(file.row, this.following.births)?.path ?? file.path;
  }

  private arrivals(seen: Seen): Arrival[] {
    const { files, streams, context } = this.following;
    const fresh = [...seen.byKey.values()].filter(
      ({ key, stamp }) => !files.has(key) && !this.retirement.isParked(key, stamp),
    );
    const left = [...streams.values()].filter((stream) => stream.isLeft(seen.byPath.get(stream.path)));
    const missed = left
      .filter((stream) => stream.folderChanged(context.clock.wall()))
      .flatMap((stream) => missedAt(stream.path, this.following));
    for (const _ of missed) this.following.parts.counters.rotated("missed");
    return inOrder(distinct([...groupFresh(fresh, this.following), ...this.remembered(seen), ...missed]));
  }

  /**
   * Known contents first: only then can be told which of the unknown files are copies of them. False when files were
   * renamed meanwhile: nothing further is taken from this look then.
   */
  private follow(arrivals: readonly Arrival[], before: Set<FollowedFile>): boolean {
    const { ledger, files } = this.following;
    const isVeryFirst = this.isFirst && this.options.from === "end" && !this.rows().some(() => true);
    const [known, unknown] = [arrivals.filter(isKnown), arrivals.filter((arrival) => !isKnown(arrival))];
    function isKnown({ stamp }: Arrival): boolean {
      return ledger.find(stamp) !== undefined;
    }
    for (const { stamp } of arrivals) this.retirement.unpark(keyOf(stamp));
    if (arrivals.length)
      this.following.context.emit("log_file_truncated", {
        DBG: arrivals.map(
          (a) =>
            `${a.path.slice(-6)} ${a.stamp.ino} ${a.stamp.mtimeMs} ${isKnown(a) ? "K" : "U"}${ledger.find(a.stamp)?.endedAt !== undefined ? "E" : ""}`,
        ),
      });
    for (const arrival of known) {
      if (!followArrival(this.following, arrival)) return false;
    }
    const originals = new Set([...before, ...files.values()]);
    for (const arrival of unknown) {
      if (this.isHeld(arrival, originals)) continue;
      if (!followArrival(this.following, arrival, isVeryFirst)) return false;
    }
    return true;
  }

  private lookAgain(): void {
    this.nextSurveyAt = Number.NEGATIVE_INFINITY;
    for (const stream of this.following.streams.values()) stream.lookAgain();
  }

  private isHeld(arrival: Arrival, originals: Set<FollowedFile>): boolean {
    const original = this.suspects.originalOf(arrival, originals);
    if (original === undefined) return false;
    if (!original.isReplaced()) return this.suspects.holds(arrival, original);
    originals.delete(original);
    followReplaced(this.following, original);
    return false;
  }

  /** Rows of this input's patterns that were not read to their end. */
  private rows() {
    const isOurs = (path: string) => this.globs.some((glob) => glob.matches(path)) && !this.exclusion.takes(path);
    return [...this.following.ledger.rows.values()].filter((row) => isOurs(row.origin));
  }

  private rememberStreams(): void {
    const rows = this.rows().sort((a, b) => a.mtimeMs - b.mtimeMs);
    const { streams } = this.following;
    for (const row of rows)
      if (streams.get(row.origin)?.file === undefined) streams.set(row.origin, new Stream(row.origin, row));
    this.sought = new Map(rows.filter((row) => row.endedAt === undefined).map((row) => [row, 0]));
  }

  /** Files with unread lines that no pattern matches any more: they were rotated while we were away. */
  private remembered(seen: Seen): Arrival[] {
    const arrivals: Arrival[] = [];
    for (const [row, looks] of this.sought) {
      const isFound = seen.byKey.has(keyOf(row)) || this.following.files.has(keyOf(row)) || row.endedAt !== undefined;
      const spot = isFound ? undefined : locate(row, this.following.births);
      if (spot !== undefined) arrivals.push({ ...spot, origin: row.origin });
      else if (isFound) this.sought.delete(row);
      else this.notFound(row, looks + 1);
    }
    return arrivals;
  }

  private notFound(row: Row, looks: number): void {
    this.sought.set(row, looks);
    if (looks < looksUntilVanished) return;
    this.sought.delete(row);
    const { ledger, parts, context } = this.following;
    const bytes = Math.max(0, row.size - Math.min(...[...row.cursors.values()].map((cursor) => cursor.acknowledged)));
    parts.counters.lost("vanished", bytes);
    if (bytes > 0) context.emit("log_bytes_lost", { input: parts.input, path: row.path, bytes, reason: "vanished" });
    ledger.end(row);
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
    const { clock } = this.following.context;
    let more = false;
    for (let count = this.order.length; count > 0; count--) {
      const file = this.order[this.nextFile++ % this.order.length]!;
      if (!file.open || file.nextLookAt > now) continue;
      if (this.read(file, now)) more = true;
      if (clock.now() - now >= turnMs) return true;
    }
    this.nextFile = 0;
    return more;
  }

  private read(file: FollowedFile, now: number): boolean {
    const troubled = file.trouble;
    const result = file.turn(now);
    if (result === "more") this.lastReadAt = now;
    if (result === "failed" && file.trouble !== troubled) {
      const { parts, context } = this.following;
      context.emit("log_path_unreadable", { input: parts.input, path: file.path, error: file.trouble });
    }
    if (result === "replaced") {
      followReplaced(this.following, file);
      this.reorder();
    }
    return result === "more" || result === "replaced";
  }
}

function followingOf(
  context: LogInputContext,
  ledger: Ledger,
  globs: readonly Glob[],
  exclusion: Exclusion,
): Following {
  const births = new Births();
  const parts = {
    input: context.name,
    buffers: new ReadBuffers(),
    counters: new FollowCounters(context.metrics, context.name),
  };
  const survey = new Survey({ input: context.name, globs, exclusion, births, emit: context.emit });
  return { context, ledger, births, survey, parts, files: new Map(), streams: new Map() };
}
