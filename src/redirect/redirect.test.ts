import { describe, expect, test } from "bun:test";
import { UserError } from "../errors.ts";
import { type RedirectWords, readRedirect } from "./reading.ts";
import { readBackend, removeRules, setRules, showRules } from "./redirect.ts";
import type { Machine } from "./tools.ts";

const nothing: RedirectWords = {
  redirect: "outbound",
  outboundPort: undefined,
  inboundPort: undefined,
  healthPort: undefined,
  inboundPorts: [],
  excludeInboundPorts: [],
  excludeOutboundPorts: [],
  excludeCidrs: [],
  excludeUids: [],
  excludeGids: [],
  includeOwn: false,
};

const everything = ["nft", "iptables-restore", "iptables-save", "ip6tables-restore", "ip6tables-save"];

/** A machine that has these programs, and keeps what they were told. */
function machineWith(programs: readonly string[], over: Partial<Machine> & { saved?: string; err?: string } = {}) {
  const runs: { words: readonly string[]; input: string }[] = [];
  const machine: Machine = {
    find: (program) => (programs.includes(program) ? `/sbin/${program}` : undefined),
    run(words, input) {
      runs.push({ words, input });
      if (over.err !== undefined) return { code: 1, out: "", err: over.err };
      return { code: 0, out: words[0]?.endsWith("-save") === true ? (over.saved ?? "") : "", err: "" };
    },
    mayChangeNetwork: true,
    hasIpv6: true,
    ...over,
  };
  return { machine, runs };
}

function complaint(act: () => unknown): { message: string; exitCode: number } {
  try {
    act();
  } catch (error) {
    if (error instanceof UserError) return { message: error.message, exitCode: error.exitCode };
    throw error;
  }
  throw new Error("nothing was wrong");
}

describe("words", () => {
  test("that are left out have defaults", () => {
    expect(readRedirect({ ...nothing, redirect: "outbound, inbound" })).toEqual({
      outbound: {
        port: 15001,
        own: false,
        excludedUsers: [{ from: 7411, to: 7411 }],
        excludedGroups: [],
        excludedPorts: [],
        excludedAddresses: [],
      },
      inbound: { port: 15006, ports: undefined, excludedPorts: [] },
      sidecarPorts: [15001, 15006, 7411],
    });
  });

  test.each<[Partial<RedirectWords>, string]>([
    [{ redirect: "both" }, "--redirect both: write outbound, inbound, or outbound,inbound"],
    [{ redirect: "" }, '--redirect "": write outbound, inbound, or outbound,inbound'],
    [{ outboundPort: "0" }, "--outbound-port 0: this is not a port (1 to 65535)"],
    [{ outboundPort: "15001-15002" }, "--outbound-port 15001-15002: this is not a port (1 to 65535)"],
    [
      { inboundPort: "15001" },
      "--outbound-port, --inbound-port and --health-port must differ: each has a listener of its own",
    ],
    [{ excludeOutboundPorts: ["80,http"] }, "--exclude-outbound-ports http: this is not a port (1 to 65535)"],
    [
      { excludeOutboundPorts: ["90-80"] },
      "--exclude-outbound-ports 90-80: this is not a port (1 to 65535), or the range is upside down",
    ],
    [{ excludeUids: ["nobody"] }, "--exclude-uids nobody: this is not an id of a user (0 to 4294967294)"],
    [{ excludeUids: ["4294967295"] }, "--exclude-uids 4294967295: this is not an id of a user (0 to 4294967294)"],
    [
      { excludeUids: [""] },
      "nobody is excluded, so the sidecar's own calls would come back to it: give --exclude-uids or --exclude-gids with the id it runs as",
    ],
    [
      { excludeCidrs: ["10.0.0.1/8"] },
      '--exclude-cidrs 10.0.0.1/8: "10.0.0.1/8" has bits set behind its length; write 10.0.0.0/8',
    ],
    [{ inboundPorts: ["80"] }, "--inbound-ports and --exclude-inbound-ports need --redirect inbound"],
    [{ redirect: "inbound", inboundPorts: [","] }, "--inbound-ports: name at least one port, or write all"],
  ])("%j are refused", (words, message) => {
    expect(complaint(() => readRedirect({ ...nothing, ...words }))).toEqual({ message, exitCode: 2 });
  });

  test("of the backend", () => {
    expect([undefined, "auto", "nft", "iptables"].map(readBackend)).toEqual([undefined, undefined, "nft", "iptables"]);
    expect(complaint(() => readBackend("ebtables")).message).toBe("--backend ebtables: write nft, iptables or auto");
  });
});

