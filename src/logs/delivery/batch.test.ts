import { describe, expect, test } from "bun:test";
import { linesIn, QueueRun } from "../../../test/kit/queue-run.ts";
import { until } from "../../../test/kit/until.ts";
import type { Batch, Delivery } from "../../contracts.ts";

const delivered: Delivery = { outcome: "delivered" };

/** An output that keeps what it is given until the test lets it answer. */
function gated(answer: (batch: Batch) => Delivery = () => delivered) {
  const batches: string[][] = [];
  const gates: (() => void)[] = [];
  const deliver = async (batch: Batch) => {
    batches.push(linesIn(batch));
    await new Promise<void>((open) => gates.push(open));
    return answer(batch);
  };
  const open = async () => {
    await Bun.sleep(0);
    gates.shift()!();
    await Bun.sleep(0);
  };
  return { batches, deliver, open };
}

describe("a batch", () => {
  test("holds what is offered in one turn; the next one gathers meanwhile; acknowledged only when delivered", async () => {
    const { batches, deliver, open } = gated();
    const run = new QueueRun(deliver, { batch: { bytes: 6 } });
    for (const line of ["aa", "bb", "cc", "dddddd", "e"]) run.offer(`${line}\n`);
    await Bun.sleep(0);
    expect([batches, run.done]).toEqual([[["aa", "bb"]], []]);
    await open();
    expect([batches.length, run.done]).toEqual([2, ["0-3", "3-6"]]);
    run.offer("f\n");
    await open();
    await open();
    await open();
    await run.queue.flush();
    expect(batches).toEqual([["aa", "bb"], ["cc"], ["dddddd"], ["e", "f"]]);
    expect([run.queue.unsentBytes, run.released]).toEqual([0, 6]);
  });

  test("is cut within a block only by a limit on lines, and each part is acknowledged by itself", async () => {
    const { batches, deliver, open } = gated();
    const run = new QueueRun(deliver, { batch: { lines: 3, bytes: 2 } });
    run.offer("1\n2\n3\n4\n5\n6\n7\n");
    run.offer("8\n");
    await open();
    expect([batches.at(-1), run.done, run.released]).toEqual([["4", "5", "6"], ["0-6"], 0]);
    await open();
    await open();
    await open();
    await run.queue.flush();
    expect(batches).toEqual([["1", "2", "3"], ["4", "5", "6"], ["7"], ["8"]]);
    expect([run.done, run.released]).toEqual([["0-6", "6-12", "12-14", "14-16"], 2]);
    expect(run.count("outrigger_log_held_bytes")).toBe(0);
  });

  test("of records that a limit on lines cuts is acknowledged part by part where there are places between them", async () => {
    const run = new QueueRun(async () => delivered, { batch: { lines: 2 } });
    run.offerRecords("a", "b", "c");
    run.offerRecords("d", 4, "e", "f");
    await run.queue.flush();
    expect([run.done, run.released]).toEqual([["0-4", "4-6", "6-16"], 2]);
    expect(run.count("outrigger_log_acknowledged_bytes_total")).toBe(12);
  });

  test("waits for its age, counted from its oldest block, or until it is full", async () => {
    const batches: string[][] = [];
    const deliver = async (batch: Batch) => {
      batches.push(linesIn(batch));
      return delivered;
    };
    const run = new QueueRun(deliver, { batch: { ageMs: 60, bytes: 8 } });
    run.offer("a\n");
    run.nowMs = 50;
    run.offer("b\n");
    await Bun.sleep(30);
    expect(batches).toEqual([]);
    await until(() => batches.length === 1);
    expect(batches).toEqual([["a", "b"]]);
    run.offer("full!!!\n");
    await Bun.sleep(5);
    expect(batches[1]).toEqual(["full!!!"]);
  });

  test("that waits for its age goes out when everything is to be delivered now", async () => {
    const run = new QueueRun(async () => delivered, { batch: { ageMs: 60_000 } });
    run.offer("a\n");
    await Bun.sleep(5);
    expect(run.done).toEqual([]);
    await run.queue.flush();
    expect(run.done).toEqual(["0-2"]);
  });

  test("that waits for its age goes out when no more can be read for it", async () => {
    const run = new QueueRun(async () => delivered, { batch: { ageMs: 60_000 } });
    run.queue.limitBytes = 100;
    run.offer("a\n");
    await until(() => run.done.length === 1);
    expect(run.rooms).toBe(1);
  });

  test("of which every record was dropped is done without troubling the output", async () => {
    let calls = 0;
    const deliver = async () => {
      calls++;
      return delivered;
    };
    const run = new QueueRun(deliver);
    run.offerRecords(10);
    run.offerRecords("a", 5, "b");
    run.offerRecords(7);
    await run.queue.flush();
    expect([calls, run.done]).toEqual([1, ["0-10", "10-19", "19-26"]]);
    expect(run.count("outrigger_log_dropped_bytes_total")).toBe(22);
    expect(run.count("outrigger_log_acknowledged_bytes_total")).toBe(4);
    expect(run.count("outrigger_log_ledger_imbalance_bytes")).toBe(0);
  });
});

test("room goes down with what is held and comes back with acknowledgement; its return is told once", async () => {
  const { deliver, open } = gated();
  const run = new QueueRun(deliver);
  run.queue.limitBytes = 1_000;
  run.offer(`${"x".repeat(699)}\n`);
  expect(run.queue.room).toBeGreaterThan(0);
  run.offer(`${"x".repeat(699)}\n`);
  expect(run.queue.room).toBeLessThan(0);
  expect(run.rooms).toBe(0);
  await open();
  await run.queue.flush();
  expect([run.queue.room, run.rooms]).toEqual([1_000, 1]);
});

