/** When a file is looked at again: at once while it grows, less and less often while it is quiet. Times are monotonic. */
const shortestWaitMs = 25;
const longestWaitMs = 250;

export class Pace {
  nextLookAt = 0;
  /** When the file grew last. */
  grewAt: number;
  private waitMs = shortestWaitMs;

  constructor(now: number) {
    this.grewAt = now;
  }

  /** Looks at once, whatever the last looks came to. */
  hurry(): void {
    this.nextLookAt = 0;
    this.waitMs = shortestWaitMs;
  }

  /** Nothing new: looks later. `isQuiet`: and later still the next time. */
  wait(now: number, isQuiet: boolean): void {
    this.nextLookAt = now + this.waitMs;
    if (isQuiet) this.waitMs = Math.min(this.waitMs * 2, longestWaitMs);
  }
}
