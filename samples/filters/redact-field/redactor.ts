/** Reads JSON byte by byte and leaves out the values of some members. What is no JSON passes, as far as it can be read. */

const [quote, backslash, colon, comma] = [0x22, 0x5c, 0x3a, 0x2c];
const [openMap, closeMap, openList, closeList] = [0x7b, 0x7d, 0x5b, 0x5d];
/** Longer than any name that is looked for, escapes included. */
const longestName = 2048;
const decoder = new TextDecoder();

export class Redactor {
  private readonly names: ReadonlySet<string>;
  private readonly instead: Uint8Array;
  /** The containers around the place at hand: true for a map. */
  private readonly around: boolean[] = [];
  private inText = false;
  private isEscaped = false;
  /** The text at hand, or the last one, is the name of a member. */
  private isName = false;
  private expectsName = false;
  private name: number[] = [];
  /** The value of the member at hand is left out; `depth` containers of it are open. */
  private leavesOut = false;
  private depth = 0;
  private wasSaid = false;

  constructor(names: ReadonlySet<string>, instead: string) {
    this.names = names;
    this.instead = new TextEncoder().encode(JSON.stringify(instead));
  }

  /** What goes on of a chunk. */
  pass(chunk: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const wasLeavingOut = this.leavesOut;
      const isPart = this.read(chunk[at]!);
      if (!wasLeavingOut) {
        if (this.leavesOut) {
          out.push(chunk.subarray(from, at + 1)); // up to the colon
          from = at + 1;
        }
        continue;
      }
      if (isPart && !this.wasSaid) {
        out.push(chunk.subarray(from, at), this.instead);
        this.wasSaid = true;
      }
      if (isPart) from = at + 1;
    }
    if (from === 0) return chunk;
    out.push(chunk.subarray(from));
    return joined(out);
  }

  /** Takes one byte; true when it belongs to a value that is left out. */
  private read(byte: number): boolean {
    return this.leavesOut ? this.readSecret(byte) : this.readPlain(byte);
  }

  private readPlain(byte: number): boolean {
    if (this.inText) this.readText(byte);
    else if (byte === quote) {
      this.inText = true;
      this.isName = this.expectsName;
      this.expectsName = false;
      this.name = [];
    } else if (byte === openMap || byte === openList) {
      this.around.push(byte === openMap);
      this.expectsName = byte === openMap;
    } else if (byte === closeMap || byte === closeList) {
      this.around.pop();
      this.expectsName = false;
    } else if (byte === comma) this.expectsName = this.around.at(-1) === true;
    else if (byte === colon && this.isName) {
      this.isName = false;
      this.leavesOut = this.names.has(textOf(this.name));
      this.wasSaid = false;
      this.depth = 0;
    }
    return false;
  }

  private readText(byte: number): void {
    if (this.isName && (byte !== quote || this.isEscaped) && this.name.length < longestName) this.name.push(byte);
    this.inText = byte !== quote || this.isEscaped;
    this.isEscaped = byte === backslash && !this.isEscaped;
  }

  private readSecret(byte: number): boolean {
    if (this.inText) {
      this.readText(byte);
      if (!this.inText && this.depth === 0) this.leavesOut = false;
      return true;
    }
    if (byte === quote) this.inText = true;
    else if (byte === openMap || byte === openList) this.depth++;
    else if (byte === closeMap || byte === closeList || byte === comma) return this.readEnd(byte);
    else if (byte <= 0x20) return this.wasSaid;
    return true;
  }

  /** A comma or a closing bracket: of the value that is left out, or of what is around it. */
  private readEnd(byte: number): boolean {
    if (this.depth > 0) {
      if (byte !== comma && --this.depth === 0) this.leavesOut = false;
      return true;
    }
    this.leavesOut = false;
    this.readPlain(byte);
    return false;
  }
}

/** A member's name, its escapes undone. */
function textOf(bytes: readonly number[]): string {
  const raw = decoder.decode(Uint8Array.from(bytes));
  if (!raw.includes("\\")) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
