/** What every log input must keep, wherever its lines come from: runs over the registry. */
import { describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Block, Checkpoint, CheckpointSection, Lane, LogInput, LogInputDefinition } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { MetricsRegion } from "../../src/metrics.ts";
import { logInputs } from "../../src/registry.gen.ts";

/** A place lines come from: options that name it, and a way to add to it. An input without a row here fails its suite. */
interface Spring {
  readonly options: unknown;
  write(text: string): void;
}

const springs: Record<string, (folder: string) => Spring> = {
  pipe: (folder) => ({
    options: join(folder, "app.fifo"),
    write: (text) => appendFileSync(join(folder, "app.fifo"), text),
  }),
  files: (folder) => ({
    options: { paths: [join(folder, "*.log")] },
    write: (text) => appendFileSync(join(folder, "app.log"), text),
  }),
};

/** What a checkpoint file keeps, without the file. */
class KeptCheckpoint implements Checkpoint {
  private readonly saved: Record<string, unknown>;
  private readonly sections = new Map<string, CheckpointSection>();

  constructor(saved: Record<string, unknown> = {}) {
    this.saved = saved;
  }

  section<T extends CheckpointSection>(name: string, revive: (saved: unknown) => T): T {
    const known = this.sections.get(name) ?? revive(this.saved[name]);
    this.sections.set(name, known);
    return known as T;
  }

  touch(): void {}
  hasten(): void {}

  save(): Record<string, unknown> {
    const kept = Object.fromEntries([...this.sections].map(([name, section]) => [name, section.save()]));
    return JSON.parse(JSON.stringify(kept)) as Record<string, unknown>;
  }
}

class FakeLane implements Lane {
  readonly output = "out";
  room = 1 << 30;
  readonly blocks: Block[] = [];
  offer(block: Block): void {
    this.blocks.push(block);
  }
  get text(): string {
    return this.blocks.map(({ bytes }) => Buffer.from(bytes).toString("latin1")).join("");
  }
}

class Run {
  readonly lane = new FakeLane();
  readonly checkpoint: KeptCheckpoint;
  readonly input: LogInput;
  private readonly tick: () => void;

  private constructor(input: LogInput, lane: FakeLane, checkpoint: KeptCheckpoint, tick: () => void) {
    this.input = input;
    this.lane = lane;
    this.checkpoint = checkpoint;
    this.tick = tick;
  }

  static async open(definition: LogInputDefinition, options: unknown, folder: string, saved = {}): Promise<Run> {
    const lane = new FakeLane();
    const checkpoint = new KeptCheckpoint(saved);
    let now = 0;
    const input = await definition.create(definition.config.parse(options), {
      clock: { now: () => now, wall: () => 1_700_000_000_000 + now },
      random: Math.random,
      emit: () => {},
      metrics: new MetricsRegion({ ...logMetrics, ...definition.metrics }, { strict: true }),
      record: () => true,
      name: "app",
      folder,
      stateFolder: folder,
      fields: {},
      lanes: [lane],
      checkpoint,
    });
    return new Run(input, lane, checkpoint, () => {
      now += 1100;
    });
  }

  /** Enough turns for anything that is there to be found and offered. */
  turns(count = 8): void {
    for (let i = 0; i < count; i++) {
      this.tick();
      this.input.look();
      this.input.turn();
    }
  }

  acknowledgeAll(): void {
    for (const block of this.lane.blocks) this.input.acknowledged(block, "out");
  }
}

for (const [name, load] of Object.entries(logInputs)) {
  describe(`log input ${name}`, () => {
    async function withSpring(
      body: (spring: Spring, open: (saved?: object) => Promise<Run>) => Promise<void>,
    ): Promise<void> {
      const make = springs[name];
      if (make === undefined) throw new Error(`log input ${name} has no spring in ${import.meta.path}: add one`);
      const folder = mkdtempSync(join(tmpdir(), "input-"));
      const runs: Run[] = [];
      try {
        const spring = make(folder);
        const { default: definition } = await load();
        await body(spring, async (saved) => {
          const run = await Run.open(definition, spring.options, folder, saved);
          runs.push(run);
          return run;
        });
      } finally {
        for (const run of runs) run.input.close();
        rmSync(folder, { recursive: true, force: true });
      }
    }

    test("is called what its file is called, and refuses options it does not know", async () => {
      const { default: definition } = await load();
      expect(definition).toMatchObject({ kind: "log-input", name });
      expect(definition.config.safeParse({ certainlyNotAnOption: 1 }).success).toBe(false);
    });

    test("offers whole lines only, each byte once, and keeps the rest", () =>
      withSpring(async (spring, open) => {
        const run = await open();
        spring.write("one\ntwo\nthr");
        run.turns();
        expect(run.lane.text).toBe("one\ntwo\n");
        spring.write("ee\n");
        run.turns();
        expect(run.lane.text).toBe("one\ntwo\nthree\n");
        for (const { bytes, start, end } of run.lane.blocks) {
          expect(bytes.at(-1)).toBe(10);
          expect(end).toBeGreaterThan(start);
        }
      }));

    test("offers nothing to a lane without room, and says what is unread", () =>
      withSpring(async (spring, open) => {
        const run = await open();
        run.lane.room = 0;
        spring.write("waits\n");
        run.turns();
        expect(run.lane.text).toBe("");
        expect(run.input.unread()).toBe(6);
        run.lane.room = 1000;
        run.turns();
        expect(run.lane.text).toBe("waits\n");
        expect(run.input.unread()).toBe(0);
      }));

    test("goes on after a restart where it was acknowledged, not where it had read", () =>
      withSpring(async (spring, open) => {
        const first = await open();
        spring.write("a\nb\n");
        first.turns();
        first.acknowledgeAll();
        spring.write("c\n");
        first.turns();
        expect(first.lane.text).toBe("a\nb\nc\n");
        const saved = first.checkpoint.save();
        first.input.close();
        const second = await open(saved);
        second.turns();
        expect(second.lane.text).toBe("c\n");
      }));

    test("shows each source with what was read and acknowledged", () =>
      withSpring(async (spring, open) => {
        const run = await open();
        spring.write("12345\n");
        run.turns();
        const before = run.input.state();
        expect(before[0]?.outputs).toMatchObject({ out: { readBytes: 6, acknowledgedBytes: 0 } });
        run.acknowledgeAll();
        expect(run.input.state()[0]?.outputs).toMatchObject({ out: { readBytes: 6, acknowledgedBytes: 6 } });
      }));

    test("gives an unended last line only when asked to finish", () =>
      withSpring(async (spring, open) => {
        const run = await open();
        spring.write("first\nlast");
        run.turns();
        expect(run.lane.text).toBe("first\n");
        run.input.finish();
        run.turns(2);
        expect(run.lane.text).toBe("first\nlast\n");
      }));
  });
}
