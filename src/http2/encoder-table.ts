/** The dynamic table of a header encoder, found by the line of text that an entry stands for. */
import { entryOverhead } from "./header-table.ts";
import { sensitiveVersion } from "./sensitive-names.ts";
import { staticFields } from "./static-table.ts";

/** What we keep at most, however much more a peer offers: RFC 7541's default. */
const mostBytes = 4096;

export class EncoderTable {
  /** Number of each line's newest entry, counted from the first insertion on. */
  private numbers = new Map<string, number>();
  private readonly lines: string[] = [];
  private readonly sizes: number[] = [];
  private inserted = 0;
  private maxSize = mostBytes;
  private size = 0;
  private version = sensitiveVersion;
  /** Hashes of lines that were seen and not kept, by their low bits. */
  private readonly once = new Int32Array(64);

  /** The wire's index for the line, or 0. */
  indexOf(line: string): number {
    if (this.version !== sensitiveVersion) this.forget();
    const number = this.numbers.get(line);
    return number === undefined ? 0 : staticFields.length + 1 + this.inserted - number;
  }

  /** True from the second time on: what comes once, such as an id, would only drive out what comes often. */
  isWorthKeeping(line: string): boolean {
    if (line.length > mostBytes / 4) return false;
    const hash = hashOf(line);
    const place = hash & 63;
    if (this.once[place] === hash) return true;
    this.once[place] = hash;
    return false;
  }

  /** @param bytes name and value together. Returns false when it has no room at all. */
  insert(line: string, bytes: number): boolean {
    const size = bytes + entryOverhead;
    if (size > this.maxSize) return false;
    this.evict(this.maxSize - size);
    // A copy: a slice of a head would keep the whole head in memory.
    const copy = Buffer.from(line, "latin1").toString("latin1");
    this.numbers.set(copy, ++this.inserted);
    this.lines.push(copy);
    this.sizes.push(size);
    this.size += size;
    return true;
  }

  /** The peer allows so many bytes. Returns the size in use from now on. */
  resize(allowed: number): number {
    this.maxSize = Math.min(allowed, mostBytes);
    this.evict(this.maxSize);
    return this.maxSize;
  }

  private evict(room: number): void {
    while (this.size > room) {
      const line = this.lines.shift()!;
      this.size -= this.sizes.shift()!;
      if (this.numbers.get(line) === this.inserted - this.lines.length) this.numbers.delete(line);
    }
  }

  /** A name has become sensitive: entries of old stay in the peer's table until they are driven out, but are not used. */
  private forget(): void {
    this.version = sensitiveVersion;
    this.numbers = new Map();
  }
}

function hashOf(line: string): number {
  let hash = line.length;
  for (let i = 0; i < line.length; i++) hash = (Math.imul(hash, 31) + line.charCodeAt(i)) | 0;
  return hash;
}
