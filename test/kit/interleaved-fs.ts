/**
 * Lets something happen between any two file system calls of the code under test: what a rotation, a writer or a kill
 * does on a busy machine, but at a place the test chooses. Import it before anything that reads files.
 *
 * The calls are those of `node:fs`, replaced for the whole process; they are passed on unchanged while nothing is armed.
 */
import { mock } from "bun:test";
import * as fs from "node:fs";

/** The file system itself: what the test does with it is not counted. */
export const plainFs = { ...fs };

/** Thrown by every call after a kill, so that the code under test changes nothing any more. */
export class Killed extends Error {}

let isKilled = false;
let before: ((call: string) => void) | undefined;

function watched<F extends (...args: never[]) => unknown>(call: F): F {
  const watching = (...args: Parameters<F>) => {
    if (isKilled) throw new Killed("killed");
    const act = before;
    // What happens meanwhile is not interrupted itself.
    before = undefined;
    act?.(call.name);
    before = act;
    if (isKilled) throw new Killed("killed");
    return call(...args);
  };
  return watching as unknown as F;
}

mock.module("node:fs", () => ({
  ...fs,
  closeSync: watched(fs.closeSync),
  existsSync: watched(fs.existsSync),
  fstatSync: watched(fs.fstatSync),
  fsyncSync: watched(fs.fsyncSync),
  openSync: watched(fs.openSync),
  readFileSync: watched(fs.readFileSync),
  readSync: watched(fs.readSync),
  readdirSync: watched(fs.readdirSync),
  renameSync: watched(fs.renameSync),
  rmSync: watched(fs.rmSync),
  statSync: watched(fs.statSync),
  writeFileSync: watched(fs.writeFileSync),
}));

/** Runs `body`, and `between` before each of its file system calls, given its name; what it throws, the call throws. */
export function interleave(body: () => void, between: (call: string) => void): void {
  before = between;
  try {
    body();
  } catch (error) {
    if (!isKilled) throw error;
  } finally {
    before = undefined;
  }
}

/** From now on every call of the code under test fails, as though its process had ended here. */
export function killHere(): void {
  isKilled = true;
}

export function revive(): void {
  isKilled = false;
}
