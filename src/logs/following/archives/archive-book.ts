/**
 * Archives that were judged: the section of the checkpoint that keeps a rotated file from being read a second time
 * because it was compressed, and a half read archive from being lost. One is kept as long as its file is there.
 */
import type { CheckpointSection } from "../../../contracts.ts";
import { Cursor, type SavedCursor } from "../cursor.ts";
import { keyOf, type Print, type Stamp, samePrint } from "../identity.ts";

/** How far one output has an archive; offsets are those of the unpacked content. */
export interface ArchiveProgress {
  readonly cursor: Cursor;
  /** True when there is nothing more to read of it. */
  isRead: boolean;
}

export interface Archive {
  readonly id: string;
  readonly origin: string;
  path: string;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeMs: number;
  /** Of its first bytes, as they are. */
  readonly start: Print;
  /** By output. */
  readonly outputs: Map<string, ArchiveProgress>;
}

interface SavedArchive {
  id: string;
  origin: string;
  path: string;
  dev: string;
  ino: string;
  size: number;
  mtime: number;
  start: Print;
  outputs: Record<string, SavedCursor & { read?: true }>;
}

export class ArchiveBook implements CheckpointSection {
  readonly archives = new Set<Archive>();
  /** Who reads which archive: two inputs may find the same. */
  private readonly owners = new Map<Archive, object>();

  constructor(saved: unknown) {
    for (const one of Array.isArray(saved) ? (saved as SavedArchive[]) : []) this.archives.add(revive(one));
  }

  /** The same file, or a copy of it. */
  find(stamp: Stamp, start: Print): Archive | undefined {
    const all = [...this.archives].filter(({ size }) => size === stamp.size);
    return all.find((one) => isAt(one, stamp)) ?? all.find((one) => samePrint(one.start, start));
  }

  claim(archive: Archive, owner: object): boolean {
    const holder = this.owners.get(archive) ?? owner;
    this.owners.set(archive, holder);
    return holder === owner;
  }

  release(owner: object): void {
    for (const [archive, holder] of this.owners) if (holder === owner) this.owners.delete(archive);
  }

  forget(archive: Archive): void {
    this.archives.delete(archive);
    this.owners.delete(archive);
  }

  save(): SavedArchive[] {
    return [...this.archives].map(({ dev, ino, mtimeMs, outputs, ...plain }) => ({
      ...plain,
      dev: String(dev),
      ino: String(ino),
      mtime: mtimeMs,
      outputs: Object.fromEntries([...outputs].map(([output, progress]) => [output, savedProgress(progress)])),
    }));
  }
}

/** Read counts as such only once all of it was acknowledged. */
function savedProgress({ cursor, isRead }: ArchiveProgress): SavedArchive["outputs"][string] {
  const isOver = isRead && cursor.acknowledged >= cursor.read;
  return { ...cursor.save(), ...(isOver ? { read: true as const } : {}) };
}

function isAt(archive: Archive, stamp: Stamp): boolean {
  return keyOf(archive) === keyOf(stamp) && archive.size === stamp.size && archive.mtimeMs === stamp.mtimeMs;
}

function revive({ dev, ino, mtime, outputs, ...plain }: SavedArchive): Archive {
  const progress = Object.entries(outputs).map(([output, one]) => {
    return [output, { cursor: Cursor.revive(one), isRead: one.read ?? false }] as const;
  });
  return { ...plain, dev: BigInt(dev), ino: BigInt(ino), mtimeMs: mtime, outputs: new Map(progress) };
}
