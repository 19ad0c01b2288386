/**
 * What a program asks the dynamic loader for, read from its ELF file: `ldd` answers for this machine's architecture only,
 * and by running the program's loader.
 *
 * Layout and numbers: System V ABI, chapters "Object Files" and "Program Loading and Dynamic Linking".
 */

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

const architectures: Record<number, Architecture> = { 62: "amd64", 183: "arm64" };

export type Architecture = "amd64" | "arm64";

/** What one file needs. */
export interface Needs {
  architecture: Architecture;
  /** Absolute path of the dynamic loader; undefined in a library. */
  interpreter: string | undefined;
  /** Names of libraries, not paths: `libc.so.6`. */
  libraries: string[];
}

/** A part of the file and where it is in memory. */
interface Segment {
  type: number;
  offset: number;
  address: number;
  size: number;
}

/** Reads an ELF file of 64 bits, little-endian. Throws where it is none, or of an architecture that has no image. */
export function needsOf(bytes: Uint8Array): Needs {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201) {
    throw new Error("not an ELF file of 64 bits, little-endian");
  }
  const architecture = architectures[view.getUint16(18, true)];
  if (architecture === undefined) throw new Error(`built for machine ${view.getUint16(18, true)}, not amd64 or arm64`);
  const segments = segmentsOf(view);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  return {
    architecture,
    interpreter: interpreter && textAt(bytes, interpreter.offset),
    libraries: librariesOf(bytes, view, segments),
  };
}

function long(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function segmentsOf(view: DataView): Segment[] {
  const [start, size, count] = [long(view, 32), view.getUint16(54, true), view.getUint16(56, true)];
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const type = view.getUint32(at, true);
    return { type, offset: long(view, at + 8), address: long(view, at + 16), size: long(view, at + 32) };
  });
}

function librariesOf(bytes: Uint8Array, view: DataView, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const names: number[] = [];
  let strings = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const tag = long(view, at);
    if (tag === DT_NULL) break;
    if (tag === DT_NEEDED) names.push(long(view, at + 8));
    if (tag === DT_STRTAB) strings = offsetOf(long(view, at + 8), segments);
  }
  return names.map((name) => textAt(bytes, strings + name));
}

/** Where in the file an address of memory is. */
function offsetOf(address: number, segments: readonly Segment[]): number {
  const isWithin = (one: Segment) => one.type === PT_LOAD && address >= one.address && address < one.address + one.size;
  const segment = segments.find(isWithin);
  if (segment === undefined) throw new Error("its table of names lies in no segment");
  return address - segment.address + segment.offset;
}

function textAt(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString("latin1");
}
