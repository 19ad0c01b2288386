import { describe, expect, test } from "bun:test";
import { type Cidr, inRanges, parseCidr } from "./cidr.ts";

function ranges(...texts: string[]): Cidr[] {
  return texts.map((text) => {
    const result = parseCidr(text);
    if ("problem" in result) throw new Error(result.problem);
    return result.value;
  });
}

describe("a range of addresses", () => {
  const cases: [string, string, boolean][] = [
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["0.0.0.0/0", "192.168.1.1", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "::1", true],
    ["::/0", "10.0.0.1", true],
    ["fd00::/8", "fd12:3456::1", true],
    ["fd00::/8", "fe80::1%eth0", false],
    ["fe80::/10", "fe80::1%eth0", true],
    ["192.168.1.1", "192.168.1.1", true],
    ["192.168.1.1", "192.168.1.2", false],
    ["10.0.0.0/8", "not an address", false],
  ];
  for (const [range, address, inside] of cases) {
    test(`${range} ${inside ? "has" : "has not"} ${address}`, () =>
      expect(inRanges(address, ranges(range))).toBe(inside));
  }

  test("is enough when one of several has the address", () => {
    expect(inRanges("fd00::1", ranges("10.0.0.0/8", "fd00::/8"))).toBe(true);
    expect(inRanges("fd00::1", [])).toBe(false);
  });

  test("says what was meant when bits stand behind its length", () => {
    expect(parseCidr("10.1.2.3/8")).toMatchObject({ remedy: "write 10.0.0.0/8" });
    expect(parseCidr("fd00:1::1/16")).toMatchObject({ remedy: "write fd00::/16" });
  });

  for (const text of ["", "10.0.0.0/33", "10.0.0.0/8/8", "::/129", "10.0.0/8", "a", "10.0.0.0/", "10.0.0.0/-1"]) {
    test(`is not ${JSON.stringify(text)}`, () => expect(parseCidr(text)).toHaveProperty("problem"));
  }
});
