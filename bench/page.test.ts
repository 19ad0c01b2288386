import { describe, expect, test } from "bun:test";
import { replaceSection, type Section, table } from "./page.ts";
import { suites } from "./suites.ts";

describe("docs/benchmarks.md", () => {
  test("a run replaces its own section and keeps the other", () => {
    const both = replaceSection(replaceSection("", "start", "start one"), "http", "http one\n\nmore");
    const replaced = replaceSection(both, "start", "start two");
    expect(replaced).toContain("http one\n\nmore");
    expect(replaced).toContain("start two");
    expect(replaced).not.toContain("start one");
    expect(replaceSection(replaced, "start", "start one")).toBe(both);
  });

  test("sections keep their order whichever was measured first", () => {
    const page = replaceSection(replaceSection("", "start", "s"), "http", "h");
    expect(page.indexOf("<!-- http: begin -->")).toBeLessThan(page.indexOf("<!-- start: begin -->"));
  });

  test("every command that compares has a section", () => {
    for (const [name, suite] of Object.entries(suites)) {
      expect(suite.name).toBe(name as Section);
      expect(replaceSection("", suite.name, "figures")).toContain(`<!-- ${name}: begin -->`);
    }
  });

  test("tables align figures to the right", () => {
    expect(table(["", "ms"], [["a", "1.0"]])).toBe("|  | ms |\n| --- | ---: |\n| a | 1.0 |");
  });
});
