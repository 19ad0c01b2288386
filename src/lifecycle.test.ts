import { describe, expect, test } from "bun:test";
import { FakeTime } from "../test/kit/fake-time.ts";
import { type Leaving, Lifecycle } from "./lifecycle.ts";

/** A lifecycle in made-up time over parts that write down what is done to them. */
function life({ graceMs = 24_000 } = {}) {
  const time = new FakeTime(0);
  const done: string[] = [];
  const events: string[] = [];
  const state = { unneeded: false, settled: Promise.withResolvers<void>(), stopped: Promise.resolve() };
  const note = (what: string) => void done.push(`${time.clock.now() / 1000} ${what}`);
  const leaving: Leaving = {
    graceMs: () => graceMs,
    announce: () => note("announce"),
    recant: () => note("recant"),
    quiesce: () => note("quiesce"),
    isUnneeded: () => state.unneeded,
    running: () => 3,
    settle: (deadlineMs) => {
      note(`settle ${deadlineMs / 1000}`);
      return Promise.race([
        state.settled.promise,
        new Promise<void>((resolve) => void time.after(deadlineMs, resolve)),
      ]);
    },
    stop: (deadlineMs) => {
      note(`stop ${deadlineMs / 1000}`);
      return state.stopped;
    },
    hurry: (deadlineMs) => note(`hurry ${deadlineMs / 1000}`),
  };
  const subject = new Lifecycle(leaving, time, (event) => void events.push(event));
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      time.pass(100);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
  };
  return { subject, time, done, events, state, pass, leaving };
}

describe("a stop", () => {
  test("announces 5 s, waits for what runs until 2 s before the end of the grace, then stops", async () => {
    const { subject, done, events, pass } = life();
    subject.started();
    const stopped = subject.drain("SIGTERM");
    expect(subject.unreadyReason).toBe("announcing");
    await pass(6000);
    expect(subject.unreadyReason).toBe("draining");
    await pass(20_000);
    await stopped;
    expect(done).toEqual(["0 quiesce", "0 announce", "5 settle 17", "22 stop 2"]);
    expect(events).toEqual(["announcing", "draining"]);
    expect(subject.state).toBe("stopped");
  });

  test("divides a short grace: a quarter to announce, a quarter to stop", async () => {
    const { subject, done, pass } = life({ graceMs: 2000 });
    subject.started();
    const stopped = subject.drain("SIGTERM");
    await pass(2000);
    await stopped;
    expect(done.slice(2)).toEqual(["0.5 settle 1", "1.5 stop 0.5"]);
  });

  test("does not wait when nobody is there any more and nothing runs", async () => {
    const { subject, done, state, time } = life();
    subject.started();
    state.unneeded = true;
    state.settled.resolve();
    await subject.drain("SIGTERM");
    expect(time.clock.now()).toBe(0);
    expect(done.at(-1)).toBe("0 stop 24");
  });

  test("ends announcing when the app goes meanwhile", async () => {
    const { subject, done, state, pass } = life();
    subject.started();
    void subject.drain("SIGTERM");
    await pass(1000);
    state.unneeded = true;
    await pass(200);
    expect(done.at(-1)).toBe("1.1 settle 20.9");
  });

  test("asked by a person does not announce", async () => {
    const { subject, done, state } = life();
    subject.started();
    state.settled.resolve();
    await subject.drain("SIGINT", { announces: false });
    expect(done).toEqual(["0 quiesce", "0 announce", "0 settle 22", "0 stop 24"]);
  });

  test("asked for twice happens at once, while announcing and while draining", async () => {
    for (const afterMs of [1000, 10_000]) {
      const { subject, done, events, pass } = life();
      subject.started();
      void subject.drain("SIGTERM");
      await pass(afterMs);
      const stopped = subject.drain("SIGTERM");
      void subject.drain("SIGTERM");
      await stopped;
      expect(done.at(-1)).toBe(`${afterMs / 1000} stop 0.5`);
      expect(events.filter((event) => event === "hurried")).toHaveLength(1);
    }
  });
});

test("asked for again while it stops: what is left of the stop is hurried", async () => {
  const { subject, done, state, pass } = life();
  const stopping = Promise.withResolvers<void>();
  Object.assign(state, { unneeded: true, stopped: stopping.promise });
  state.settled.resolve();
  subject.started();
  const stopped = subject.drain("SIGTERM");
  await pass(1000);
  expect(subject.state).toBe("stopping");
  void subject.drain("SIGTERM");
  void subject.drain("SIGTERM");
  expect(done.at(-1)).toBe("1 hurry 0.5");
  stopping.resolve();
  await stopped;
});

