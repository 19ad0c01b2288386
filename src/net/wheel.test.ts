import { afterEach, describe, expect, test } from "bun:test";
import { type Seeded, seeded, seedOf } from "../../test/kit/random.ts";
import { Timed, TimerWheel } from "./wheel.ts";

const tickMs = 100;

class Clock {
  ms = 12_345;
  now = () => this.ms;
  wall = () => this.ms;
}

class Node extends Timed {
  readonly fired: number[] = [];
  act: () => void = () => {};
  override onDeadline(now: number): void {
    this.fired.push(now);
    this.act();
  }
}

const wheels: TimerWheel[] = [];

function setUp(): { clock: Clock; wheel: TimerWheel } {
  const clock = new Clock();
  const wheel = new TimerWheel(clock, tickMs);
  wheels.push(wheel);
  return { clock, wheel };
}

afterEach(() => {
  for (const wheel of wheels.splice(0)) wheel.stop();
});

function pass(clock: Clock, wheel: TimerWheel, ms: number): void {
  for (const end = clock.ms + ms; clock.ms < end; ) {
    clock.ms = Math.min(clock.ms + tickMs, end);
    wheel.advance();
  }
}

describe("a deadline", () => {
  test.each([1, 50, 100, 101, 1000, 10_000, 60_000, 300_000])(
    "of %p ms is called once, never early, at most two ticks late",
    (delayMs) => {
      const { clock, wheel } = setUp();
      const node = new Node();
      const set = clock.ms;
      wheel.set(node, delayMs);
      pass(clock, wheel, delayMs * 2 + 1000);
      expect(node.fired).toHaveLength(1);
      expect(node.fired[0]! - set).toBeGreaterThanOrEqual(delayMs);
      expect(node.fired[0]! - set).toBeLessThanOrEqual(delayMs + 2 * tickMs);
      expect(node.deadline).toBe(Number.POSITIVE_INFINITY);
      expect(wheel.size).toBe(0);
    },
  );

  test("moved later is called only then", () => {
    const { clock, wheel } = setUp();
    const node = new Node();
    wheel.set(node, 500);
    pass(clock, wheel, 300);
    wheel.set(node, 1000);
    pass(clock, wheel, 900);
    expect(node.fired).toEqual([]);
    pass(clock, wheel, 300);
    expect(node.fired).toHaveLength(1);
  });

  test("moved earlier is called then", () => {
    const { clock, wheel } = setUp();
    const node = new Node();
    wheel.set(node, 60_000);
    wheel.set(node, 300);
    pass(clock, wheel, 500);
    expect(node.fired).toHaveLength(1);
  });

  test("cleared, by clear or by Infinity, is not called", () => {
    const { clock, wheel } = setUp();
    const [one, two] = [new Node(), new Node()];
    wheel.set(one, 300);
    wheel.set(two, 300);
    wheel.clear(one);
    wheel.set(two, Number.POSITIVE_INFINITY);
    pass(clock, wheel, 1000);
    expect([one.fired, two.fired]).toEqual([[], []]);
    expect(wheel.size).toBe(0);
  });

  test("is not early when the loop stood still before it was set", () => {
    const { clock, wheel } = setUp();
    const [other, node] = [new Node(), new Node()];
    wheel.set(other, 60_000);
    clock.ms += 5000; // a long synchronous piece of work: no tick came by
    wheel.set(node, 500);
    clock.ms += 10;
    wheel.advance();
    expect(node.fired).toEqual([]);
    pass(clock, wheel, 700);
    expect(node.fired).toHaveLength(1);
  });

  test("that passed while the loop stood still is called at the next tick", () => {
    const { clock, wheel } = setUp();
    const nodes = [1, 10_000, 50_000, 51_300, 100_000].map((delayMs) => {
      const node = new Node();
      wheel.set(node, delayMs);
      return node;
    });
    clock.ms += 200_000;
    wheel.advance();
    wheel.advance();
    expect(nodes.map(({ fired }) => fired.length)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe("a call", () => {
  test("may set its own node again", () => {
    const { clock, wheel } = setUp();
    const node = new Node();
    node.act = () => wheel.set(node, 200);
    wheel.set(node, 200);
    pass(clock, wheel, 2000);
    expect(node.fired.length).toBeGreaterThanOrEqual(6);
    expect(node.fired.length).toBeLessThanOrEqual(10);
  });

  test("may clear a neighbour that is due in the same tick", () => {
    const { clock, wheel } = setUp();
    const [one, two] = [new Node(), new Node()];
    one.act = () => wheel.clear(two);
    wheel.set(one, 100);
    wheel.set(two, 100);
    pass(clock, wheel, 500);
    expect([one.fired.length, two.fired.length]).toEqual([1, 0]);
  });

  test("may set a neighbour that is due in the same tick to later, and add others", () => {
    const { clock, wheel } = setUp();
    const [one, two, three] = [new Node(), new Node(), new Node()];
    one.act = () => {
      wheel.set(two, 1000);
      wheel.set(three, 100);
    };
    wheel.set(one, 100);
    wheel.set(two, 100);
    pass(clock, wheel, 500);
    expect([one.fired.length, two.fired.length, three.fired.length]).toEqual([1, 0, 1]);
    pass(clock, wheel, 1000);
    expect(two.fired).toHaveLength(1);
  });
});

test("the clockwork stands still while nothing is set, and runs while something is", async () => {
  const wheel = new TimerWheel({ now: () => performance.now(), wall: () => Date.now() }, 5);
  wheels.push(wheel);
  const node = new Node();
  const running = () => Reflect.get(wheel, "timer") !== undefined;
  expect(running()).toBe(false);
  const { promise, resolve } = Promise.withResolvers<void>();
  node.act = resolve;
  wheel.set(node, 20);
  expect(running()).toBe(true);
  await promise;
  expect(running()).toBe(false);
  wheel.set(node, 20);
  expect(running()).toBe(true);
});

/** What a wheel must do, said plainly: one deadline per node in a list. */
function naive(random: Seeded): void {
  const { clock, wheel } = setUp();
  const nodes = Array.from({ length: 30 }, () => new Node());
  const deadlines = new Map<Node, number>();
  for (const node of nodes) {
    node.act = () => {
      expect(node.fired.at(-1)).toBeGreaterThanOrEqual(deadlines.get(node) ?? Number.POSITIVE_INFINITY);
      deadlines.delete(node);
      if (random.chance(0.3)) set(random.pick(nodes));
      if (random.chance(0.1)) clear(random.pick(nodes));
    };
  }
  function set(node: Node): void {
    if (random.chance(0.1)) clock.ms += random.whole(3000); // the loop stands still
    const delayMs =
      random.pick([0, 1, 99, 100, 150, 1000, 5000, 9999, 30_000, 51_200, 70_000, 400_000]) + random.whole(100);
    wheel.set(node, delayMs);
    // Beyond ten seconds a deadline may count from the last tick.
    deadlines.set(node, (delayMs > 10_000 ? wheel.now : clock.ms) + delayMs);
  }
  function clear(node: Node): void {
    wheel.clear(node);
    deadlines.delete(node);
  }
  for (let step = 0; step < 400; step++) {
    for (let i = random.whole(4); i > 0; i--) (random.chance(0.8) ? set : clear)(random.pick(nodes));
    clock.ms += random.chance(0.02) ? random.whole(120_000) : random.whole(2 * tickMs);
    wheel.advance();
    const late = [...deadlines.values()].filter((deadline) => wheel.now - deadline > tickMs);
    expect(late).toEqual([]);
  }
}

test("any sequence of sets, clears and stops does what a list of deadlines would do", () => {
  const random = seeded(seedOf("wheel"));
  for (let run = 0; run < 100; run++) naive(random);
});
