import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CollectorProcess } from "../kit/collector-process.ts";
import { seeded, seedOf } from "../kit/random.ts";
import { until } from "../kit/until.ts";

let folder: string;
let running: CollectorProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "logs-kill-"));
  mkdirSync(join(folder, "logs"));
  running = [];
});

afterEach(async () => {
  for (const one of running) await one.kill();
  rmSync(folder, { recursive: true, force: true });
});

const generations = 250;
/** What may come twice after a kill: delivered since the last checkpoint, at most a second or so many bytes. */
const windowBytes = 8 * 1024 * 1024;

/** An application that writes numbered lines and has its log rotated. */
class App {
  readonly path = join(folder, "logs", "app.log");
  private readonly random: () => number;
  private next = 0;

  constructor(random: () => number) {
    this.random = random;
    writeFileSync(this.path, "");
    this.write();
  }

  get written(): number {
    return this.next;
  }

  write(): void {
    let text = "";
    const count = 1 + Math.floor(this.random() * 400);
    for (let i = 0; i < count; i++) text += `${this.next++} ${"x".repeat(Math.floor(this.random() * 120))}\n`;
    // Now and then the collector sees half a line.
    const cut = this.random() < 0.3 ? Math.floor(text.length * this.random()) : text.length;
    appendFileSync(this.path, text.slice(0, cut));
    appendFileSync(this.path, text.slice(cut));
  }

  rotate(kind: "rename" | "copy"): void {
    for (let n = generations; n >= 1; n--) {
      if (existsSync(`${this.path}.${n}`)) renameSync(`${this.path}.${n}`, `${this.path}.${n + 1}`);
    }
    rmSync(`${this.path}.${generations + 1}`, { force: true });
    if (kind === "rename") {
      renameSync(this.path, `${this.path}.1`);
      writeFileSync(this.path, "");
    } else {
      copyFileSync(this.path, `${this.path}.1`);
      truncateSync(this.path);
    }
  }
}

interface Plan {
  readonly patterns: string[];
  readonly kind: (random: () => number) => "rename" | "copy";
  readonly rotations: number;
}

async function rotateAndKill({ patterns, kind, rotations }: Plan, random: () => number): Promise<App> {
  const app = new App(random);
  const start = async () => {
    const name = String(running.length);
    running.push(
      new CollectorProcess(
        folder,
        name,
        join(folder, "state"),
        patterns.map((one) => join(folder, "logs", one)),
      ),
    );
  };
  await start();
  // What was rotated before anybody ever looked is history, and matched by no pattern.
  await running[0]!.ready();
  await until(() => existsSync(join(folder, "state/logs/checkpoint.json")), { what: "the first checkpoint" });
  let killIn = 5;
  for (let rotation = 0; rotation < rotations; rotation++) {
    for (let writes = 1 + Math.floor(random() * 4); writes > 0; writes--) {
      app.write();
      await Bun.sleep(random() * 20);
    }
    app.rotate(kind(random));
    if (--killIn > 0) continue;
    killIn = 3 + Math.floor(random() * 12);
    await running.at(-1)!.kill();
    await start();
  }
  app.write();
  await running.at(-1)!.ready();
  expect(await running.at(-1)!.stop()).toBe(0);
  return app;
}

interface Verdict {
  missing: number[];
  disordered: number;
  mostRepeatedBytes: number;
}

/** Compares what all collectors wrote, one after the other, with what the application wrote. */
function judge(app: App): Verdict {
  const seen = new Set<number>();
  let disordered = 0;
  let mostRepeatedBytes = 0;
  for (const one of running) {
    let last = -1;
    let repeatedBytes = 0;
    for (const line of one.lines()) {
      const number = Number.parseInt(line, 10);
      if (number <= last) disordered++;
      if (seen.has(number)) repeatedBytes += line.length + 1;
      seen.add(number);
      last = number;
    }
    mostRepeatedBytes = Math.max(mostRepeatedBytes, repeatedBytes);
  }
  const missing = Array.from({ length: app.written }, (_, i) => i).filter((number) => !seen.has(number));
  return { missing, disordered, mostRepeatedBytes };
}

const plans: [name: string, plan: Plan][] = [
  ["200 rotations by renaming, siblings not matched", { patterns: ["app.log"], kind: () => "rename", rotations: 200 }],
  ["100 rotations by renaming, siblings matched", { patterns: ["app.log*"], kind: () => "rename", rotations: 100 }],
  ["100 rotations by copytruncate", { patterns: ["app.log"], kind: () => "copy", rotations: 100 }],
];

test.each(plans)(
  "%s, killed again and again: nothing is missing, and the order is kept",
  async (_, plan) => {
    const app = await rotateAndKill(plan, seeded(seedOf("rotations and kills")).next);
    const { missing, disordered, mostRepeatedBytes } = judge(app);
    expect(running.length).toBeGreaterThan(5);
    expect({ missing: missing.length, first: missing[0] }).toEqual({ missing: 0, first: undefined });
    expect(disordered).toBe(0);
    expect(mostRepeatedBytes).toBeLessThanOrEqual(windowBytes);
  },
  120_000,
);
