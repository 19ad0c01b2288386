/** A named pipe nobody reads until the test does. */
import { closeSync, constants, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class StalledPipe {
  readonly writeFd: number;
  private readonly readFd: number;

  private constructor(path: string) {
    this.readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writeFd = openSync(path, constants.O_WRONLY);
    rmSync(path);
  }

  static async make(): Promise<StalledPipe> {
    const path = join(tmpdir(), `pipe-${crypto.randomUUID()}`);
    await Bun.$`mkfifo ${path}`;
    return new StalledPipe(path);
  }

  /** Everything the pipe holds now. */
  read(): string {
    const buffer = Buffer.alloc(1 << 16);
    let text = "";
    for (;;) {
      try {
        const taken = readSync(this.readFd, buffer, 0, buffer.length, null);
        if (taken === 0) return text;
        text += buffer.toString("utf8", 0, taken);
      } catch {
        return text; // empty for now
      }
    }
  }

  close(): void {
    closeSync(this.readFd);
    closeSync(this.writeFd);
  }
}
