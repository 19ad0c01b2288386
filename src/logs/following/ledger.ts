/**
 * Every content we know and how far each output has it: the section of the checkpoint that `log-inputs/files` keeps.
 *
 * A row is one content, not one path: it keeps its id when the file is renamed, and ends when the content is replaced.
 * It outlives the inputs that use it, so a reload goes on where the old input had read to, acknowledged or not.
 */
import type { CheckpointSection, Clock } from "../../contracts.ts";
import { Cursor } from "./cursor.ts";
import { keyOf, type Print, type Stamp } from "./identity.ts";

/** How long, and how many of, the rows of vanished files are kept. */
const tombstoneMs = 24 * 60 * 60 * 1_000;
const mostTombstones = 1_000;

/** How long before the newest content of a stream was written something may have been missed: several looks. */
const anchorAgeMs = 10_000;

export interface Anchor {
  readonly birth: Pick<Stamp, "dev" | "birthNs">;
  readonly writtenMs: number;
}

export interface Row {
  readonly id: string;
  /** The path its stream is known by: where the file was when it was live. */
  readonly origin: string;
  /** Where it was seen last. */
  path: string;
  dev: bigint;
  ino: bigint;
  birthNs: bigint;
  /** Birth of the file it was first seen in: a copy is born later than what it holds. */
  readonly firstBirthNs: bigint;
  /** As it was at the last look. */
  size: number;
  mtimeMs: number;
  /** What we know of its beginning. `headBytes` is missing after a restart, until the file was verified. */
  head: Print;
  headBytes: Uint8Array | undefined;
  /** True when only its name says that it was rotated, and a pattern matches it: it may as well be a log of its own. */
  isGuessed: boolean;
  /** True until a look was brought to its end after it was found: files older than it may yet be missing. */
  isNew: boolean;
  /** Wall time at which nothing of it was left to read, or it could not be found; undefined while it is followed. */
  endedAt: number | undefined;
  readonly cursors: Map<string, Cursor>;
}

/** The file of a row as it was at the last look. */
export function lastStampOf({ dev, ino, birthNs, size, mtimeMs }: Row): Stamp {
  return { dev, ino, birthNs, size, mtimeMs, links: 1 };
}

/** A row as it stands in the checkpoint: numbers beyond 2^53 as text. */
interface SavedRow {
  id: string;
  origin: string;
  path: string;
  dev: string;
  ino: string;
  birth: string;
  firstBirth?: string;
  size: number;
  mtime: number;
  head: Print;
  ended?: number;
  guessed?: true;
  new?: true;
  outputs: Record<string, ReturnType<Cursor["save"]>>;
}

export class Ledger implements CheckpointSection {
  readonly rows = new Map<string, Row>();
  /** Who reads which row for which output: a file that two entries match goes to an output once. */
  private readonly claims = new Map<string, object>();
  private readonly byKey = new Map<string, Row>();
  private readonly clock: Clock;

  constructor(clock: Clock, saved: unknown) {
    this.clock = clock;
    for (const row of Array.isArray(saved) ? (saved as SavedRow[]) : []) this.put(revive(row));
  }

  /** The content that was last seen in the file of this device and inode. */
  find(stamp: Pick<Stamp, "dev" | "ino">): Row | undefined {
    return this.byKey.get(keyOf(stamp));
  }

  /** A renumbered device (a restarted node): the same inode, born at the same moment, on a device we do not know. */
  findMoved(stamp: Stamp): Row | undefined {
    if (stamp.birthNs === 0n) return undefined;
    const isMoved = (row: Row) => row.ino === stamp.ino && row.birthNs === stamp.birthNs && row.dev !== stamp.dev;
    for (const row of this.rows.values()) if (isMoved(row) && row.endedAt === undefined) return row;
    return undefined;
  }

  add(id: string, origin: string, path: string, stamp: Stamp): Row {
    const { dev, ino, birthNs, size, mtimeMs } = stamp;
    const head = { length: 0, hash: "" };
    const known = {
      dev,
      ino,
      birthNs,
      firstBirthNs: birthNs,
      size,
      mtimeMs,
      head,
      headBytes: new Uint8Array(),
      endedAt: undefined,
      isGuessed: false,
      isNew: true,
    };
    const row: Row = { id, origin, path, ...known, cursors: new Map() };
    this.put(row);
    return row;
  }

