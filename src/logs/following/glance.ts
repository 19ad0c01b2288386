/**
 * A look that costs a tenth: while no folder has changed, every name leads where it led, and what is left to ask is
 * whether the open files have grown. Of a thousand quiet files that is most of what following them costs.
 *
 *   survey: folders, names, every file by name    when a folder has changed, and every 10 s
 *   glance: folders, every file by descriptor     otherwise
 *
 * A folder's time changes with its names. But two changes may share one time: a survey counts from when the folder had
 * been as it is for longer than a file system's clock ticks.
 */
import { fstatSync, lstatSync, statSync } from "node:fs";
import type { Clock } from "../../contracts.ts";
import type { FollowedFile } from "./followed-file.ts";
import { keyOf, type Stamp, stampOf } from "./identity.ts";
import type { Seen } from "./survey.ts";

/** FAT's clock ticks every two seconds; no other is slower. */
const firmAfterMs = 3_000;
/** Not every volume keeps the time of its folders. */
const longestMs = 10_000;

/** A folder, and since when it has been so: by its own time, and when we found it so (monotonic). */
interface Folder {
  readonly sign: string;
  readonly changedMs: number;
  readonly foundMs: number;
}

interface Watched {
  readonly file: FollowedFile;
  /** As the runtime gives them without big integers; NaN before the first glance. */
  size: number;
  mtimeMs: number;
}

/** A file that has been written to. */
export interface Stirred {
  readonly file: FollowedFile;
  readonly stamp: Stamp;
}

export class Glance {
  private folders = new Map<string, Folder>();
  private watched: Watched[] | undefined;
  private readonly known = new WeakMap<FollowedFile, Watched>();
  private untilMs = Number.NEGATIVE_INFINITY;
  /** Paths that are no links, for as long as their folders are as they were. */
  private plain = new Set<string>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** What has been written to since the last look. Undefined when only a survey can tell. */
  take(now: number): Stirred[] | undefined {
    const { watched } = this;
    if (watched === undefined || now >= this.untilMs || this.look(now)) return this.forget();
    const stirred: Stirred[] = [];
    for (const one of watched) {
      const { file } = one;
      const stamp = file.open ? stirring(one) : undefined;
      if (stamp === "still") continue;
      // Truncated, without a name, or not to be asked: a survey finds out what became of it.
      if (stamp === undefined || stamp.size < file.knownSize || stamp.size === 0 || stamp.links === 0) {
        return this.forget();
      }
      stirred.push({ file, stamp });
    }
    return stirred;
  }

  /** The next look must be a survey. */
  forget(): undefined {
    this.watched = undefined;
  }

  /** A survey begins: whatever changes from now on, the next glance must see. */
  begin(now: number): void {
    this.forget();
    this.look(now);
  }

  /** A survey has found every matched file open and in its place. The next looks may be glances. */
  end(now: number, { folders, byPath }: Seen, files: Iterable<FollowedFile>): void {
    const before = this.folders;
    this.folders = new Map([...folders].map((path) => [path, before.get(path) ?? ask(path, now)]));
    // By both clocks: that of a network volume may be another one than ours.
    const wall = this.clock.wall();
    const isFirm = ({ changedMs, foundMs }: Folder) => now - foundMs >= firmAfterMs && wall - changedMs >= firmAfterMs;
    if (![...this.folders.values()].every(isFirm)) return;
    for (const path of byPath.keys()) {
      if (this.plain.has(path)) continue;
      if (!isPlain(path)) return;
      this.plain.add(path);
    }
    this.watched = Array.from(files, (file) => this.watch(file));
    this.untilMs = now + longestMs;
  }

  /** What the last glance found of it still holds: a survey need not make the next one ask everything twice. */
  private watch(file: FollowedFile): Watched {
    const known = this.known.get(file) ?? { file, size: Number.NaN, mtimeMs: Number.NaN };
    this.known.set(file, known);
    return known;
  }

  /** Asks the folders again. True when one has changed. */
  private look(now: number): boolean {
    let changed = false;
    for (const [path, before] of this.folders) {
      const folder = ask(path, now);
      if (folder.sign === before.sign) continue;
      this.folders.set(path, folder);
      changed = true;
    }
    if (changed) this.plain.clear();
    return changed;
  }
}

/** Undefined where the file cannot be asked. */
function stirring(one: Watched): Stamp | "still" | undefined {
  try {
    return stampIfStirred(one);
  } catch {
    return undefined;
  }
}

function stampIfStirred(one: Watched): Stamp | "still" {
  const { file } = one;
  const { size, mtimeMs, nlink } = fstatSync(file.fd);
  if (size === one.size && mtimeMs === one.mtimeMs && nlink > 0) return "still";
  one.size = size;
  one.mtimeMs = mtimeMs;
  const stamp = stampOf(fstatSync(file.fd, { bigint: true }));
  const isKnown = stamp.size === file.knownSize && stamp.mtimeMs === file.row.mtimeMs && stamp.links > 0;
  return isKnown ? "still" : stamp;
}

function ask(path: string, now: number): Folder {
  try {
    const stats = statSync(path, { bigint: true });
    return { sign: `${keyOf(stats)} ${stats.mtimeNs}`, changedMs: Number(stats.mtimeMs), foundMs: now };
  } catch (error) {
    return { sign: (error as NodeJS.ErrnoException).code ?? "EIO", changedMs: 0, foundMs: now };
  }
}

/** What a link leads to may change without a change of the folder it is in. */
function isPlain(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false;
  }
}
