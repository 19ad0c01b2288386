/**
 * Keeps a share of records. What is kept depends on the record alone, never on chance: the same one is kept by every
 * output, at every retry and after every restart.
 */
import type { LogRecord, RecordTransform } from "../../../contracts.ts";
import type { FieldPath } from "./field-path.ts";

export interface SamplingOptions {
  /** The share that is kept, 0 to 1. */
  readonly rate: number;
  /** Records with the same value share their fate; without it, or where a record has none, each has its own. */
  readonly by: FieldPath | undefined;
  /** True for records that are always kept. */
  readonly isSpared: (record: LogRecord) => boolean;
}

const range = 2 ** 32;

export class Sampling implements RecordTransform {
  private readonly options: SamplingOptions;
  private sourceId = "";
  private sourceHash = 0;

  constructor(options: SamplingOptions) {
    this.options = options;
  }

  apply(record: LogRecord): boolean {
    if (this.hash(record) < this.options.rate * range) return true;
    return this.options.isSpared(record);
  }

  private hash(record: LogRecord): number {
    const { by } = this.options;
    const value = by === undefined || record.fields === undefined ? undefined : by.get(record.fields);
    if (value !== undefined && value !== null) return mixed(hashOf(String(value)));
    const { source, offset } = record;
    if (source.id !== this.sourceId) {
      this.sourceId = source.id;
      this.sourceHash = hashOf(source.id);
    }
    return mixed(this.sourceHash ^ mixed(offset | 0) ^ Math.floor(offset / range));
  }
}

/** FNV-1a over the text's code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

/** Spreads what is near: the last steps of MurmurHash3. Below 2^32. */
function mixed(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
