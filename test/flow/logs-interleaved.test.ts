import { expect, test } from "bun:test";
import { FollowRun } from "../kit/follow-run.ts";
import { interleave, killHere, plainFs, revive } from "../kit/interleaved-fs.ts";
import { type Seeded, seeded, seedOf } from "../kit/random.ts";

const { appendFileSync, copyFileSync, renameSync, truncateSync, writeFileSync } = plainFs;

interface Act {
  readonly name: string;
  do(): void;
}

/**
 * An app, the rotation of its log, kills and checkpoints, each placed between two file system calls of the collector.
 * Every line must come out, in order within the life of one collector, and again only after a kill, if it had come
 * since the last checkpoint.
 */
class Interleaved {
  readonly run = new FollowRun();
  readonly done: string[] = [];
  private readonly random: Seeded;
  private readonly patterns: string[];
  private readonly queue: Act[] = [];
  private readonly path: string;
  private next = 0;
  private generations = 0;
  private killed = false;
  private isUndecided = false;
  private judged = 0;
  private last = -1;
  private readonly came = new Set<number>();
  private readonly excused = new Set<number>();
  private readonly mayRepeat = new Set<number>();
  private sinceCheckpoint: number[] = [];

  constructor(random: Seeded, patterns: string[]) {
    this.random = random;
    this.patterns = patterns;
    this.path = this.run.path("app.log");
    writeFileSync(this.path, "");
    for (let count = random.whole(3); count > 0; count--) this.append();
    this.start();
    this.quietStep(1_000);
    this.checkpoint();
  }

  /** A few rotations, everything in them at a random moment. */
  storm(): void {
    const density = this.random.pick([0.5, 0.15, 0.04]);
    for (let rotations = 1 + this.random.whole(4); rotations > 0; rotations--) this.planRotation();
    while (this.queue.length > 0) {
      const ms = this.random.pick([30, 300, 1_000]);
      interleave(
        () => this.run.step(ms),
        () => {
          while (!this.killed && this.queue.length > 0 && this.random.chance(density)) this.act();
        },
      );
      this.done.push(`stepped ${ms}`);
      this.judge();
      if (this.killed) this.comeBack(density);
      else if (this.random.chance(0.2)) this.checkpoint();
    }
  }

  finish(): void {
    for (let i = 0; i < 8; i++) this.quietStep(1_000);
    const missing = Array.from({ length: this.next }, (_, i) => i).filter(
      (n) => !this.came.has(n) && !this.excused.has(n),
    );
    if (missing.length > 0) this.fail(`missing ${missing.slice(0, 5)} of ${this.next}`);
    this.run.remove();
  }

  private act(): void {
    const act = this.queue.shift()!;
    this.done.push(act.name);
    act.do();
  }

  private plan(name: string, act: () => void): void {
    this.queue.push({ name, do: act });
  }

  private planRotation(): void {
    const maybe = (probability: number, name: string, act: () => void) => {
      if (this.random.chance(probability)) this.plan(name, act);
    };
    maybe(0.7, "append", () => this.append());
    for (let n = this.generations; n >= 1; n--) {
      this.plan(`rename .${n}`, () => renameSync(`${this.path}.${n}`, `${this.path}.${n + 1}`));
    }
    this.generations++;
    maybe(0.15, "kill", () => this.kill());
    if (this.random.chance(0.5)) this.planCopy(maybe);
    else this.planRename(maybe);
    maybe(0.15, "kill", () => this.kill());
    maybe(0.7, "append", () => this.append());
    maybe(0.1, "kill", () => this.kill());
    maybe(0.3, "append", () => this.append());
  }

  private planCopy(maybe: (probability: number, name: string, act: () => void) => void): void {
    maybe(0.3, "begin copy", () => writeFileSync(`${this.path}.1`, ""));
    this.plan("copy", () => copyFileSync(this.path, `${this.path}.1`));
    maybe(0.15, "kill", () => this.kill());
    maybe(0.1, "append while copied", () => this.append(true));
    this.plan("truncate", () => truncateSync(this.path));
  }

  private planRename(maybe: (probability: number, name: string, act: () => void) => void): void {
    this.plan("rename", () => renameSync(this.path, `${this.path}.1`));
    maybe(0.15, "kill", () => this.kill());
    maybe(0.3, "append late", () => appendFileSync(`${this.path}.1`, this.line()));
    this.plan("create", () => writeFileSync(this.path, ""));
  }

  private line(): string {
    return `${this.next++} ${"x".repeat(this.random.whole(this.random.pick([3, 80, 1500])))}\n`;
  }

  private append(isExcused = false): void {
    let text = "";
    for (let count = 1 + this.random.whole(4); count > 0; count--) {
      if (isExcused) this.excused.add(this.next);
      text += this.line();
    }
    appendFileSync(this.path, text);
  }

