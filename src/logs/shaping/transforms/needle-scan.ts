/**
 * Finds out in one pass which of many short words a text may hold, in any case: the automaton of Aho and Corasick
 * (CACM 18, 1975) with all its transitions written out. A few nanoseconds per character, however many words there are;
 * looking for each by itself costs more from the tenth one on.
 */
const classes = 64;
/** States are kept as places in the table, which must fit 16 bits. */
const mostStates = 0x10000 / classes;

/** Characters that are told apart; digits are one class, letters of both cases are, and all others are class 0. */
const alphabet = "abcdefghijklmnopqrstuvwxyz0 -_.@:/=\\";

const classOf = new Uint8Array(256);
for (let at = 0; at < alphabet.length; at++) {
  const code = alphabet.charCodeAt(at);
  classOf[code] = at + 1;
  if (code >= 97 && code <= 122) classOf[code - 32] = at + 1;
}
for (let digit = 48; digit <= 57; digit++) classOf[digit] = classOf[48]!;
const letters = 26;

/** A class of its own for what ends a run of characters in a string of JSON: no word goes on behind it. */
const stopClass = classes - 1;
const quote = 34;
const backslash = 92;
const stringClassOf = classOf.slice();
stringClassOf[quote] = stopClass;
stringClassOf[backslash] = stopClass;

type Needles = readonly (readonly [needle: string, bits: number])[];

export class NeedleScan {
  /** Where the last string ended: the place of its quote. */
  stop = 0;
  /** A row for each state; in it the place of the next state's row. */
  private readonly next: Uint16Array;
  /** By the place of a state's row: the bits of all words that end there. */
  private readonly found: Int32Array;
  /** From this place on, rows are of states in which words end, or which are the last. */
  private readonly firstFound: number;
  /** Of the state behind what is of the class `stopClass`. */
  private readonly last: number;

  /** Words with the bits that stand for them. Written in lower case; `0` stands for any digit. */
  constructor(needles: Needles) {
    const states = 2 + needles.reduce((sum, [needle]) => sum + needle.length, 0);
    if (states > mostStates) throw new RangeError("too many words to look for");
    this.next = new Uint16Array(states * classes);
    this.found = new Int32Array(states * classes);
    this.last = (states - 1) * classes;
    this.grow(needles);
    this.link();
    this.firstFound = this.sort();
    for (let state = 0; state < this.last; state += classes) this.next[state + stopClass] = this.last;
  }

  /** The bits of all words that are in the text. */
  scan(text: string): number {
    const { next, found } = this;
    let state = 0;
    let bits = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      state = next[state + (code < 256 ? classOf[code]! : 0)]!;
      bits |= found[state]!;
    }
    return bits;
  }

  /** The bits of all words that are in a text in UTF-8. */
  scanBytes(bytes: Uint8Array, from: number, to: number): number {
    const { next, found, firstFound } = this;
    let state = 0;
    let bits = 0;
    for (let at = from; at < to; at++) {
      state = next[state + classOf[bytes[at]!]!]!;
      if (state >= firstFound) bits |= found[state]!;
    }
    return bits;
  }

  /** The same for a string of JSON, from behind its first quote up to `stop`. An escape is no part of a word. */
  scanString(bytes: Uint8Array, from: number): number {
    const { next, found, firstFound, last } = this;
    let state = 0;
    let bits = 0;
    for (let at = from; at < bytes.length; at++) {
      state = next[state + stringClassOf[bytes[at]!]!]!;
      if (state < firstFound) continue;
      if (state !== last) bits |= found[state]!;
      else if (bytes[at] === quote) {
        this.stop = at;
        return bits;
      } else {
        at++;
        state = 0;
      }
    }
    throw new RangeError("a string without an end");
  }

  /** The bits of all words that a text ends in, when all that is no letter is left out; -1 when it is not in ASCII. */
  scanEnd(bytes: Uint8Array, from: number, to: number): number {
    const { next } = this;
    let state = 0;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (byte >= 128) return -1;
      const of = classOf[byte]!;
      if (of > 0 && of <= letters) state = next[state + of]!;
    }
    return this.found[state]!;
  }

  /** Makes the tree of words. */
  private grow(needles: Needles): void {
    let end = classes;
    for (const [needle, bits] of needles) {
      let state = 0;
      for (const char of needle) {
        const place = state + classNumber(char);
        if (this.next[place] === 0) {
          this.next[place] = end;
          end += classes;
        }
        state = this.next[place]!;
      }
      this.found[state]! |= bits;
    }
  }

  /** Adds what follows where a word breaks off: on to the longest end of what was read that begins a word. */
  private link(): void {
    const fallback = new Map<number, number>();
    const queue = [...this.next.subarray(0, classes)].filter((state) => state !== 0);
    for (const state of queue) {
      const behind = fallback.get(state) ?? 0;
      this.found[state]! |= this.found[behind]!;
      for (let of = 0; of < classes; of++) {
        const beyond = this.next[behind + of]!;
        const child = this.next[state + of]!;
        if (child === 0) this.next[state + of] = beyond;
        else {
          fallback.set(child, beyond);
          queue.push(child);
        }
      }
    }
  }

  /** Puts the rows of states in which words end behind the others. Returns the place of the first. */
  private sort(): number {
    const { next, found, last } = this;
    const states = Array.from({ length: last / classes }, (_, at) => at * classes);
    const [others, ends] = [states.filter((state) => found[state] === 0), states.filter((state) => found[state] !== 0)];
    const order = [...others, ...ends];
    const placeOf = new Uint16Array(last);
    for (const [at, state] of order.entries()) placeOf[state] = at * classes;
    const [oldNext, oldFound] = [next.slice(), found.slice()];
    for (const [at, state] of order.entries()) {
      found[at * classes] = oldFound[state]!;
      for (let of = 0; of < classes; of++) next[at * classes + of] = placeOf[oldNext[state + of]!]!;
    }
    return others.length * classes;
  }
}

function classNumber(char: string): number {
  const of = classOf[char.charCodeAt(0)] ?? 0;
  if (of === 0) throw new RangeError(`"${char}" cannot be looked for`);
  return of;
}
