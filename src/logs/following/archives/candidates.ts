/** Archives that were found, until it is known what is in them. One that still changes is being made: it must be quiet first. */
import { basename, dirname } from "node:path";
import type { Births, Print, Stamp } from "../identity.ts";
import { keyOf } from "../identity.ts";
import type { Row } from "../ledger.ts";
import { byAge, isExtendedName, listFiles, type Spot } from "../siblings.ts";
import type { Found } from "../survey.ts";
import { lookInto } from "./compressed-files.ts";
import { type Compression, plainName } from "./compression.ts";

const quietMs = 5_000;
/** One that was not found by so many looks is gone. */
const mostLooks = 3;

export interface Candidate extends Spot {
  path: string;
  readonly compression: Compression;
  /** False when it was only found beside a file that is missing. */
  isMatched: boolean;
  /** When it was first found as it is now. */
  readonly since: number;
  /** True when it was there at the very first look of an entry that begins at the end of files. */
  readonly isPassedOver: boolean;
  /** Of its first bytes, once it was opened. */
  start: Print | undefined;
  /** The rows whose content it holds, once that is known. */
  rows: readonly Row[] | undefined;
  /** True when nothing is left to decide about it. */
  isJudged: boolean;
  seenAt: number;
}

export class Candidates {
  private readonly all = new Map<string, Candidate>();
  private looks = 0;

  /** Takes in what the patterns find now. */
  look(found: readonly Found[], now: number, isPassedOver: boolean): void {
    this.looks++;
    for (const { stamp, paths } of found) this.note({ path: paths[0]!, stamp }, now, true, isPassedOver);
    for (const [key, one] of this.all) if (this.looks - one.seenAt > mostLooks) this.all.delete(key);
  }

  /** Takes in archives that are called like the row's file, and returns them. */
  beside(row: Row, births: Births, now: number): Candidate[] {
    const base = basename(row.origin);
    const folders = new Set([dirname(row.path), dirname(row.origin)]);
    const spots = [...folders]
      .flatMap((folder) => listFiles(folder, births))
      .filter(({ path }) => isKin(basename(path), base));
    return spots.flatMap((spot) => this.note(spot, now, false, false) ?? []);
  }

  /** Those nobody looked into yet that are quiet, oldest first. */
  unread(now: number): Candidate[] {
    const quiet = [...this.all.values()].filter(
      ({ rows, isJudged, since }) => rows === undefined && !isJudged && now - since >= quietMs,
    );
    return quiet.sort(byAge);
  }

  /** Those that were looked into, and wait for what becomes of the contents they hold. */
  undecided(): Candidate[] {
    return [...this.all.values()].filter(({ rows, isJudged }) => rows !== undefined && !isJudged).sort(byAge);
  }

  private note({ path, stamp }: Spot, now: number, isMatched: boolean, isPassedOver: boolean): Candidate | undefined {
    const key = keyOf(stamp);
    const known = this.all.get(key);
    if (known !== undefined && isUnchanged(known.stamp, stamp)) {
      known.seenAt = this.looks;
      known.path = path;
      known.isMatched ||= isMatched;
      return known;
    }
    const compression = lookInto(path);
    if (compression === undefined) return undefined;
    const fresh = {
      path,
      stamp,
      compression,
      isMatched,
      since: now,
      start: undefined,
      rows: undefined,
      isJudged: false,
    };
    const candidate = { ...fresh, isPassedOver: known?.isPassedOver ?? isPassedOver, seenAt: this.looks };
    this.all.set(key, candidate);
    return candidate;
  }
}

function isUnchanged(one: Stamp, other: Stamp): boolean {
  return one.size === other.size && one.mtimeMs === other.mtimeMs;
}

/** `app.log.1.gz` and `app-20240131.log.gz` of `app.log`. */
function isKin(name: string, base: string): boolean {
  const plain = plainName(name);
  return plain !== undefined && (plain === base || isExtendedName(plain, base));
}
