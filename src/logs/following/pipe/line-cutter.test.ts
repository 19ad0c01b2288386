import { expect, test } from "bun:test";
import { seeded, seedOf } from "../../../../test/kit/random.ts";
import { LineCutter } from "./line-cutter.ts";

test("in any pieces: lines that fit pass, others are cut within the limit, and what is left out is counted", () => {
  const { next: random } = seeded(seedOf("pieces of lines"));
  for (let round = 0; round < 300; round++) {
    const lines = Array.from({ length: 20 }, () => "é".repeat(random() < 0.5 ? random() * 20 : 500 + random() * 30));
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    let counted = 0;
    const cutter = new LineCutter(1024, (left) => {
      counted += left;
    });
    const passed: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + Math.ceil(random() * 700));
      passed.push(cutter.take(bytes.subarray(at, end)));
      at = end;
    }
    const came = Buffer.concat(passed).toString().split("\n").slice(0, -1);
    expect(came).toHaveLength(lines.length);
    let left = 0;
    for (const [at, line] of lines.entries()) {
      if (Buffer.byteLength(line) <= 1024) expect(came[at]).toBe(line);
      else {
        expect(Buffer.byteLength(came[at]!)).toBeLessThanOrEqual(1024);
        left += Number(/ \[truncated: (\d+) bytes left out\]$/.exec(came[at]!)![1]);
      }
    }
    expect(counted).toBe(left);
  }
});

test("what was held when it ends goes on where it was", () => {
  const first = new LineCutter(1024, () => {});
  const begun = Buffer.concat([first.take(Buffer.from("x".repeat(1020))), first.rest()]);
  const second = new LineCutter(1024, () => {}, begun.length);
  expect(Buffer.concat([begun, second.take(Buffer.from("xxxx\ny\n"))]).toString()).toBe(`${"x".repeat(1024)}\ny\n`);
});
