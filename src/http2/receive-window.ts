/** How much content the peer may send on a whole connection (RFC 9113 section 6.9). */
export class ReceiveWindow {
  private readonly size: number;
  private available: number;
  private unannounced = 0;

  /** @param size in bytes, as the peer knows it */
  constructor(size: number) {
    this.size = size;
    this.available = size;
  }

  /** Content has come. Returns false when it is more than was allowed. */
  take(count: number): boolean {
    this.available -= count;
    return this.available >= 0;
  }

  /** So much may be sent again. Returns what to tell the peer now: in large steps, or 0. */
  give(count: number): number {
    this.unannounced += count;
    if (this.unannounced < this.size / 4) return 0;
    const increment = this.unannounced;
    this.available += increment;
    this.unannounced = 0;
    return increment;
  }
}
