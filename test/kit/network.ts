/** Networks of their own (network namespaces) for the processes of a test. They go when their holder ends. */
import { readlinkSync } from "node:fs";
import type { Subprocess } from "bun";
import { until } from "./until.ts";

/** What changes networks is often beside the path of users. */
const path = `${process.env.PATH}:/usr/sbin:/sbin`;
const env = { ...process.env, PATH: path };

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class Network {
  /** In front of a program's words, to run it in this network. */
  readonly words: readonly string[];
  private readonly holder: Subprocess;
  private readonly started: Subprocess<"ignore", "pipe", "inherit">[] = [];

  private constructor(holder: Subprocess) {
    this.holder = holder;
    this.words = ["nsenter", `--net=/proc/${holder.pid}/ns/net`, "--"];
  }

  /** With loopback, and nothing else. */
  static async create(): Promise<Network> {
    const holder = Bun.spawn(["unshare", "--net", "sleep", "900"], { stdin: "ignore", stdout: "ignore" });
    const network = new Network(holder);
    const own = readlinkSync("/proc/self/ns/net");
    await until(() => holder.exitCode !== null || readlinkSync(`/proc/${holder.pid}/ns/net`) !== own, {
      what: "a network",
    });
    network.mustRun("ip", "link", "set", "lo", "up");
    return network;
  }

  /** A cable between two networks; each end is called eth0. */
  connect(other: Network): void {
    this.mustRun(
      "ip",
      "link",
      "add",
      "eth0",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      String(other.holder.pid),
    );
  }

  /** Gives eth0 these addresses, with their lengths, and puts it into use. */
  use(...addresses: string[]): void {
    for (const address of addresses)
      this.mustRun("ip", "address", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : []));
    this.mustRun("ip", "link", "set", "eth0", "up");
  }

  /** What is nowhere else goes to that address. */
  leaveBy(gateway: string): void {
    this.mustRun("ip", "route", "add", "default", "via", gateway);
  }

  /** Runs a program to its end. */
  run(words: readonly string[], input = ""): Ended {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...this.words, ...words], {
      stdin: Buffer.from(input),
      env,
    });
    return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
  }

  /** The same, beside what this process has to do meanwhile. */
  async runBeside(words: readonly string[]): Promise<Ended> {
    const child = Bun.spawn([...this.words, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, out, err };
  }

  mustRun(...words: string[]): string {
    const { code, out, err } = this.run(words);
    if (code !== 0) throw new Error(`${words.join(" ")}: ${err}`);
    return out;
  }

  /** Starts a program that says `ready` when it is. */
  async start(...words: string[]): Promise<void> {
    const child = Bun.spawn([...this.words, ...words], { stdin: "ignore", stdout: "pipe", stderr: "inherit", env });
    this.started.push(child);
    for await (const bytes of child.stdout) if (new TextDecoder().decode(bytes).includes("ready")) return;
    throw new Error(`${words.join(" ")} ended before it was ready`);
  }

  async end(): Promise<void> {
    for (const child of [...this.started, this.holder]) child.kill("SIGKILL");
    await Promise.all([...this.started, this.holder].map(({ exited }) => exited));
  }
}

/** Why there can be no networks with redirect rules here; undefined where all is well. Says so for the skipped tests. */
export function whyNoNetworks(programs: readonly string[]): string | undefined {
  const missing = ["unshare", "nsenter", "ip", ...programs].find(
    (program) => Bun.which(program, { PATH: path }) === null,
  );
  if (missing !== undefined) return `there is no ${missing}; install iproute2, util-linux, nftables, iptables, curl`;
  const { exitCode, stderr } = Bun.spawnSync(["unshare", "--net", "true"]);
  return exitCode === 0 ? undefined : `this user may not make a network: ${stderr.toString().trim()}`;
}
