/** Memory for lines that are written anew: one behind the other, each ended by a newline, so that many make one run. */

const newline = 10;
const chunkBytes = 64 * 1024;
/** Shorter runs are copied byte by byte: a call costs more. */
const shortBytes = 48;
const nothing = Buffer.alloc(0);

export class LineMemory {
  /** Where the line under way is. It stays while somebody has it: the next lines may lie in another. */
  memory: Buffer = nothing;
  start = 0;
  private at = 0;
  /** Of the last line that was kept. */
  private end = 0;

  /** Begins a line of so many bytes at the most. One that was begun and not kept is forgotten. */
  begin(most: number): void {
    if (this.end + most + 1 > this.memory.length) {
      this.memory = Buffer.allocUnsafeSlow(Math.max(chunkBytes, most + 1));
      this.end = 0;
    }
    this.start = this.end;
    this.at = this.end;
  }

  add(bytes: Uint8Array, from: number, to: number): void {
    const { memory, at } = this;
    if (to - from > shortBytes) memory.set(bytes.subarray(from, to), at);
    else for (let i = from; i < to; i++) memory[at + i - from] = bytes[i]!;
    this.at = at + to - from;
  }

  /** Returns how many bytes it took. */
  addText(text: string): number {
    const count = this.memory.write(text, this.at);
    this.at += count;
    return count;
  }

  /** A character beyond ASCII, in UTF-8 (RFC 3629). Returns how many bytes it took. */
  addCharacter(code: number): number {
    const count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const { memory, at } = this;
    let rest = code;
    for (let i = count - 1; i > 0; i--, rest >>= 6) memory[at + i] = 0x80 | (rest & 0x3f);
    memory[at] = ((0xf00 >> count) & 0xff) | rest;
    this.at = at + count;
    return count;
  }

  /** Keeps the line. Returns where it ends, before its newline. */
  keep(): number {
    const { at } = this;
    this.memory[at] = newline;
    this.end = at + 1;
    return at;
  }
}
