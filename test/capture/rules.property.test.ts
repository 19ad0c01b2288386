/** Whatever plan is asked for, both backends of the kernel take its rules, and undoing them leaves what there was. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { parseCidr } from "../../src/config/cidr.ts";
import { iptablesRemoval, iptablesRules } from "../../src/redirect/iptables.ts";
import { nftRemoval, nftRules } from "../../src/redirect/nftables.ts";
import type { NumberRange, RedirectPlan } from "../../src/redirect/plan.ts";
import { Network } from "../kit/network.ts";
import { whyNot } from "./stage.ts";

setDefaultTimeout(120_000);

function range(most: number): fc.Arbitrary<NumberRange> {
  return fc.tuple(fc.integer({ min: 1, max: most }), fc.integer({ min: 1, max: most })).map(([a, b]) => ({
    from: Math.min(a, b),
    to: Math.max(a, b),
  }));
}

const ports = fc.array(range(65_535), { maxLength: 4 });
const ids = fc.array(range(2 ** 32 - 2), { maxLength: 4 });
/** Overlapping ones, too. */
const addresses = fc.subarray(
  ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0", "fd00::/8", "fd00::1/128"].map(cidr),
);
const port = fc.integer({ min: 1, max: 65_535 });

function cidr(text: string) {
  const parsed = parseCidr(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.value;
}

const plan: fc.Arbitrary<RedirectPlan> = fc.record({
  outbound: fc.option(
    fc.record({
      port,
      own: fc.boolean(),
      excludedPorts: ports,
      excludedAddresses: addresses,
      excludedUsers: ids,
      excludedGroups: ids,
    }),
    { nil: undefined },
  ),
  inbound: fc.option(
    fc.record({
      port,
      ports: fc.option(fc.array(range(65_535), { minLength: 1, maxLength: 4 }), { nil: undefined }),
      excludedPorts: ports,
    }),
    {
      nil: undefined,
    },
  ),
  sidecarPorts: fc.array(port, { minLength: 3, maxLength: 3 }),
});

describe.skipIf(whyNot !== undefined)("rules of any plan", () => {
  let network: Network;
  beforeAll(async () => {
    network = await Network.create();
  });
  afterAll(() => network.end());
  const feed = (program: string, script: string) =>
    expect(network.run(program.split(" "), script)).toMatchObject({ code: 0, err: "" });

  test("are taken by nft, twice, and leave nothing", () => {
    const list = () => network.mustRun("nft", "list", "ruleset");
    fc.assert(
      fc.property(plan, (one) => {
        feed("nft -f -", nftRules(one));
        const set = list();
        feed("nft -f -", nftRules(one));
        expect(list()).toBe(set);
        feed("nft -f -", nftRemoval());
        expect(list()).toBe("");
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ["iptables", "ipv4"],
    ["ip6tables", "ipv6"],
  ] as const)("are taken by %s, one plan after the other, and leave nothing", (program, family) => {
    const save = () => network.mustRun(`${program}-save`, "-t", "nat");
    const bare = (saved: string) =>
      saved
        .split("\n")
        .filter((line) => !line.startsWith("#"))
        .map((line) => line.replace(/ \[.*/, ""));
    feed(`${program}-restore --noflush`, "*nat\n-A OUTPUT -p tcp -m tcp --dport 9 -j RETURN\nCOMMIT\n");
    const before = bare(save());
    fc.assert(
      fc.property(plan, plan, (first, second) => {
        for (const one of [first, second, second])
          feed(`${program}-restore --noflush`, iptablesRules(one, family, save()));
        const twice = bare(save());
        const removal = iptablesRemoval(save());
        if (removal !== undefined) feed(`${program}-restore --noflush`, removal);
        expect(bare(save())).toEqual(before);
        feed(`${program}-restore --noflush`, iptablesRules(second, family, save()));
        expect(new Set(bare(save()))).toEqual(new Set(twice));
        const last = iptablesRemoval(save());
        if (last !== undefined) feed(`${program}-restore --noflush`, last);
      }),
      { numRuns: 15 },
    );
  });
});