describe("a stop is not prevented", () => {
  test("by waiting that fails", async () => {
    const { subject, done, events, state } = life();
    subject.started();
    state.unneeded = true;
    state.settled.reject(new Error("bug"));
    await subject.drain("SIGTERM");
    expect(done.at(-1)).toBe("0 stop 24");
    expect(events).toContain("unexpected_error");
  });

  test("by waiting that does not end", async () => {
    const { subject, done, pass, leaving } = life({ graceMs: 2000 });
    leaving.settle = () => new Promise(() => {});
    subject.started();
    void subject.drain("SIGINT", { announces: false });
    await pass(3000);
    expect(done.at(-1)).toBe("1.7 stop 0.3");
    expect(subject.state).toBe("stopped");
  });
});

describe("the clock of a stop", () => {
  test("starts with the announcement before it: a native sidecar is stopped when the app has ended", async () => {
    const { subject, done, pass } = life();
    subject.started();
    subject.announceFor(35_000);
    await pass(3000);
    void subject.drain("SIGTERM");
    await pass(1000);
    expect(done.slice(1)).toEqual(["3 quiesce"]);
    await pass(20_000);
    expect(done.slice(1)).toEqual(["3 quiesce", "5 settle 17", "22 stop 2"]);
  });

  test("announces no further where 5 s have gone by", async () => {
    const { subject, done, state, pass } = life();
    subject.started();
    subject.announceFor(35_000);
    await pass(15_000);
    state.settled.resolve();
    await subject.drain("SIGTERM");
    expect(done).toEqual(["0 announce", "15 quiesce", "15 settle 7", "15 stop 9"]);
  });

  test("matters no more where the app is gone: the stop takes no time", async () => {
    const { subject, done, state, pass } = life();
    subject.started();
    subject.announceFor(35_000);
    await pass(1000);
    state.unneeded = true;
    state.settled.resolve();
    await subject.drain("SIGTERM");
    expect(done.slice(1)).toEqual(["1 quiesce", "1 settle 21", "1 stop 23"]);
  });

  test("leaves 1.5 s where the app took all of it: Kubernetes gives 2", async () => {
    const { subject, done, state, pass } = life();
    subject.started();
    subject.announceFor(35_000);
    await pass(29_000);
    state.settled.resolve();
    await subject.drain("SIGTERM");
    expect(done).toEqual(["0 announce", "29 quiesce", "29 settle 0", "29 stop 1.5"]);
  });

  test("starts with a later announcement where they went on for longer than any pod takes to end", async () => {
    const { subject, done, pass } = life();
    subject.started();
    for (let times = 0; times < 8; times++) {
      subject.announceFor(10_000);
      await pass(5000);
    }
    void subject.drain("SIGTERM");
    await pass(24_000);
    // The one at 35 s: nothing that began at 0 would still be alive then.
    expect([done[0], done[1], done.at(-1)]).toEqual(["0 announce", "40 quiesce", "57 stop 2"]);
  });

  test("is that of the stop where an announcement before was withdrawn", async () => {
    const { subject, done, pass } = life();
    subject.started();
    subject.announceFor(1000);
    await pass(2000);
    void subject.drain("SIGTERM");
    await pass(24_000);
    expect(done.slice(-2)).toEqual(["7 settle 17", "24 stop 2"]);
  });
});

describe("GET /drain", () => {
  test("of somebody does not shorten the kubelet's announcement", async () => {
    const { subject, pass } = life();
    subject.started();
    expect(subject.announceFor(35_000)).toBe(35_000);
    await pass(1000);
    expect(subject.announceFor(10_000)).toBe(34_000);
    await pass(33_000);
    expect(subject.unreadyReason).toBeDefined();
    await pass(1000);
    expect(subject.unreadyReason).toBeUndefined();
  });

  test("announces for a while, longer when asked again, and takes it back", async () => {
    const { subject, done, events, pass } = life();
    subject.started();
    subject.announceFor(10_000);
    expect(subject.unreadyReason).toBe("announcing that it leaves");
    await pass(8000);
    subject.announceFor(10_000);
    await pass(9000);
    expect(subject.unreadyReason).toBeDefined();
    await pass(1000);
    expect(subject.unreadyReason).toBeUndefined();
    expect(done).toEqual(["0 announce", "18 recant"]);
    expect(events).toEqual(["announcing", "announcement_withdrawn"]);
  });

  test("is not taken back once a stop was asked for", async () => {
    const { subject, done, pass } = life();
    subject.started();
    subject.announceFor(1000);
    void subject.drain("SIGTERM");
    subject.announceFor(1000);
    await pass(2000);
    expect(done).toEqual(["0 announce", "0 quiesce"]);
  });
});

test("a sidecar is not ready before it has started", () => {
  const { subject } = life();
  expect(subject.unreadyReason).toBe("starting");
  subject.started();
  expect(subject.unreadyReason).toBeUndefined();
});
