import { describe, expect, test } from "bun:test";
import { distinctNames, nearest } from "./names.ts";

describe("default names", () => {
  test("stay distinct, and give way to given ones", () => {
    const wanted = [
      { given: undefined, fallback: "files" },
      { given: undefined, fallback: "files" },
      { given: "files-3", fallback: "files" },
      { given: undefined, fallback: "files" },
    ];
    expect(distinctNames(wanted)).toEqual(["files", "files-2", "files-3", "files-4"]);
  });
});

describe("the nearest name", () => {
  const keys = ["listen", "to", "routes", "timeouts", "logAccess", "maxBody"];
  const cases: [string, string | undefined][] = [
    ["lisen", "listen"],
    ["listne", "listen"],
    ["Listen", "listen"],
    ["route", "routes"],
    ["log_access", "logAccess"],
    ["log-access", "logAccess"],
    ["maxbody", "maxBody"],
    ["timeout", "timeouts"],
    ["too", "to"],
    ["zebra", undefined],
    ["x", undefined],
  ];
  for (const [wrong, right] of cases) test(`to ${wrong} is ${right}`, () => expect(nearest(wrong, keys)).toBe(right));
});
