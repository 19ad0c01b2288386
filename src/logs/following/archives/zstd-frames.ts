/**
 * Tells whether a zstd stream ends where a frame ends. The runtime's decompressor does not: of a file that was cut it
 * gives what there is and ends in peace. Only sizes are looked at (RFC 8878 section 3.1).
 */
type Part = "magic" | "skippable" | "descriptor" | "block" | "data";

export class ZstdFrames {
  private part: Part = "magic";
  /** Bytes of the current part that were seen, where it is read, and how many are left of it. */
  private readonly seen: number[] = [];
  private left = 4;
  private hasChecksum = false;
  private isLastBlock = false;

  /** True between two frames. */
  get isWhole(): boolean {
    return this.part === "magic" && this.left === 4;
  }

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const step = Math.min(this.left, bytes.length - at);
      if (this.part !== "data") this.seen.push(...bytes.subarray(at, at + step));
      at += step;
      this.left -= step;
      while (this.left === 0) this.next();
    }
  }

  private next(): void {
    const { part, seen } = this;
    const number = seen.reduceRight((sum, byte) => sum * 256 + byte, 0);
    const first = seen[0] ?? 0;
    seen.length = 0;
    if (part === "magic")
      number >= 0x184d2a50 && number <= 0x184d2a5f ? this.goTo("skippable", 4) : this.goTo("descriptor", 1);
    else if (part === "skippable") this.skip(number, true);
    else if (part === "descriptor") this.describe(first);
    else if (part === "block") this.block(number);
    else if (this.isLastBlock) this.goTo("magic", 4);
    else this.goTo("block", 3);
  }

  private goTo(part: Part, bytes: number): void {
    this.part = part;
    this.left = bytes;
  }

  private skip(bytes: number, isLast: boolean): void {
    this.isLastBlock = isLast;
    this.goTo("data", bytes);
  }

  /** Frame_Header_Descriptor: says how long the rest of the header is. */
  private describe(descriptor: number): void {
    const isSingle = (descriptor & 0x20) !== 0;
    this.hasChecksum = (descriptor & 4) !== 0;
    const dictionary = [0, 1, 2, 4][descriptor & 3]!;
    const content = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
    this.skip((isSingle ? 0 : 1) + dictionary + content, false);
  }

  /** Block_Header: last or not, type, size. A block of one repeated byte holds that byte alone. */
  private block(header: number): void {
    const isLast = (header & 1) !== 0;
    const size = ((header >> 1) & 3) === 1 ? 1 : header >> 3;
    this.skip(size + (isLast && this.hasChecksum ? 4 : 0), isLast);
  }
}
