/** Tells the other end of a ring that something waits in it: soon, and at once when much has come together. */
const waitMs = 50;
const waitBytes = 64 * 1024;

export class Doorbell {
  private readonly wake: () => void;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private unannouncedBytes = 0;

  constructor(wake: () => void) {
    this.wake = wake;
  }

  /** So much was appended. */
  announce(bytes: number): void {
    this.unannouncedBytes += bytes;
    if (this.unannouncedBytes >= waitBytes) this.ring();
    else if (this.timer === undefined) {
      this.timer = setTimeout(() => this.ring(), waitMs);
      this.timer.unref();
    }
  }

  ring(): void {
    this.stop();
    this.wake();
  }

  /** Forgets what was announced and not rung for. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.unannouncedBytes = 0;
  }
}
