/**
 * Records on their way from a thread that serves traffic to the log worker: a ring of bytes in shared memory.
 *
 *   cells  | written | taken |        both only grow, modulo 2^32; the difference is what waits
 *   bytes  | line \n line \n line \n ........ free ........ |
 *
 * One thread appends, one takes; neither ever waits. A record that does not fit is dropped by the one who appends.
 */
const written = 0;
const taken = 1;
const headerBytes = 8;
const newline = 10;

export class RecordRing {
  readonly memory: SharedArrayBuffer;
  private readonly cells: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly encoder = new TextEncoder();

  /** `memory` comes from `RecordRing.allocate`, here or in another thread. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.cells = new Uint32Array(memory, 0, headerBytes / Uint32Array.BYTES_PER_ELEMENT);
    this.bytes = new Uint8Array(memory, headerBytes);
  }

  /** `capacityBytes` must be a power of two. Memory that was never written to costs nothing. */
  static allocate(capacityBytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(headerBytes + capacityBytes);
  }

  /** Bytes that wait to be taken. */
  get waiting(): number {
    return (Atomics.load(this.cells, written) - Atomics.load(this.cells, taken)) >>> 0;
  }

  /** Appends the line and a newline; false when there is no room for it. */
  append(line: string): boolean {
    const length = Buffer.byteLength(line) + 1;
    if (length > this.bytes.length - this.waiting) return false;
    const position = Atomics.load(this.cells, written);
    const start = position & (this.bytes.length - 1);
    if (start + length <= this.bytes.length) this.encoder.encodeInto(line, this.bytes.subarray(start));
    else this.wrap(this.encoder.encode(line), start);
    this.bytes[(start + length - 1) & (this.bytes.length - 1)] = newline;
    Atomics.store(this.cells, written, (position + length) >>> 0);
    return true;
  }

  /** Takes all that waits, as whole lines; undefined when nothing does. */
  take(): Uint8Array | undefined {
    const length = this.waiting;
    if (length === 0) return undefined;
    const position = Atomics.load(this.cells, taken);
    const start = position & (this.bytes.length - 1);
    const lines = new Uint8Array(length);
    const first = this.bytes.subarray(start, start + length);
    lines.set(first);
    lines.set(this.bytes.subarray(0, length - first.length), first.length);
    Atomics.store(this.cells, taken, (position + length) >>> 0);
    return lines;
  }

  /** Takes all that waits for nobody; returns how many lines that were. */
  discard(): number {
    let lines = 0;
    for (const byte of this.take() ?? []) if (byte === newline) lines++;
    return lines;
  }

  private wrap(encoded: Uint8Array, start: number): void {
    const first = encoded.subarray(0, this.bytes.length - start);
    this.bytes.set(first, start);
    this.bytes.set(encoded.subarray(first.length), 0);
  }
}
