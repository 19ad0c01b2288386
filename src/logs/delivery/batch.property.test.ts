import { expect, test } from "bun:test";
import { linesIn, QueueRun } from "../../../test/kit/queue-run.ts";
import { type Seeded, seeded, seedOf } from "../../../test/kit/random.ts";
import type { Batch, Block, Delivery } from "../../contracts.ts";

/**
 * A destination that answers by chance, and remembers: which lines it has, which it will never take, and which it had
 * rejected in the answer of a batch that came partly.
 */
class Destination {
  /** Called with the first line of each batch. */
  onAsked = (_first: string) => {};
  readonly has: string[] = [];
  readonly rejected = new Set<string>();
  private readonly random: Seeded;

  constructor(random: Seeded) {
    this.random = random;
  }

  /** Lines with a `!` are never taken. */
  async deliver(batch: Batch): Promise<Delivery> {
    const lines = linesIn(batch);
    expect(lines).toHaveLength(batch.count);
    this.onAsked(lines[0]!);
    if (this.random.chance(0.1)) await Bun.sleep(0);
    if (this.random.chance(0.15)) throw new Error("broken");
    if (this.random.chance(0.15)) return { outcome: "retry", reason: "busy", afterMs: 0 };
    if (lines.length > 5 && this.random.chance(0.2)) return { outcome: "tooLarge", reason: "large" };
    return lines.some((line) => line.includes("!")) && this.random.chance(0.5) ? this.refuse(lines) : this.sort(lines);
  }

  private refuse(lines: string[]): Delivery {
    if (lines.length === 1) this.rejected.add(lines[0]!);
    return { outcome: "refused", reason: "bad" };
  }

  private sort(lines: string[]): Delivery {
    const only: number[] = [];
    const rejected: { item: number; reason: string }[] = [];
    const againChance = this.random.pick([0, 0, 0.2, 0.8]);
    for (const [item, line] of lines.entries()) {
      if (this.random.chance(againChance)) only.push(item);
      else if (line.includes("!")) {
        rejected.push({ item, reason: "bad" });
        this.rejected.add(line);
      } else this.has.push(line);
    }
    if (only.length === 0) return { outcome: "delivered", rejected };
    return { outcome: "retry", reason: "some", afterMs: 0, only: only.reverse(), rejected };
  }
}

function feed(run: QueueRun, random: Seeded, lines: readonly string[]): void {
  for (let at = 0; at < lines.length; ) {
    const some = lines.slice(at, at + 1 + random.whole(7));
    at += some.length;
    if (random.chance(0.5)) run.offer(some.map((line) => `${line}\n`).join(""));
    else run.offerRecords(...some.flatMap((line) => (random.chance(0.2) ? [random.whole(9), line] : [line])));
  }
}

test("whatever a destination answers, each line ends there or among the rejects once, and acknowledged is what comes before the first that is left", async () => {
  const seed = seedOf("deliveries");
  for (let round = 0; round < 200; round++) {
    const random = seeded(seed + round);
    const batch = { bytes: 1 + random.whole(60), ...(random.chance(0.5) ? { lines: 1 + random.whole(9) } : {}) };
    const destination = new Destination(random);
    const run = new QueueRun((one) => destination.deliver(one), { batch, policy: { retry: { mostMs: 0 } } });
    let acknowledged = 0;
    run.onAcknowledged = (end) => {
      expect(end).toBeGreaterThanOrEqual(acknowledged);
      acknowledged = end;
      const settled = new Set([...destination.has, ...destination.rejected]);
      for (const [at, line] of lines.entries()) if (ends[at]! <= end) expect(settled).toContain(line);
    };
    destination.onAsked = (first) => expect(acknowledged).toBeGreaterThanOrEqual(begins[lines.indexOf(first)]!);
    const lines = Array.from({ length: random.whole(60) }, (_, n) => `${n}${random.chance(0.1) ? "!" : ""}`);
    // By line; a line of a block that has no places within ends where its block does, and may come again from there.
    const begins: number[] = [];
    const ends: number[] = [];
    const offered = run.queue.offer.bind(run.queue);
    run.queue.offer = (block, owner) => {
      let place = block.start;
      for (const line of linesIn({ blocks: [block], bytes: 0, count: 0 })) {
        begins.push(hasPlaces(block) ? place : block.start);
        place += line.length + 1;
        ends.push(hasPlaces(block) ? place : block.end);
      }
      offered(block, owner);
    };
    feed(run, random, lines);
    await run.queue.flush();
    const byNumber = (a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10);
    expect([...destination.has, ...destination.rejected].sort(byNumber)).toEqual(lines);
    expect(destination.has).toHaveLength(new Set(destination.has).size);
    expect([run.queue.unsentBytes, run.count("outrigger_log_held_bytes")]).toEqual([0, 0]);
    const sum = (...names: string[]) => names.reduce((total, name) => total + run.count(`outrigger_log_${name}`), 0);
    expect(sum("acknowledged_bytes_total", "dropped_bytes_total", "discarded_bytes_total")).toBe(
      sum("offered_bytes_total"),
    );
    expect([sum("ledger_imbalance_bytes"), sum("waiting_bytes")]).toEqual([0, 0]);
  }
});

/** Between all of its items: nobody knows where bytes that a rule dropped were. */
function hasPlaces({ droppedBytes = 0 }: Block): boolean {
  return droppedBytes === 0;
}

test("without partial answers, lines arrive in the order they were offered in", async () => {
  const seed = seedOf("order");
  for (let round = 0; round < 100; round++) {
    const random = seeded(seed + round);
    const has: string[] = [];
    const deliver = async (batch: Batch): Promise<Delivery> => {
      if (random.chance(0.2)) return { outcome: "retry", reason: "busy", afterMs: 0 };
      if (random.chance(0.3) && batch.count > 1) return { outcome: "tooLarge", reason: "large" };
      has.push(...linesIn(batch));
      return { outcome: "delivered" };
    };
    const run = new QueueRun(deliver, { batch: { bytes: 1 + random.whole(60), lines: 1 + random.whole(20) } });
    const lines = Array.from({ length: 60 }, (_, n) => String(n));
    feed(run, random, lines);
    await run.queue.flush();
    expect(has).toEqual(lines);
  }
});
