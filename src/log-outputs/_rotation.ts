/**
 * Rotation as logrotate does it: `app.log` becomes `app.log.1`, that becomes `app.log.2`, and so on up to the number to
 * keep. Killed at any moment, no file is lost and none is half: names change by rename, from the oldest on, and a
 * compressed file takes its name only once it is whole.
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import type { Clock } from "../contracts.ts";
import type { AppendedFile } from "./_appended-file.ts";

export interface RotationOptions {
  /** Undefined: not by size. */
  readonly size: number | undefined;
  /** Milliseconds; undefined: not by age. */
  readonly age: number | undefined;
  /** Rotated files kept, at least one. */
  readonly keep: number;
  readonly gzip: boolean;
}

/** Compressed at once, each as a gzip member of its own: a file of several is one to every reader (RFC 1952 section 2.2). */
const memberBytes = 1024 * 1024;

/** Whether a file has to make room. @param incoming bytes that are about to be appended */
export function isDue(file: AppendedFile, incoming: number, { size, age }: RotationOptions, clock: Clock): boolean {
  const has = file.size;
  if (has === 0) return false;
  if (size !== undefined && has + incoming > size) return true;
  return age !== undefined && file.bornAt > 0 && clock.wall() - file.bornAt >= age;
}

/** Renames the file and those rotated before it, and removes what is beyond the number to keep. */
export function rotate(path: string, keep: number): void {
  let free = 1;
  while (namesOf(path, free).some(existsSync)) free++;
  for (let number = free - 1; number >= keep; number--) remove(path, number);
  for (let number = Math.min(free, keep) - 1; number >= 1; number--) shift(path, number);
  renameSync(path, `${path}.1`);
}

function namesOf(path: string, number: number): [plain: string, packed: string] {
  return [`${path}.${number}`, `${path}.${number}.gz`];
}

function remove(path: string, number: number): void {
  for (const name of namesOf(path, number)) rmSync(name, { force: true });
}

function shift(path: string, number: number): void {
  const after = namesOf(path, number + 1);
  for (const [place, name] of namesOf(path, number).entries()) {
    if (existsSync(name)) renameSync(name, after[place]!);
  }
}

/** Compresses all rotated files of `path` that are not yet, newest first. */
export async function packAll(path: string, keep: number): Promise<void> {
  for (let number = 1; number <= keep; number++) {
    const [plain, packed] = namesOf(path, number);
    if (existsSync(plain)) await pack(plain, packed);
  }
}

/** The compressed file may be read by the same users as the other. */
async function pack(plain: string, packed: string): Promise<void> {
  const part = `${packed}.part`;
  const from = openSync(plain, "r");
  try {
    const to = openSync(part, "w", 0o600);
    try {
      fchmodSync(to, fstatSync(from).mode & 0o777);
      await copyPacked(from, to);
      fsyncSync(to);
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
  renameSync(part, packed);
  rmSync(plain);
}

async function copyPacked(from: number, to: number): Promise<void> {
  const { gzip } = await import("node:zlib");
  const compress = promisify<Uint8Array, { level: number }, Uint8Array>(gzip);
  const piece = Buffer.allocUnsafe(memberBytes);
  for (;;) {
    const read = readSync(from, piece, 0, piece.length, null);
    if (read === 0) return;
    const member = await compress(piece.subarray(0, read), { level: 1 });
    for (let at = 0; at < member.length; ) at += writeSync(to, member, at);
  }
}
