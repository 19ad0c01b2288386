/**
 * Whether a file is still the one it was. No single sign is enough: inodes are reused at once, and many files begin
 * with the same words. So all of these are asked, each time a position is about to be used:
 *
 *   device and inode   |  birth time, where the file system keeps one
 *   head: hash of the first bytes, up to 1024, growing with the file
 *   tail: the up to 64 bytes before the position
 */
import { type BigIntStats, readSync } from "node:fs";

export const headBytes = 1024;
export const tailBytes = 64;

/** What `stat` says about a file. */
export interface Stamp {
  readonly dev: bigint;
  readonly ino: bigint;
  /** Nanoseconds since the epoch; means something only where `Births` trusts the device. */
  readonly birthNs: bigint;
  readonly size: number;
  readonly mtimeMs: number;
  /** 0 once the last name is gone. */
  readonly links: number;
}

export function stampOf(stats: BigIntStats): Stamp {
  return {
    dev: stats.dev,
    ino: stats.ino,
    birthNs: stats.birthtimeNs,
    size: Number(stats.size),
    mtimeMs: Number(stats.mtimeNs / 1_000n) / 1_000,
    links: Number(stats.nlink),
  };
}

/** Key of a file among all files that exist now. */
export function keyOf({ dev, ino }: Pick<Stamp, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/**
 * Which devices keep birth times. Where one does not, the time of the last change is given instead; so a device is
 * trusted from the first file on whose two times differ.
 */
export class Births {
  private readonly trusted = new Set<bigint>();

  learn(stats: BigIntStats): void {
    if (stats.birthtimeNs !== 0n && stats.birthtimeNs !== stats.ctimeNs) this.trusted.add(stats.dev);
  }

  /** True when both were born at known and different moments. */
  differ(one: Pick<Stamp, "dev" | "birthNs">, other: Pick<Stamp, "dev" | "birthNs">): boolean {
    return this.known(one) && this.known(other) && one.birthNs !== other.birthNs;
  }

  /** True when `one` is known to be born before `other`. */
  before(one: Pick<Stamp, "dev" | "birthNs">, other: Pick<Stamp, "dev" | "birthNs">): boolean {
    return this.known(one) && this.known(other) && one.birthNs < other.birthNs;
  }

  private known({ dev, birthNs }: Pick<Stamp, "dev" | "birthNs">): boolean {
    return birthNs !== 0n && this.trusted.has(dev);
  }
}

/** Some bytes of a file, by length and hash: what a checkpoint keeps of them. */
export interface Print {
  readonly length: number;
  readonly hash: string;
}

/** xxHash64 is a published algorithm: a checkpoint stays readable when the runtime changes. */
export function printOf(bytes: Uint8Array): Print {
  return { length: bytes.length, hash: Bun.hash.xxHash64(bytes).toString(16) };
}

export function samePrint(one: Print, other: Print): boolean {
  return one.length === other.length && (one.length === 0 || one.hash === other.hash);
}

/** Up to `length` bytes from `offset`; fewer at the end of the file. */
export function readAt(fd: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let got = 0;
  while (got < length) {
    const n = readSync(fd, bytes, got, length - got, offset + got);
    if (n === 0) break;
    got += n;
  }
  // What is kept of it must not keep the rest.
  return got === length ? bytes : bytes.slice(0, got);
}

/** The bytes before a position that tell whether it still means the same. */
export function readTail(fd: number, position: number): Uint8Array {
  const length = Math.min(tailBytes, position);
  return readAt(fd, position - length, length);
}

/** True when the file has these bytes at that place. */
export function hasPrint(fd: number, offset: number, print: Print): boolean {
  return print.length === 0 || samePrint(printOf(readAt(fd, offset, print.length)), print);
}

/** True when `bytes` begin with `head`, or the other way round where they are shorter. */
export function sameBeginning(head: Uint8Array, bytes: Uint8Array): boolean {
  const length = Math.min(head.length, bytes.length);
  return Buffer.compare(head.subarray(0, length), bytes.subarray(0, length)) === 0;
}