test("no more is read than fills the next batch while one is under way, however much memory is granted", async () => {
  const { batches, deliver, open } = gated();
  const run = new QueueRun(deliver, { batch: { bytes: 1_000_000 } });
  const block = `${"x".repeat(249_999)}\n`;
  while (run.queue.room > 0) run.offer(block);
  expect(run.queue.unsentBytes).toBe(2_500_000);
  await open();
  expect([batches.map((lines) => lines.length), run.rooms]).toEqual([[4, 4], 1]);
  run.abort.abort();
});

describe("an output that does not take a batch", () => {
  test("gets the very same object again, whether it says so or throws; that is said once", async () => {
    const batches: Batch[] = [];
    const run = new QueueRun(async (batch) => {
      batches.push(batch);
      if (batches.length === 1) return { outcome: "retry", reason: "busy", cause: "throttled", afterMs: 1 };
      if (batches.length === 2) throw new Error("broken");
      return delivered;
    });
    run.offer("a\n");
    await run.queue.flush();
    expect(batches).toHaveLength(3);
    expect(batches[1]).toBe(batches[0]!);
    expect(batches[2]).toBe(batches[0]!);
    expect(run.done).toEqual(["0-2"]);
    expect(run.said).toEqual(["log_output_failing", "log_output_recovered"]);
    expect(run.count("outrigger_log_output_retries_total", { cause: "throttled" })).toBe(1);
    expect(run.count("outrigger_log_output_retries_total", { cause: "other" })).toBe(1);
  });

  test("but most of it gets only the rest again; what comes before the rest is acknowledged", async () => {
    const batches: string[][] = [];
    const run = new QueueRun(async (batch) => {
      batches.push(linesIn(batch));
      const only = [5, 3];
      return batches.length === 1
        ? { outcome: "retry", reason: "busy", only, rejected: [{ item: 4, reason: "no" }] }
        : delivered;
    });
    run.offer("0\n1\n");
    run.offer("2\n3\n");
    run.offer("4\n5\n");
    run.offer("6\n");
    await Bun.sleep(0);
    expect(run.done).toEqual(["0-4", "4-6"]);
    await run.queue.flush();
    expect(batches).toEqual([
      ["0", "1", "2", "3", "4", "5", "6"],
      ["3", "5"],
    ]);
    expect(run.done).toEqual(["0-4", "4-6", "6-8", "8-12", "12-14"]);
    expect(run.count("outrigger_log_discarded_bytes_total", { cause: "rejected" })).toBe(2);
    expect(run.count("outrigger_log_acknowledged_bytes_total")).toBe(12);
  });

  test.each(["refused", "tooLarge"] as const)("%s, is given halves until one item alone is guilty", async (outcome) => {
    const taken: string[] = [];
    const run = new QueueRun(async (batch) => {
      const lines = linesIn(batch);
      if (lines.includes("bad")) return { outcome, reason: "not that one" };
      taken.push(...lines);
      return delivered;
    });
    run.offer("0\n1\n2\nbad\n4\n");
    run.offerRecords("5", "6", "bad");
    await run.queue.flush();
    expect(taken).toEqual(["0", "1", "2", "4", "5", "6"]);
    expect(run.done).toEqual(["0-4", "4-6", "6-10", "10-12", "12-14", "14-16", "16-20"]);
    const cause = outcome === "refused" ? "refused" : "too_large";
    expect(run.count("outrigger_log_discarded_bytes_total", { cause })).toBe(8);
    expect(run.count("outrigger_log_ledger_imbalance_bytes")).toBe(0);
  });

  test("of one block, but has its first half: a kill brought that half again, however long ago it was acknowledged", async () => {
    const taken: string[] = [];
    const run = new QueueRun(async (batch) => {
      const lines = linesIn(batch);
      if (lines.length > 2) return { outcome: "tooLarge", reason: "halves, please" };
      if (lines.includes("3")) return { outcome: "retry", reason: "busy", afterMs: 60_000 };
      taken.push(...lines);
      return delivered;
    });
    run.offer("0\n1\n2\n3\n");
    await until(() => run.said.includes("log_output_failing"));
    expect([taken, run.done, run.released]).toEqual([["0", "1"], ["0-4"], 0]);
    run.abort.abort();
  });

  test("is given up on after as many attempts as the policy allows", async () => {
    let calls = 0;
    const deliver = async (batch: Batch): Promise<Delivery> => {
      calls++;
      return linesIn(batch).includes("a") ? { outcome: "retry", reason: "down", afterMs: 0 } : delivered;
    };
    const run = new QueueRun(deliver, { policy: { retry: { attempts: 3 } }, batch: { bytes: 2 } });
    run.offer("a\n");
    run.offer("b\n");
    await run.queue.flush();
    expect([calls, run.done]).toEqual([4, ["0-2", "2-4"]]);
    expect(run.count("outrigger_log_discarded_bytes_total", { cause: "gave_up" })).toBe(2);
  });

  test("and never answers: the abort ends the wait, nothing is acknowledged", async () => {
    const run = new QueueRun(() => new Promise(() => {}));
    run.offer("a\n");
    const flushed = run.queue.flush();
    run.abort.abort();
    await flushed;
    expect([run.done, run.queue.unsentBytes]).toEqual([[], 2]);
  });

  test("is tried again at once when everything is to be delivered now", async () => {
    let calls = 0;
    const run = new QueueRun(async () => {
      calls++;
      return calls === 1 ? { outcome: "retry", reason: "down", afterMs: 60_000 } : delivered;
    });
    run.offer("a\n");
    await until(() => calls === 1);
    run.queue.hurry();
    await until(() => run.done.length === 1);
  });
});
