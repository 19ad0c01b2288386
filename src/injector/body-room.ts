/** How many bytes of reviews may be in memory at once: who finds no room waits, and with it the client's TCP window. */
export class BodyRoom {
  private readonly mostBytes: number;
  private taken = 0;
  private readonly waiting: { readonly bytes: number; readonly go: () => void }[] = [];

  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /** Calls `go` when there is room, perhaps at once; first come, first served. One alone always finds room. */
  enter(bytes: number, go: () => void): void {
    this.waiting.push({ bytes, go });
    this.admit();
  }

  /** Gives room back that was entered. */
  leave(bytes: number): void {
    this.taken -= bytes;
    this.admit();
  }

  private admit(): void {
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      if (this.taken > 0 && this.taken + first.bytes > this.mostBytes) return;
      this.taken += first.bytes;
      this.waiting.shift();
      first.go();
    }
  }
}
