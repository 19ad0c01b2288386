/**
 * The application under observation, in a process of its own: `bun writer.ts FOLDER SEED LINES_PER_SECOND`.
 *
 * It writes numbered lines to several files and rotates each by a method of its own, at speed: several times between
 * two looks of a collector, in the middle of a line, with late lines to the old file. The journal goes to stdout.
 * Nothing is rotated until there is a file `FOLDER/rotate`; it ends once there is a file `FOLDER/end`.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Seeded, seeded } from "../kit/random.ts";
import type { JournalEntry, Passing } from "./journal.ts";
import { lineOf, overhead } from "./lines.ts";

const [folder = "", seed = "0", linesPerSecond = "200"] = process.argv.slice(2);
/** More generations than a run makes: what is deleted is deleted on purpose, by the stream that tests it. */
const generations = 400;
/** How long content that will be destroyed is left alone before, so that a collector that runs has read it. */
const leaveMs = 4_000;
/** The same for a file that nothing will point to: looks are a second apart, on a busy machine several. */
const linkedMs = 6_000;
/** A file that is larger starts from nothing after a truncation. */
const mostRegrownBytes = 32 * 1024;

function journal(entry: JournalEntry): void {
  process.stdout.write(`${JSON.stringify(entry)}\n`);
}

/** One log, and how it is rotated. */
abstract class Stream {
  readonly name: string;
  protected readonly path: string;
  protected readonly random: Seeded;
  protected fd: number;
  protected next = 0;
  private rotations = 0;
  private nextRotationAt = 0;

  constructor(name: string, place: string, random: Seeded) {
    this.name = name;
    this.random = random;
    this.path = join(folder, place);
    mkdirSync(join(this.path, ".."), { recursive: true });
    this.fd = this.open();
  }

  /** Milliseconds from one rotation to the next. */
  protected abstract readonly pauseMs: readonly [least: number, most: number];
  protected abstract rotate(): void;

  protected open(): number {
    return openSync(this.path, "a");
  }

  turn(lines: number, now: number): void {
    this.write(lines);
    if (now < this.nextRotationAt || !mayRotate()) return;
    if (this.nextRotationAt > 0) {
      this.rotate();
      this.rotations++;
    }
    const [least, most] = this.pauseMs;
    this.nextRotationAt = now + least + this.random.next() * (most - least);
  }

  end(): void {
    this.write(1);
    closeSync(this.fd);
    journal({ kind: "written", stream: this.name, lines: this.next, rotations: this.rotations });
  }

  /** Whole lines, now and then in two writes. */
  protected write(lines: number): void {
    let text = "";
    for (let i = 0; i < lines; i++) text += this.line();
    if (text === "") return;
    const cut = this.random.chance(0.3) ? this.random.whole(text.length) : text.length;
    this.put(text.slice(0, cut));
    this.put(text.slice(cut));
  }

  protected line(): string {
    const longest = this.random.chance(0.0005) ? 400_000 : this.random.chance(0.01) ? 20_000 : 200;
    return `${lineOf(this.name, this.next++, this.random.whole(longest))}\n`;
  }

  protected put(text: string): void {
    if (text !== "") writeSync(this.fd, text);
  }

  protected shift(): void {
    for (let n = generations; n >= 1; n--) {
      if (existsSync(`${this.path}.${n}`)) renameSync(`${this.path}.${n}`, `${this.path}.${n + 1}`);
    }
  }
}

/** Renamed, created anew; sometimes three times in a row, in the middle of a line, or with late lines to the old file. */
class Renamed extends Stream {
  protected readonly pauseMs: readonly [number, number] = [100, 700];

  protected rotate(): void {
    for (let times = this.random.pick([1, 1, 1, 3]); times > 0; times--) {
      this.once();
      if (times > 1) this.write(this.random.whole(5));
    }
  }

  private once(): void {
    const [head, tail] = this.halves();
    this.put(head);
    this.shift();
    renameSync(this.path, `${this.path}.1`);
    this.put(tail);
    if (this.random.chance(0.3)) this.write(1 + this.random.whole(3));
    closeSync(this.fd);
    this.fd = this.open();
  }

  private halves(): [string, string] {
    if (this.random.chance(0.7)) return ["", ""];
    const line = this.line();
    const cut = this.random.whole(line.length);
    return [line.slice(0, cut), line.slice(cut)];
  }
}

/** Renamed, then compressed as `gzip` does it, beside the file before that goes: at once, or some rotations later. */
class Compressed extends Renamed {
  protected override readonly pauseMs = [300, 1_500] as const;

  protected override rotate(): void {
    super.rotate();
    this.compress(`${this.path}.${this.random.pick([1, 1, 2, 3])}`);
  }

  protected override shift(): void {
    for (let n = generations; n >= 1; n--) {
      for (const suffix of ["", ".gz"]) {
        if (existsSync(`${this.path}.${n}${suffix}`))
          renameSync(`${this.path}.${n}${suffix}`, `${this.path}.${n + 1}${suffix}`);
      }
    }
  }

