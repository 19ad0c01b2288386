import { describe, expect, test } from "bun:test";
import { neededPodSeconds, shutdownFinding, toShutdown } from "./shutdown.ts";

const pod = (seconds: number) => ({ OUTRIGGER_GRACE_SECONDS: String(seconds) });

describe("our share of the pod's grace", () => {
  test("is 25 s where nobody says anything", () => {
    expect(toShutdown({ quit: false }, {})).toEqual({ graceMs: 25_000 });
  });

  test("is all but 5 s, or but a quarter of a short one; never nothing", () => {
    const shares = [60, 30, 20, 8, 1, 0].map((seconds) => toShutdown({ quit: false }, pod(seconds)).graceMs / 1000);
    expect(shares).toEqual([55, 25, 15, 6, 0.75, 0.5]);
  });

  test("is what is written, as far as the pod allows it", () => {
    expect(toShutdown({ grace: 10_000, quit: false }, pod(30))).toEqual({ graceMs: 10_000, podGraceMs: 30_000 });
    expect(toShutdown({ grace: 60_000, quit: false }, pod(30))).toEqual({
      graceMs: 25_000,
      podGraceMs: 30_000,
      cutFromMs: 60_000,
    });
    expect(toShutdown({ grace: 60_000, quit: false }, {})).toEqual({ graceMs: 60_000 });
  });

  test("needs a pod that allows it: no second less would do", () => {
    for (let graceMs = 500; graceMs < 100_000; graceMs += 250) {
      const needed = neededPodSeconds(graceMs);
      expect(toShutdown({ grace: graceMs, quit: false }, pod(needed)).cutFromMs).toBeUndefined();
      if (needed > 1) expect(toShutdown({ grace: graceMs, quit: false }, pod(needed - 1)).cutFromMs).toBe(graceMs);
    }
  });
});

describe("the variables", () => {
  test("may be empty or absent, and are refused when they make no sense", () => {
    for (const env of [{}, { OUTRIGGER_GRACE_SECONDS: "", OUTRIGGER_LIFECYCLE: "" }, pod(0)])
      expect(shutdownFinding(env)).toBeUndefined();
    for (const text of ["30s", "-1", "1.5", "1e3", "99999999"])
      expect(shutdownFinding({ OUTRIGGER_GRACE_SECONDS: text })?.problem).toContain(text);
    expect(shutdownFinding({ OUTRIGGER_LIFECYCLE: "legacy" })?.remedy).toBe("write native or plain");
  });

  test("tell the form", () => {
    expect(toShutdown({ quit: true }, { OUTRIGGER_LIFECYCLE: "plain" })).toEqual({
      graceMs: 25_000,
      form: "plain",
      quit: true,
    });
  });
});
