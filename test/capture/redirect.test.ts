/** Redirect rules in a network of the test's own: what is captured, what is left alone, and that undoing leaves nothing. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Network } from "../kit/network.ts";
import { Stage, sidecarGroup, whyNot } from "./stage.ts";

setDefaultTimeout(120_000);

let stage: Stage;
beforeAll(async () => {
  if (whyNot !== undefined) return;
  stage = await Stage.open();
  await stage.sidecar();
});
afterAll(() => stage?.close());

const asUser = (id: number) => ["setpriv", "--reuid", String(id), "--clear-groups"];
const asGroup = (id: number) => ["setpriv", "--regid", String(id), "--clear-groups"];

describe.each(["nft", "iptables"] as const)("by %s", (backend) => {
  const redirect = (directions: string, ...words: string[]) =>
    stage.redirect(directions, "--backend", backend, ...words);
  const undo = () => stage.init("--undo", "--backend", backend);
  /** The kernel's rules as the backend's own program tells them, without counters and times. */
  const rules = () =>
    backend === "nft"
      ? stage.pod.mustRun("nft", "list", "ruleset")
      : ["iptables-save", "ip6tables-save"]
          .map((program) => stage.pod.mustRun(program, "-t", "nat").replace(/^#.*$|\[\d+:\d+\]/gm, ""))
          .join("");

  test.skipIf(whyNot !== undefined)("calls out are captured over IPv4 and IPv6, those to oneself are not", async () => {
    redirect("outbound");
    expect(await stage.captures("10.77.0.1")).toBe(true);
    expect(await stage.captures("[fd77::1]")).toBe(true);
    expect(JSON.parse(await stage.fetch("http://127.0.0.1:8080/captured")).at).toBe("127.0.0.1 8080");
    // The pod's own address: nobody listens there but the sidecar.
    expect(JSON.parse(await stage.fetch("http://10.77.0.2:7411/ready"))).toEqual({ status: "ready" });
    expect(await stage.fetch("http://[fd77::2]:8080/captured")).toBe("");
    undo();
    expect(await stage.captures("10.77.0.1")).toBe(false);
  });

  test.skipIf(whyNot !== undefined)(
    "with --include-own calls to oneself are captured, but not those to the sidecar",
    async () => {
      redirect("outbound", "--include-own");
      expect(await stage.captures("127.0.0.1:8080")).toBe(true);
      expect(await stage.captures("10.77.0.2:8080")).toBe(true);
      expect(JSON.parse(await stage.fetch("http://127.0.0.1:8080/a")).at).toBe("127.0.0.1 8080");
      expect(JSON.parse(await stage.fetch("http://127.0.0.1:7411/ready"))).toEqual({ status: "ready" });
      expect(await stage.fetch("http://127.0.0.1:15001/captured")).toContain('"code":"not_redirected"');
      undo();
    },
  );

  test.skipIf(whyNot !== undefined)("users, groups, ports and ranges of addresses are left alone", async () => {
    redirect(
      "outbound",
      "--exclude-uids",
      "1234,2000-2002",
      "--exclude-gids",
      `${sidecarGroup},3000`,
      "--exclude-outbound-ports",
      "8080-8081",
      "--exclude-cidrs",
      "10.77.0.3/32,fd77::/64",
    );
    expect(await stage.captures("10.77.0.1")).toBe(true);
    for (const id of [1234, 2000, 2002]) expect(await stage.captures("10.77.0.1", asUser(id))).toBe(false);
    for (const id of [1233, 1999, 2003]) expect(await stage.captures("10.77.0.1", asUser(id))).toBe(true);
    expect(await stage.captures("10.77.0.1", asGroup(3000))).toBe(false);
    expect(await stage.captures("10.77.0.1", asGroup(3001))).toBe(true);
    expect(await stage.captures("10.77.0.1:8081")).toBe(false);
    expect(await stage.captures("10.77.0.3")).toBe(false);
    expect(await stage.captures("[fd77::1]")).toBe(false);
    undo();
  });

  test.skipIf(whyNot !== undefined)(
    "requests in are captured over IPv4 and IPv6, but for the health port and what is excluded",
    async () => {
      redirect("inbound", "--exclude-inbound-ports", "2525");
      const seen = JSON.parse(await stage.fetchFromOutside("http://10.77.0.2:8080/in"));
      expect(seen).toMatchObject({ at: "127.0.0.1 8080", url: "/in" });
      expect(seen.rawHeaders).toContain("x-forwarded-for");
      expect(seen.rawHeaders.slice(0, 2)).toEqual(["Host", "10.77.0.2:8080"]);
      expect(JSON.parse(await stage.fetchFromOutside("http://[fd77::2]:8080/in"))).toMatchObject({
        at: "127.0.0.1 8080",
      });
      expect(JSON.parse(await stage.fetchFromOutside("http://10.77.0.2:7411/ready"))).toEqual({ status: "ready" });
      // Nobody listens on that port of the pod's address, and nobody redirects it to loopback.
      expect(await stage.fetchFromOutside("telnet://10.77.0.2:2525", ["--max-time", "2"])).toBe("");
      expect(await stage.fetchFromOutside("http://10.77.0.2:15006/a")).toContain('"code":"not_redirected"');
      expect(await stage.captures("10.77.0.1")).toBe(false);
      undo();
    },
  );

  test.skipIf(whyNot !== undefined)("only the inbound ports that are named are captured", async () => {
    redirect("inbound", "--inbound-ports", "8080,9000-9002");
    expect(JSON.parse(await stage.fetchFromOutside("http://10.77.0.2:8080/in"))).toMatchObject({
      at: "127.0.0.1 8080",
    });
    expect(await stage.fetchFromOutside("http://10.77.0.2:9001/")).toContain('"code":"app_not_started"');
    expect(await stage.fetchFromOutside("http://10.77.0.2:9003/")).toBe("");
    undo();
  });

  test.skipIf(whyNot !== undefined)(
    "a second run changes nothing, another plan replaces the first, and undoing leaves what others have",
    async () => {
      const others =
        backend === "nft"
          ? () =>
              stage.pod.run(
                ["nft", "-f", "-"],
                "table inet mine { chain c { type nat hook output priority 0; tcp dport 9 return; }; }\n",
              )
          : () =>
              stage.pod.run(
                ["iptables-restore", "--noflush"],
                "*nat\n:MINE - [0:0]\n-A OUTPUT -p tcp -m tcp --dport 9 -j MINE\nCOMMIT\n",
              );
      expect(others().code).toBe(0);
      const before = rules();
      redirect("outbound,inbound", "--exclude-cidrs", "10.9.0.0/16,10.9.1.0/24", "--exclude-outbound-ports", "9-20,15");
      const set = rules();
      expect(set).not.toBe(before);
      redirect("outbound,inbound", "--exclude-cidrs", "10.9.0.0/16,10.9.1.0/24", "--exclude-outbound-ports", "9-20,15");
      expect(rules()).toBe(set);
      redirect("inbound");
      expect(rules()).not.toMatch(/10\.9\.0\.0/);
      expect(await stage.captures("10.77.0.1")).toBe(false);
      undo();
      expect(rules()).toBe(before);
      undo();
      expect(rules()).toBe(before);
      stage.pod.run(backend === "nft" ? ["nft", "delete", "table", "inet", "mine"] : ["iptables", "-t", "nat", "-F"]);
    },
  );

  test.skipIf(whyNot !== undefined)("--print shows without rights what is set with them", () => {
    const words = ["--redirect", "outbound,inbound", "--backend", backend, "--exclude-cidrs", "10.9.0.0/16,fd00::/8"];
    const shown = stage.init(...words, "--print");
    const without = stage.pod.run([
      "setpriv",
      "--bounding-set=-net_admin",
      "--inh-caps=-net_admin",
      process.execPath,
      "src/main.ts",
      "init",
      ...words,
      "--print",
    ]);
    expect(without).toEqual({ code: 0, out: shown, err: "" });
    for (const part of shown.split(/^# /m).filter((one) => one !== "")) {
      const [command = "", ...lines] = part.split("\n");
      expect(stage.pod.run(command.split(" "), lines.join("\n"))).toMatchObject({ code: 0 });
    }
    const byHand = rules();
    undo();
    stage.init(...words);
    expect(rules()).toBe(byHand);
    undo();
  });

  test.skipIf(whyNot !== undefined)("without NET_ADMIN it says what the container lacks, and changes nothing", () => {
    const before = rules();
    const drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", process.execPath, "src/main.ts"];
    for (const words of [["--redirect", "outbound"], ["--undo"]]) {
      const { code, out, err } = stage.pod.run([...drop, "init", ...words, "--backend", backend]);
      expect({ code, out }).toEqual({ code: 3, out: "" });
      expect(err).toContain("lacks the capability NET_ADMIN");
      expect(err).toContain("capabilities.add: [NET_ADMIN]");
      expect(err.split("\n").length).toBe(2);
    }
    expect(rules()).toBe(before);
  });
});

test.skipIf(whyNot !== undefined)("only NET_ADMIN is needed for nft", () => {
  const only = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", process.execPath, "src/main.ts"];
  const { code, err } = stage.pod.run([...only, "init", "--redirect", "outbound", "--backend", "nft"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  stage.init("--undo");
});

test.skipIf(whyNot !== undefined)("UDP, and so DNS, goes past", async () => {
  stage.redirect("outbound,inbound");
  const { out } = await stage.pod.runBeside([process.execPath, "test/capture/ask.ts", "10.77.0.1", "53"]);
  expect(out).toBe("10.77.0.2 asked");
  stage.init("--undo");
});

describe.skipIf(whyNot !== undefined)("what was set is seen to work", () => {
  const networks: Network[] = [];
  let pod: Network;
  beforeAll(async () => {
    const world = await Network.create();
    pod = await Network.create();
    networks.push(world, pod);
    pod.connect(world);
    pod.use("10.77.0.2/24");
    world.use("10.77.0.1/24");
    pod.leaveBy("10.77.0.1");
  });
  afterAll(() => Promise.all(networks.map((network) => network.end())));
  const init = (...words: string[]) => pod.run([process.execPath, "src/main.ts", "init", ...words]);

  test("by a call that comes to the port", () => {
    for (const backend of ["nft", "iptables"]) {
      const { code, out } = init("--redirect", "outbound", "--backend", backend);
      expect({ code, last: out.trim().split("\n").at(-1) }).toEqual({
        code: 0,
        last: "outbound: verified: a call to 198.18.0.1:9 came to port 15001",
      });
      init("--undo");
    }
  });

  test("or not to: somebody else's rules come first", () => {
    const first = "table ip first { chain c { type nat hook output priority -150; tcp dport 9 redirect to :1; }; }\n";
    expect(pod.run(["nft", "-f", "-"], first).code).toBe(0);
    const { code, err } = init("--redirect", "outbound");
    expect(code).toBe(3);
    expect(err).toContain("a call to 198.18.0.1:9 did not come to port 15001");
    expect(init("--redirect", "outbound", "--no-verify").code).toBe(0);
    pod.mustRun("nft", "delete", "table", "ip", "first");
    init("--undo");
  });

  test("or cannot be seen, and then it says why", () => {
    const why = (...words: string[]) =>
      init("--redirect", "outbound", ...words)
        .out.trim()
        .split("\n")
        .at(-1);
    expect(why("--exclude-uids", "0")).toBe("outbound: not verified by a call, as this process is excluded itself");
    expect(why("--exclude-cidrs", "198.18.0.0/15")).toBe(
      "outbound: not verified by a call, as 198.18.0.1:9 is excluded",
    );
    pod.mustRun("ip", "route", "del", "default");
    expect(why()).toBe("outbound: not verified by a call, as this network has no default route for IPv4");
  });
});