describe("the backend", () => {
  const plan = readRedirect(nothing);

  test("is nft where there is one, else iptables, for both families", () => {
    const both = machineWith(everything);
    setRules(plan, undefined, both.machine);
    expect(both.runs.map(({ words }) => words)).toEqual([["/sbin/nft", "-f", "-"]]);
    const old = machineWith(everything.slice(1));
    setRules(plan, undefined, old.machine);
    expect(old.runs.map(({ words }) => words.join(" "))).toEqual([
      "/sbin/iptables-save -t nat",
      "/sbin/iptables-restore --noflush --wait 5",
      "/sbin/ip6tables-save -t nat",
      "/sbin/ip6tables-restore --noflush --wait 5",
    ]);
  });

  test("that is missing is an error with a remedy", () => {
    expect(complaint(() => setRules(plan, undefined, machineWith([]).machine))).toEqual({
      exitCode: 3,
      message:
        "init: there is neither nft nor iptables here to set the rules with; use the image of outrigger, which has nft, or install nftables",
    });
    expect(complaint(() => setRules(plan, "nft", machineWith(everything.slice(1)).machine)).message).toContain(
      "there is no nft here",
    );
  });

  test("for IPv4 alone is refused where there is IPv6, and enough where there is none", () => {
    const programs = ["iptables-restore", "iptables-save"];
    expect(complaint(() => setRules(plan, undefined, machineWith(programs).machine)).message).toContain(
      "there is no ip6tables-restore here",
    );
    const { machine, runs } = machineWith(programs, { hasIpv6: false });
    expect(setRules(plan, undefined, machine)).toContain("ip6tables: left out, as this kernel has no IPv6");
    expect(runs.length).toBe(2);
  });

  test("that fails is quoted", () => {
    const { machine } = machineWith(["nft"], {
      err: "\nnetlink: Error: cache initialization failed: Operation not permitted\n",
    });
    expect(complaint(() => setRules(plan, undefined, machine))).toEqual({
      exitCode: 3,
      message:
        "init: nft refused the redirect rules, and nothing was changed: netlink: Error: cache initialization failed: Operation not permitted; if the node's kernel has no nftables, try --backend iptables",
    });
  });

  test("is asked for nothing without the right to change the network", () => {
    const { machine, runs } = machineWith(everything, { mayChangeNetwork: false });
    for (const act of [() => setRules(plan, undefined, machine), () => removeRules(undefined, machine)])
      expect(complaint(act).message).toContain("lacks the capability NET_ADMIN");
    expect(runs).toEqual([]);
  });

  test("is shown, with no program at all, as nft", () => {
    expect(showRules(plan, undefined, machineWith([]).machine)).toStartWith("# nft -f -\ntable inet outrigger {}\n");
    expect(showRules(undefined, "iptables", machineWith([]).machine)).toContain(
      "-D OUTPUT -p tcp -j OUTRIGGER_OUTBOUND\n",
    );
  });

  test("is undone everywhere, as an earlier version may have chosen another", () => {
    const saved = "*nat\n:OUTRIGGER_OUTBOUND - [0:0]\n-A OUTPUT -p tcp -j OUTRIGGER_OUTBOUND\nCOMMIT\n";
    const { machine, runs } = machineWith(everything, { saved });
    removeRules(undefined, machine);
    const scripts = runs.filter(({ input }) => input !== "").map(({ input }) => input);
    const undone =
      "*nat\n-D OUTPUT -p tcp -j OUTRIGGER_OUTBOUND\n-F OUTRIGGER_OUTBOUND\n-X OUTRIGGER_OUTBOUND\nCOMMIT\n";
    expect(scripts).toEqual(["table inet outrigger {}\ndelete table inet outrigger\n", undone, undone]);
  });
});
