import { expect, test } from "bun:test";
import { appendFileSync, copyFileSync, existsSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { FollowRun } from "../kit/follow-run.ts";
import { seeded, seedOf } from "../kit/random.ts";

const hourMs = 60 * 60 * 1_000;

/**
 * A model of an application, its rotation, a clock that is set, an output that stalls, and a collector that is stopped
 * and killed, with a simple oracle: every line comes out; it comes again only if no checkpoint had it, because it had
 * not been acknowledged or none was written since, before a kill; order is kept.
 */
class Model {
  readonly run = new FollowRun();
  readonly done: string[] = [];
  private readonly random: () => number;
  private readonly patterns: string[];
  private next = 0;
  private isRunning = false;
  /** How much of the run's text was judged, and the last line in it. */
  private judged = 0;
  private last = -1;
  private readonly came = new Set<number>();
  private sinceCheckpoint: number[] = [];
  /** Of these, those that the output has not acknowledged. */
  private unacknowledged: number[] = [];
  private readonly mayRepeat = new Set<number>();
  /** Rotated files that were open when they had their last line, oldest first. */
  private generations = 0;
  private lookedSinceRotation = true;

  constructor(seed: number, patterns: string[]) {
    this.random = seeded(seed).next;
    this.patterns = patterns;
    writeFileSync(this.path(), "");
    this.start();
    this.run.step();
    this.run.checkpoint.write();
  }

  act(): void {
    const act = this.pick([
      [30, () => this.append()],
      [6, () => this.appendHalf()],
      [8, () => this.rename()],
      [6, () => this.copyTruncate()],
      [25, () => this.step(Math.floor(this.random() * 400))],
      [12, () => this.step(1_000)],
      [5, () => this.checkpoint()],
      [3, () => this.restart(false)],
      [3, () => this.restart(true)],
      [4, () => this.rotateWhileAway()],
      [3, () => this.dropOldest()],
      [3, () => this.stall()],
      [3, () => this.acknowledgeSome()],
      [6, () => this.recover()],
      [2, () => this.setClock()],
    ]);
    this.done.push(String(act).replace(/^.*this\./, ""));
    act();
  }

  /** Reads to the end and compares. */
  finish(): void {
    this.recover();
    for (let i = 0; i < 10; i++) this.step(1_000);
    const missing = Array.from({ length: this.next }, (_, i) => i).filter((number) => !this.came.has(number));
    if (missing.length > 0) this.fail(`missing ${missing.slice(0, 5)} of ${this.next}`);
    this.run.remove();
  }

  private path(generation = 0): string {
    return this.run.path(generation === 0 ? "app.log" : `app.log.${generation}`);
  }

  private line(): string {
    return `${this.next++} ${"x".repeat(Math.floor(this.random() ** 4 * 3_000))}\n`;
  }

  private append(): void {
    let text = "";
    for (let count = 1 + Math.floor(this.random() * 20); count > 0; count--) text += this.line();
    appendFileSync(this.path(), text);
  }

  private appendHalf(): void {
    const line = this.line();
    // Never within the number: the same few bytes begin every line, and nothing tells such beginnings apart.
    const from = line.indexOf(" ") + 1;
    const cut = from + Math.floor((line.length - from) * this.random());
    appendFileSync(this.path(), line.slice(0, cut));
    if (this.isRunning) this.step(Math.floor(this.random() * 300));
    appendFileSync(this.path(), line.slice(cut));
  }

  private shift(): void {
    for (let n = this.generations; n >= 1; n--) {
      if (existsSync(this.path(n))) renameSync(this.path(n), this.path(n + 1));
    }
    this.generations++;
    this.lookedSinceRotation = false;
  }

  private rename(): void {
    this.shift();
    renameSync(this.path(), this.path(1));
    writeFileSync(this.path(), "");
  }

  private copyTruncate(): void {
    this.shift();
    copyFileSync(this.path(), this.path(1));
    truncateSync(this.path());
  }

  private rotateWhileAway(): void {
    this.stop(this.random() < 0.5);
    for (let count = 1 + Math.floor(this.random() * 3); count > 0; count--) {
      this.append();
      if (this.random() < 0.5) this.rename();
      else this.copyTruncate();
      if (this.random() < 0.7) this.append();
    }
    this.start();
  }

  /** A file that is open is read to its end, though it has no name any more. */
  private dropOldest(): void {
    this.step(1_000);
    if (!this.lookedSinceRotation || this.generations === 0 || !this.run.acknowledges) return;
    rmSync(this.path(this.generations), { force: true });
    this.generations--;
  }

  private step(ms: number): void {
    this.run.step(ms);
    if (ms >= 1_000) this.lookedSinceRotation = true;
    this.judge();
  }

  private checkpoint(): void {
    this.run.checkpoint.write();
    this.sinceCheckpoint = [...this.unacknowledged];
  }

  /** The output acknowledges nothing from now on, and mostly takes nothing either. */
  private stall(): void {
    this.run.acknowledges = false;
    if (this.random() < 0.7) this.run.output("stdout").room = 0;
  }

  private acknowledgeSome(): void {
    const { offered } = this.run.output("stdout");
    for (let count = Math.ceil(this.random() * offered.length); count > 0; count--) {
      const block = offered.shift()!;
      this.run.follower.acknowledged(block, "stdout");
      const done = new Set(numbersIn(Buffer.from(block.bytes).toString("latin1")));
      this.unacknowledged = this.unacknowledged.filter((number) => !done.has(number));
    }
  }

  private recover(): void {
    this.run.acknowledges = true;
    this.run.output("stdout").room = Number.MAX_SAFE_INTEGER;
    this.step(0);
    this.unacknowledged = [];
  }

  /** Hours or days ahead or back: times of files do not change with it. */
  private setClock(): void {
    this.run.wallAheadMs = Math.round((this.random() - 0.5) * (this.random() < 0.5 ? hourMs : 100 * hourMs));
  }

  private restart(killed: boolean): void {
    this.stop(killed);
    this.start();
  }

  private stop(killed: boolean): void {
    this.judge();
    this.run.end({ killed });
    this.isRunning = false;
    for (const number of killed ? this.sinceCheckpoint : this.unacknowledged) this.mayRepeat.add(number);
    this.sinceCheckpoint = [];
    this.unacknowledged = [];
  }

  private start(): void {
    this.run.start(this.patterns);
    this.isRunning = true;
    this.judged = 0;
    this.last = -1;
  }

  private judge(): void {
    const { text } = this.run;
    for (const line of text.slice(this.judged).split("\n").slice(0, -1)) {
      const number = Number.parseInt(line, 10);
      if (!/^\d+ x*$/.test(line)) this.fail(`not a line: ${line.slice(0, 60)}`);
      if (number <= this.last) this.fail(`${number} after ${this.last}`);
      if (this.came.has(number) && !this.mayRepeat.has(number)) this.fail(`${number} came twice`);
      this.came.add(number);
      this.sinceCheckpoint.push(number);
      if (!this.run.acknowledges) this.unacknowledged.push(number);
      this.last = number;
    }
    this.judged = text.length;
  }

  private pick(choices: readonly (readonly [weight: number, act: () => void])[]): () => void {
    let at = this.random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    return choices.find(([weight]) => {
      at -= weight;
      return at < 0;
    })![1];
  }

  private fail(what: string): never {
    const lost = this.run.said("log_bytes_lost").map((fields) => JSON.stringify(fields));
    throw new Error([what, `after ${this.done.length} acts: ${this.done.slice(-12).join("; ")}`, ...lost].join("\n"));
  }
}

function numbersIn(text: string): number[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => Number.parseInt(line, 10));
}

const runs = 30;
const acts = 150;

test.each([[["app.log"]], [["app.log*"]]])(
  "random appends, rotations, stalls, clocks, stops and kills, patterns %p: nothing is lost, repeated or disordered",
  (patterns) => {
    const seed = seedOf("a log and its collector");
    for (let run = 0; run < runs; run++) {
      const model = new Model(seed + run, patterns);
      try {
        for (let i = 0; i < acts; i++) model.act();
        model.finish();
      } catch (error) {
        model.run.remove();
        throw new Error(`run ${run} of SEED=${seed}: ${error instanceof Error ? error.message : error}`);
      }
    }
    expect(runs).toBeGreaterThan(0);
  },
  120_000,
);
