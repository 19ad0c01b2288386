/** One look at what the patterns of an input match now: every file once, however many names and patterns lead to it. */
import { type BigIntStats, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Emit } from "../../contracts.ts";
import type { Exclusion, Glob } from "./glob.ts";
import { type Births, keyOf, type Stamp, stampOf } from "./identity.ts";

/** A file that is matched, under all the names that are. */
export interface Found {
  readonly key: string;
  readonly stamp: Stamp;
  readonly paths: string[];
}

export interface Seen {
  readonly byKey: ReadonlyMap<string, Found>;
  /** Key of the file that is at a path. */
  readonly byPath: ReadonlyMap<string, string>;
  /** Folders in which names were looked for, those that do not exist included. */
  readonly folders: ReadonlySet<string>;
}

export interface SurveyOptions {
  readonly input: string;
  readonly globs: readonly Glob[];
  readonly exclusion: Exclusion;
  readonly births: Births;
  readonly emit: Emit;
}

export class Survey {
  private readonly options: SurveyOptions;
  /** What is wrong with a path, as it was last reported. */
  private readonly troubles = new Map<string, string>();
  private readonly unopenable = new Map<string, string>();
  private readonly takenPaths = new Set<string>();
  /** Patterns that have matched, or of which it was said that they do not. */
  private readonly noted = new Set<Glob>();

  constructor(options: SurveyOptions) {
    this.options = options;
  }

  take(): Seen {
    const byKey = new Map<string, Found>();
    const byPath = new Map<string, string>();
    const folders = new Set<string>();
    const troubled = new Set<string>();
    const report = (path: string, code: string) => {
      troubled.add(path);
      this.trouble(path, code);
    };
    for (const glob of this.options.globs) {
      let matches = 0;
      const visit = (path: string) => {
        folders.add(dirname(path));
        if (byPath.has(path) || this.look(glob, path, report, byKey, byPath)) matches++;
      };
      glob.walk({ visit, report, list: (folder) => folders.add(folder) });
      this.noteMatches(glob, matches);
    }
    for (const path of this.troubles.keys()) if (!troubled.has(path)) this.troubles.delete(path);
    for (const path of this.unopenable.keys()) if (!byPath.has(path)) this.unopenable.delete(path);
    return { byKey, byPath, folders };
  }

  /** Reports that a file could not be opened, once until `opened` says it could. */
  unopened(path: string, code: string): void {
    if (this.unopenable.get(path) === code) return;
    this.unopenable.set(path, code);
    this.options.emit("log_path_unreadable", { input: this.options.input, path, error: code });
  }

  opened(path: string): void {
    this.unopenable.delete(path);
  }

  /** How many files are there that could not be opened. */
  get unopenableFiles(): number {
    return this.unopenable.size;
  }

  private trouble(path: string, code: string): void {
    if (this.troubles.get(path) === code) return;
    this.troubles.set(path, code);
    const event = code === notAFile ? "log_path_not_a_file" : "log_path_unreadable";
    this.options.emit(event, { input: this.options.input, path, error: code });
  }

  /** Says, once, that another entry reads this file for the same outputs. */
  taken(path: string): void {
    if (this.takenPaths.has(path)) return;
    this.takenPaths.add(path);
    this.options.emit("log_file_taken", { input: this.options.input, path });
  }

  /** True when the path counts as matched. */
  private look(
    glob: Glob,
    path: string,
    report: (path: string, code: string) => void,
    byKey: Map<string, Found>,
    byPath: Map<string, string>,
  ): boolean {
    if (this.options.exclusion.takes(path)) return false;
    const stats = statOf(path, report);
    if (stats === undefined) return false;
    if (!stats.isFile()) {
      if (glob.literal) report(path, notAFile);
      return glob.literal;
    }
    this.options.births.learn(stats);
    const stamp = stampOf(stats);
    const key = keyOf(stamp);
    byPath.set(path, key);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { key, stamp, paths: [path] });
    else known.paths.push(path);
    return true;
  }

  private noteMatches(glob: Glob, matches: number): void {
    if (this.noted.has(glob)) return;
    this.noted.add(glob);
    if (matches > 0) return;
    this.options.emit("log_pattern_matches_nothing", { input: this.options.input, pattern: glob.pattern });
  }
}

const notAFile = "not a file";

function statOf(path: string, report: (path: string, code: string) => void): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (code !== "ENOENT" && code !== "ENOTDIR") report(path, code);
    return undefined;
  }
}
