import { expect, test } from "bun:test";
import { until } from "../../test/kit/until.ts";
import { Doorbell } from "./doorbell.ts";

function bell() {
  const rung: number[] = [];
  return { subject: new Doorbell(() => void rung.push(performance.now())), rung };
}

test("a little is told soon, once; much is told at once", async () => {
  const { subject, rung } = bell();
  const start = performance.now();
  for (let i = 0; i < 10; i++) subject.announce(10);
  expect(rung).toHaveLength(0);
  await until(() => rung.length === 1);
  expect(rung[0]! - start).toBeGreaterThan(40);
  subject.announce(64 * 1024 - 1);
  expect(rung).toHaveLength(1);
  subject.announce(1);
  expect(rung).toHaveLength(2);
  await Bun.sleep(100);
  expect(rung).toHaveLength(2);
});

test("once stopped it is silent until the next announcement", async () => {
  const { subject, rung } = bell();
  subject.announce(1);
  subject.stop();
  await Bun.sleep(100);
  expect(rung).toHaveLength(0);
  subject.announce(1);
  await until(() => rung.length === 1);
});