  private compress(path: string): void {
    if (!existsSync(path)) return;
    const { atime, mtime } = statSync(path);
    const packed = gzipSync(readFileSync(path));
    const fd = openSync(`${path}.gz`, "wx");
    const half = this.random.whole(packed.length);
    writeSync(fd, packed.subarray(0, half));
    writeSync(fd, packed.subarray(half));
    closeSync(fd);
    utimesSync(`${path}.gz`, atime, mtime);
    unlinkSync(path);
  }
}

/** `cp`, then truncated in place. Nothing is written between the two: what is would be in no file at all. */
class Copied extends Stream {
  protected readonly pauseMs = [100, 900] as const;

  protected rotate(): void {
    for (let times = this.random.pick([1, 1, 1, 2]); times > 0; times--) {
      this.shift();
      copyFileSync(this.path, `${this.path}.1`);
      ftruncateSync(this.fd);
      if (times > 1) this.write(1 + this.random.whole(3));
    }
  }
}

/** Now the one, now the other. */
class Mixed extends Copied {
  protected override rotate(): void {
    if (this.random.chance(0.5)) {
      super.rotate();
      return;
    }
    this.shift();
    renameSync(this.path, `${this.path}.1`);
    closeSync(this.fd);
    this.fd = this.open();
  }
}

/** A stream whose old content ceases to be, or to be pointed to. Says from when to when it was there. */
abstract class Passed extends Stream {
  protected readonly pauseMs = [500, 3_000] as const;
  protected readonly leaveMs: number = leaveMs;
  private first = 0;
  private from = Date.now();
  private quietFrom = 0;
  private quietUntil = 0;

  override turn(lines: number, now: number): void {
    if (this.quietUntil === 0) super.turn(lines, now);
    else if (now >= this.quietUntil) {
      this.quietUntil = 0;
      this.pass();
    }
  }

  protected abstract pass(): void;

  protected rotate(): void {
    this.quietFrom = Date.now();
    this.quietUntil = this.quietFrom + this.leaveMs;
  }

  protected passed(left: Passing["left"]): void {
    const { name: stream, first, next, from, quietFrom } = this;
    journal({ kind: "passing", stream, first, next, from, to: Date.now(), quietFrom, left });
    this.first = next;
    this.from = Date.now();
  }
}

/** Deleted and created: the new file mostly gets the inode of the old one. */
class Deleted extends Passed {
  protected pass(): void {
    closeSync(this.fd);
    unlinkSync(this.path);
    this.fd = this.open();
    this.passed("descriptor");
  }
}

/** Truncated without a copy and written again, beyond the old size or exactly to it, before anybody looks. */
class Truncated extends Passed {
  protected pass(): void {
    const size = fstatSync(this.fd).size;
    ftruncateSync(this.fd);
    this.passed("nothing");
    if (size > mostRegrownBytes) return;
    if (this.random.chance(0.5)) this.writeExactly(size);
    else while (fstatSync(this.fd).size <= size) this.write(5);
  }

  private writeExactly(size: number): void {
    while (size - fstatSync(this.fd).size > 2_000) this.put(`${lineOf(this.name, this.next++, 150)}\n`);
    const left = size - fstatSync(this.fd).size - overhead(this.name, this.next);
    if (left >= 0) this.put(`${lineOf(this.name, this.next++, left)}\n`);
  }
}

/** A link that is turned to a new file each day; days are short here. */
class Linked extends Passed {
  protected override readonly leaveMs = linkedMs;
  private day = 0;

  protected override open(): number {
    // Called by the base class before the field exists.
    this.day = (this.day ?? 0) + 1;
    const fd = openSync(`${this.path}-day-${this.day}`, "a");
    symlinkSync(`${this.path}-day-${this.day}`, `${this.path}.new`);
    renameSync(`${this.path}.new`, this.path);
    return fd;
  }

  protected pass(): void {
    const before = this.fd;
    this.fd = this.open();
    closeSync(before);
    this.passed("file");
  }
}

let isAllowed = false;
/** What was rotated before a collector ever saw the log is history, and no loss. */
function mayRotate(): boolean {
  isAllowed ||= existsSync(join(folder, "rotate"));
  return isAllowed;
}

const random = seeded(Number(seed));
const streams: Stream[] = [
  new Renamed("rename", "exact/rename.log", random),
  new Copied("copy", "exact/copy.log", random),
  new Mixed("mixed", "exact/mixed.log", random),
  new Deleted("delete", "exact/delete.log", random),
  new Truncated("truncate", "exact/truncate.log", random),
  new Renamed("rename-all", "all/rename.log", random),
  new Copied("copy-all", "all/copy.log", random),
  new Mixed("mixed-all", "all/mixed.log", random),
  new Linked("link", "link/current", random),
  new Compressed("gzip", "packed/gzip.log", random),
];

const turnMs = 10;
for (let now = Date.now(); !existsSync(join(folder, "end")); now = Date.now()) {
  for (const stream of streams) {
    const average = (Number(linesPerSecond) * turnMs) / 1_000;
    stream.turn(Math.floor(random.next() * 2 * average + random.next()), now);
  }
  await Bun.sleep(random.next() * 2 * turnMs);
}
for (const stream of streams) stream.end();
