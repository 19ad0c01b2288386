/** Lines on their way to one piece of memory: runs of bytes where they lie, and text that waits to be encoded. */

const newline = Buffer.from("\n");
/** Shorter runs are copied byte by byte: a call costs more. */
const shortBytes = 24;

export class Lines {
  /** Runs of bytes: the memory, and two places in it, for each. */
  private readonly memories: Uint8Array[] = [];
  private readonly places: number[] = [];
  private text = "";

  /** A line as text. */
  addText(line: string): void {
    this.text += `${line}\n`;
  }

  /** A part of a line. What lies behind the part before it in memory makes one run with it. */
  addBytes(memory: Uint8Array, start: number, end: number): void {
    if (this.text !== "") this.endText();
    const { memories, places } = this;
    const last = memories.length - 1;
    if (last >= 0 && memories[last] === memory && places[2 * last + 1] === start) places[2 * last + 1] = end;
    else {
      memories.push(memory);
      places.push(start, end);
    }
  }

  /** Ends the line: with the newline that lies behind it in memory, if there is one. */
  endLine(): void {
    const { memories, places } = this;
    const last = memories.length - 1;
    const end = places[2 * last + 1]!;
    if (memories[last]![end] === newline[0]) places[2 * last + 1] = end + 1;
    else this.addBytes(newline, 0, 1);
  }

  /** All of them. One run is not copied. */
  take(): Uint8Array {
    if (this.text !== "") this.endText();
    const { memories, places } = this;
    if (memories.length === 1) return memories[0]!.subarray(places[0]!, places[1]!);
    let size = 0;
    for (let i = 0; i < places.length; i += 2) size += places[i + 1]! - places[i]!;
    const all = Buffer.allocUnsafe(size);
    let at = 0;
    for (let i = 0; i < memories.length; i++) {
      const start = places[2 * i]!;
      const length = places[2 * i + 1]! - start;
      copy(memories[i]!, start, length, all, at);
      at += length;
    }
    return all;
  }

  private endText(): void {
    const bytes = Buffer.from(this.text);
    this.text = "";
    this.memories.push(bytes);
    this.places.push(0, bytes.length);
  }
}

function copy(from: Uint8Array, start: number, length: number, to: Buffer, at: number): void {
  if (length > shortBytes) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}