  private kill(): void {
    this.judge();
    this.killed = true;
    // How a content of less than 1 KiB began is kept as one hash: a copy that ends before it cannot be told by it.
    if (this.excused.size > 0) this.isUndecided = true;
    killHere();
  }

  /** A new collector, whose first look is interleaved as well. */
  private comeBack(density: number): void {
    revive();
    this.run.end({ killed: true });
    for (const number of this.sinceCheckpoint) this.mayRepeat.add(number);
    this.sinceCheckpoint = [];
    for (let away = this.random.whole(5); away > 0 && this.queue.length > 0; away--) {
      if (this.queue[0]!.name === "kill") this.queue.shift();
      else this.act();
    }
    this.killed = false;
    this.done.push("started");
    interleave(
      () => this.start(),
      () => {
        const next = this.queue[0];
        if (next !== undefined && next.name !== "kill" && this.random.chance(density)) this.act();
      },
    );
  }

  private start(): void {
    this.run.start(this.patterns);
    this.judged = 0;
    this.last = -1;
  }

  private checkpoint(): void {
    this.judge();
    this.done.push("checkpoint");
    this.run.checkpoint.write();
    this.sinceCheckpoint = [];
  }

  private quietStep(ms: number): void {
    this.run.step(ms);
    this.judge();
  }

  private judge(): void {
    if (this.killed) return;
    const { text } = this.run;
    for (const line of text.slice(this.judged).split("\n").slice(0, -1)) {
      const number = Number.parseInt(line, 10);
      if (!/^\d+ x*$/.test(line)) this.fail(`not a line: ${line.slice(0, 60)}`);
      if (number <= this.last) this.fail(`${number} after ${this.last}`);
      if (this.came.has(number) && !this.mayRepeat.has(number) && !this.isUndecided) this.fail(`${number} came twice`);
      this.came.add(number);
      this.sinceCheckpoint.push(number);
      this.last = number;
    }
    this.judged = text.length;
  }

  private fail(what: string): never {
    const quiet = / *stepped \d+(?:; stepped \d+)+(?=; stepped)/g;
    const lost = this.run.said("log_bytes_lost").map((fields) => JSON.stringify(fields));
    throw new Error([what, this.done.join("; ").replace(quiet, " ..."), ...lost].join("\n"));
  }
}

const cases = Number(process.env.CASES ?? 100);

test.each([[["app.log"]], [["app.log*"]]])(
  "rotations and kills between any two system calls of a look, patterns %p: nothing is lost, repeated or disordered",
  (patterns) => {
    const seed = seedOf("a look and what happens meanwhile");
    const faults: string[] = [];
    for (let run = 0; run < cases; run++) {
      const model = new Interleaved(seeded(seed + run), patterns);
      try {
        model.storm();
        model.finish();
      } catch (error) {
        revive();
        model.run.remove();
        faults.push(`SEED=${seed + run}: ${error instanceof Error ? error.message : error}`);
      }
    }
    faults.sort((a, b) => a.length - b.length);
    expect(faults).toEqual([]);
  },
  120_000,
);

test("a log beside others that are renamed without pause is read with every look: it came with one of sixteen", () => {
  const run = new FollowRun();
  const path = (n: number) => run.path(`busy.log.${n}`);
  writeFileSync(run.path("quiet.log"), "");
  run.start(["*"]);
  run.step();
  appendFileSync(run.path("quiet.log"), "first\n");
  run.step();
  let generation = 0;
  writeFileSync(path(0), "busy\n");
  for (const line of ["second\n", "third\n"]) {
    appendFileSync(run.path("quiet.log"), line);
    interleave(
      () => run.turn(1_000),
      (call) => {
        if (call === "openSync") renameSync(path(generation), path(++generation));
      },
    );
    expect(run.text).toEndWith(line);
  }
  run.steps(3);
  expect(run.text.split("\n").toSorted().join(" ").trim()).toBe("busy first second third");
  run.remove();
});

test("a file that was empty, was seen to grow, and was copied and truncated before a byte of it was read", () => {
  const run = new FollowRun();
  const log = run.path("app.log");
  writeFileSync(log, "");
  run.start(["app.log*"]);
  run.step();
  appendFileSync(log, "copied away\n");
  let isCopied = false;
  interleave(
    () => run.step(),
    (call) => {
      if (isCopied || call !== "readSync") return;
      isCopied = true;
      copyFileSync(log, run.path("app.log.1"));
      truncateSync(log);
    },
  );
  renameSync(run.path("app.log.1"), run.path("app.log.2"));
  renameSync(log, run.path("app.log.1"));
  writeFileSync(log, "new\n");
  for (let seconds = 0; seconds < 20; seconds++) run.step(); // it came with an empty line, or kept the new one for ever
  expect(run.text).toBe("copied away\nnew\n");
  run.remove();
});
