import { describe, expect, test } from "bun:test";
import { hottest } from "./profile.ts";

describe("a CPU profile", () => {
  test("self time within the window is summed by function, the most first", () => {
    const frame = (functionName: string) => ({ functionName, url: "", lineNumber: 0 });
    const nodes = [
      { id: 1, callFrame: frame("read") },
      { id: 2, callFrame: frame("write") },
      { id: 3, callFrame: frame("read") },
    ];
    const profile = {
      nodes,
      startTime: 10_000,
      samples: [1, 2, 3, 2, 2, 1],
      timeDeltas: [1000, 2000, 1000, 2000, 4000, 9000],
    };
    const rows = hottest(profile, { fromUs: 12_000, toUs: 20_000 }, 1).split("\n");
    expect(rows[2]).toBe("| write | 8 | 88.9 % |");
    expect(rows.length).toBe(3);
  });
});
