/** The state folder, taken when the first entry needs it: a sidecar that follows no files needs none. */
import type { Thread } from "../../contracts.ts";
import { CheckpointFile, prepareFolder } from "./checkpoint.ts";
import { type Lock, lockFolder } from "./lock.ts";

export class Keeping {
  private readonly stateFolder: string;
  private readonly thread: Thread;
  private lock: Lock | undefined;
  private file: CheckpointFile | undefined;

  constructor(stateFolder: string, thread: Thread) {
    this.stateFolder = stateFolder;
    this.thread = thread;
  }

  /** @throws UserError when the folder cannot be used or is in use */
  checkpoint(): CheckpointFile {
    if (this.file !== undefined) return this.file;
    const folder = prepareFolder(this.stateFolder);
    this.lock = lockFolder(folder);
    try {
      this.file = CheckpointFile.open(folder, this.thread);
      return this.file;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  write(): void {
    this.file?.write();
  }

  writeIfDue(): void {
    this.file?.writeIfDue();
  }

  /** Milliseconds until a write may be due. */
  waitMs(): number {
    return this.file?.waitMs() ?? Number.POSITIVE_INFINITY;
  }

  release(): void {
    this.lock?.release();
    this.lock = undefined;
  }
}
