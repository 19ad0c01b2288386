/**
 * The Huffman code of RFC 7541 appendix B.
 *
 * The code is canonical: codes of one length are consecutive numbers in the order of their symbols, so the lengths say
 * all. Decoding goes four bits at a time through a table of states (the inner nodes of the code's tree).
 */

/** Bits of each symbol's code: 256 octets, and the end-of-string symbol. */
const lengths = Uint8Array.from(
  (
    "13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28 " +
    "6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 " +
    "13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6 " +
    "15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 " +
    "20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 " +
    "22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23 " +
    "26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27 " +
    "20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 " +
    "30"
  ).split(" "),
  Number,
);

const endOfString = 256;
const codes = canonicalCodes();

/** Bits 0–7: the next state. */
const STATE = 0xff;
/** Bits 8–15: the octet that is complete, if `EMITS` is set. */
const SYMBOL = 8;
const EMITS = 1 << 16;
/** No string has these bits. */
const FAILS = 1 << 17;

const transitions = new Uint32Array(256 * 16);
/** States in which a string may end: after at most seven bits, all ones (section 5.2). */
const ends = new Uint8Array(256);
buildTransitions();

function canonicalCodes(): Uint32Array {
  const order = [...lengths.keys()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const found = new Uint32Array(lengths.length);
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code <<= lengths[symbol]! - length;
    length = lengths[symbol]!;
    found[symbol] = code++;
  }
  return found;
}

/** Two numbers per inner node, by bit: another inner node, or `-1 - symbol`. */
function buildTree(): Int16Array {
  const tree = new Int16Array(256 * 2);
  let nodes = 1;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    let node = 0;
    for (let bit = lengths[symbol]! - 1; bit > 0; bit--) {
      const at = node * 2 + ((codes[symbol]! >>> bit) & 1);
      if (tree[at] === 0) tree[at] = nodes++;
      node = tree[at]!;
    }
    tree[node * 2 + (codes[symbol]! & 1)] = -1 - symbol;
  }
  return tree;
}

function buildTransitions(): void {
  const tree = buildTree();
  for (let state = 0; state < 256; state++)
    for (let nibble = 0; nibble < 16; nibble++) transitions[state * 16 + nibble] = transition(tree, state, nibble);
  let node = 0;
  for (let ones = 0; ones < 8; ones++) {
    ends[node] = 1;
    node = tree[node * 2 + 1]!;
  }
}

function transition(tree: Int16Array, state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node * 2 + ((nibble >>> bit) & 1)]!;
    if (next >= 0) node = next;
    else if (next === -1 - endOfString) return FAILS;
    else {
      emitted = EMITS | ((-1 - next) << SYMBOL);
      node = 0;
    }
  }
  return emitted | node;
}

/** Decodes into `out`, which has room for twice as many bytes. Returns how many came out, or -1 for bits that are no string. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let state = 0;
  let count = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const first = transitions[(state << 4) | (byte >> 4)]!;
    if ((first & EMITS) !== 0) out[count++] = first >> SYMBOL;
    const second = transitions[((first & STATE) << 4) | (byte & 15)]!;
    if ((second & EMITS) !== 0) out[count++] = second >> SYMBOL;
    if (((first | second) & FAILS) !== 0) return -1;
    state = second & STATE;
  }
  return ends[state] === 1 ? count : -1;
}

/** Bytes that `text`, of characters below 0x100, takes when encoded. */
export function huffmanLength(text: string): number {
  let bits = 7;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i)]!;
  return bits >> 3;
}

/** Encodes `text` to `out` from `at` on, where there is room for it. Returns the index after the last byte. */
export function encodeHuffman(text: string, out: Uint8Array, at: number): number {
  let position = at;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const length = lengths[symbol]!;
    // At most 7 bits are held, and a code has up to 30: the high part goes out first, so that 32 bits suffice.
    if (length > 24) {
      const high = length - 16;
      held = (held << high) | (codes[symbol]! >>> 16);
      bits += high;
      for (; bits >= 8; bits -= 8) out[position++] = held >>> (bits - 8);
      held = ((held & 0xff) << 16) | (codes[symbol]! & 0xffff);
      bits += 16;
    } else {
      held = (held << length) | codes[symbol]!;
      bits += length;
    }
    for (; bits >= 8; bits -= 8) out[position++] = held >>> (bits - 8);
  }
  if (bits > 0) out[position++] = (held << (8 - bits)) | (0xff >> bits);
  return position;
}
