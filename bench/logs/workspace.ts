/** The folder in which a run has its files: in memory where there is room, as a disk would be measured with the rest. */
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Workspace {
  folder: string;
  /** In words, for the page. */
  kind: string;
  remove(): void;
}

const MEMORY = "/dev/shm";

/** @param bytes most that will be in it at once */
export function makeWorkspace(bytes: number): Workspace {
  const isRoomy = roomIn(MEMORY) > 2 * bytes;
  const folder = mkdtempSync(join(isRoomy ? MEMORY : tmpdir(), "bench-logs-"));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.on("exit", remove);
  return { folder, kind: isRoomy ? "in memory (tmpfs)" : "on disk", remove };
}

function roomIn(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0;
  }
}
