/** One generation of the checkpoint on disk: writing it whole, and telling whether one that is found is whole. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const version = 1;
const current = "checkpoint.json";
const previous = "checkpoint.prev.json";
const unfinished = "checkpoint.tmp";

/** Content by section, and a number that grows with each write. */
export interface Generation {
  readonly generation: number;
  readonly content: Readonly<Record<string, unknown>>;
}

/** A file that was found: what it holds, or why that cannot be used. */
export interface Loaded {
  readonly path: string;
  readonly generation?: Generation;
  readonly problem?: string;
}

/** Reads all there is. A file that was never finished is no problem: it is what a kill leaves behind. */
export function loadGenerations(folder: string): Loaded[] {
  const pending = load(join(folder, unfinished));
  const before = load(join(folder, current));
  if (pending?.generation === undefined) rmSync(join(folder, unfinished), { force: true });
  else if (isNewer(pending.generation, before?.generation)) promote(folder);
  return [current, previous].map((name) => load(join(folder, name))).filter((one) => one !== undefined);
}

function isNewer(one: Generation, other: Generation | undefined): boolean {
  return other === undefined || one.generation > other.generation;
}

/** The last step of a write, also of one that was interrupted just before it. */
function promote(folder: string): void {
  if (existsSync(join(folder, current))) renameSync(join(folder, current), join(folder, previous));
  renameSync(join(folder, unfinished), join(folder, current));
  syncFolder(folder);
}

export function newest(found: readonly Loaded[]): Generation | undefined {
  const whole = found.map((one) => one.generation).filter((one) => one !== undefined);
  return whole.sort((a, b) => b.generation - a.generation)[0];
}

/** Throws what the file system throws; the generations before stay untouched then. */
export function storeGeneration(folder: string, { generation, content }: Generation): void {
  const body = Buffer.from(`${JSON.stringify(content)}\n`);
  const head = { v: version, generation, bytes: body.length, crc: Bun.hash.crc32(body) };
  writeDurably(join(folder, unfinished), Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]));
  promote(folder);
}

/** Puts a file out of the way and returns its new name; undefined when even that is not possible. */
export function quarantine(path: string, wallMs: number): string | undefined {
  const aside = `${path}.corrupt-${Math.trunc(wallMs)}`;
  try {
    renameSync(path, aside);
    return aside;
  } catch {
    return undefined;
  }
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "w", 0o600);
  try {
    writeFileSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function load(path: string): Loaded | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  const checked = check(bytes);
  return typeof checked === "string" ? { path, problem: checked } : { path, generation: checked };
}

/** The generation in these bytes, or what is wrong with them. */
function check(bytes: Buffer): Generation | string {
  const end = bytes.indexOf(10);
  const head = end < 0 ? undefined : parse(bytes.subarray(0, end));
  if (head === undefined) return bytes.length === 0 ? "it is empty" : "its first line is not readable";
  if (head.v !== version) return `it has version ${String(head.v)}, not ${version}`;
  const body = bytes.subarray(end + 1);
  if (head.bytes !== body.length) return `it should have ${String(head.bytes)} bytes of content and has ${body.length}`;
  if (head.crc !== Bun.hash.crc32(body)) return "its checksum is wrong";
  const content = parse(body);
  if (content === undefined || typeof head.generation !== "number") return "its content is not readable";
  return { generation: head.generation, content };
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