  /** The content is found in another file now: a copy, or the same file after its device was renumbered. */
  move(row: Row, path: string, stamp: Stamp): void {
    const holder = this.find(stamp);
    if (holder !== undefined && holder !== row) this.supersede(holder);
    if (this.find(row) === row) this.byKey.delete(keyOf(row));
    row.path = path;
    row.dev = stamp.dev;
    row.ino = stamp.ino;
    row.birthNs = stamp.birthNs;
    row.size = stamp.size;
    row.mtimeMs = stamp.mtimeMs;
    this.byKey.set(keyOf(row), row);
  }

  end(row: Row): void {
    row.endedAt = this.clock.wall();
  }

  /** The file of this row holds another content now; the row can still be found by its id. */
  supersede(row: Row): void {
    if (this.find(row) === row) this.byKey.delete(keyOf(row));
    for (const output of row.cursors.keys()) this.claims.delete(`${row.id} ${output}`);
    this.end(row);
  }

  /** Nothing will be asked about this content again. */
  forget(row: Row): void {
    this.supersede(row);
    this.rows.delete(row.id);
  }

  /** True when `owner` is the one to read this row for this output. */
  claim(row: Row, output: string, owner: object): boolean {
    const key = `${row.id} ${output}`;
    const holder = this.claims.get(key) ?? owner;
    this.claims.set(key, holder);
    return holder === owner;
  }

  release(row: Row, owner: object): void {
    for (const output of row.cursors.keys()) {
      const key = `${row.id} ${output}`;
      if (this.claims.get(key) === owner) this.claims.delete(key);
    }
  }

  /**
   * The content after which something may have been missed at this path, and the time of writing of what was missed.
   * Not the very last one: should a look have fallen between two renames, what it missed is older than what it found.
   */
  anchor(origin: string): Anchor | undefined {
    const all = [...this.rows.values()].filter((row) => row.origin === origin).sort((a, b) => a.mtimeMs - b.mtimeMs);
    const settled = all.filter(({ isNew }) => !isNew);
    const rows = settled.length > 0 ? settled : all;
    const writtenMs = (rows.at(-1)?.mtimeMs ?? 0) - anchorAgeMs;
    const row = rows.findLast(({ mtimeMs }) => mtimeMs <= writtenMs) ?? rows[0];
    return row === undefined ? undefined : { birth: { dev: row.dev, birthNs: row.firstBirthNs }, writtenMs };
  }

  save(): SavedRow[] {
    this.prune();
    return [...this.rows.values()].map(savedRow);
  }

  private put(row: Row): void {
    this.rows.set(row.id, row);
    if (row.endedAt === undefined || this.find(row) === undefined) this.byKey.set(keyOf(row), row);
  }

  private prune(): void {
    const ended = [...this.rows.values()].filter((row) => row.endedAt !== undefined);
    ended.sort((a, b) => b.endedAt! - a.endedAt!);
    const oldest = this.clock.wall() - tombstoneMs;
    for (const [place, row] of ended.entries()) {
      if (place < mostTombstones && row.endedAt! > oldest) continue;
      this.rows.delete(row.id);
      if (this.find(row) === row) this.byKey.delete(keyOf(row));
    }
  }
}

function savedRow(row: Row): SavedRow {
  const outputs = Object.fromEntries([...row.cursors].map(([output, cursor]) => [output, cursor.save()]));
  return {
    id: row.id,
    origin: row.origin,
    path: row.path,
    dev: String(row.dev),
    ino: String(row.ino),
    birth: String(row.birthNs),
    ...(row.firstBirthNs === row.birthNs ? {} : { firstBirth: String(row.firstBirthNs) }),
    size: row.size,
    mtime: row.mtimeMs,
    head: row.head,
    ...(row.endedAt === undefined ? {} : { ended: row.endedAt }),
    ...(row.isGuessed ? { guessed: true as const } : {}),
    ...(row.isNew ? { new: true as const } : {}),
    outputs,
  };
}

function revive(saved: SavedRow): Row {
  const cursors = Object.entries(saved.outputs).map(([output, one]) => [output, Cursor.revive(one)] as const);
  return {
    id: saved.id,
    origin: saved.origin,
    path: saved.path,
    dev: BigInt(saved.dev),
    ino: BigInt(saved.ino),
    birthNs: BigInt(saved.birth),
    firstBirthNs: BigInt(saved.firstBirth ?? saved.birth),
    size: saved.size,
    mtimeMs: saved.mtime,
    head: saved.head,
    headBytes: undefined,
    isGuessed: saved.guessed ?? false,
    isNew: saved.new ?? false,
    endedAt: saved.ended,
    cursors: new Map(cursors),
  };
}
