/** Bytes that grow, in memory that doubles: what an output puts together for the wire. */
export class GrowingBytes {
  length = 0;
  memory: Buffer;

  /** @param room to begin with, in bytes */
  constructor(room = 256 * 1024) {
    this.memory = Buffer.allocUnsafe(room);
  }

  /** What was added so far; a view that the next addition may leave behind. */
  get bytes(): Buffer {
    return this.memory.subarray(0, this.length);
  }

  /** Adds a text as UTF-8. Returns its length in bytes. */
  text(text: string): number {
    this.room(text.length * 3);
    const written = this.memory.write(text, this.length);
    this.length += written;
    return written;
  }

  add(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.memory.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Makes room for so many bytes more; they may be written into `memory` at `length` then. */
  room(wanted: number): void {
    if (this.length + wanted <= this.memory.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.memory.length * 2, this.length + wanted));
    larger.set(this.bytes);
    this.memory = larger;
  }
}
