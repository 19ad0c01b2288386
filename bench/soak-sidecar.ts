/** The sidecar under soak: its config, which says a number that reloads change, its process, and what can be read of it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { LOAD_CORE, PROXY_CORE } from "./layout.ts";
import { family, memory, pinned } from "./linux.ts";
import { makeCertificate } from "./origins.ts";
import { connects, freePort } from "./running.ts";
import type { Reading } from "./soak-verdict.ts";

/** Where each kind of traffic goes; 0 where this build does not know the kind. */
export interface Ports {
  plain: number;
  tls: number;
  tcp: number;
}

/** An optional listener of the config, and how its absence is told. */
interface Feature {
  name: Exclude<keyof Ports, "plain">;
  lines(port: number, place: { app: number; cert: string; key: string }): string[];
}

const features: readonly Feature[] = [
  {
    name: "tls",
    lines: (port, { app, cert, key }) => [
      "  - name: tls",
      `    listen: 127.0.0.1:${port}`,
      `    tls: { certificates: [{ cert: "${cert}", key: "${key}" }] }`,
      `    to: http://127.0.0.1:${app}`,
      "    timeouts: { head: 5s, keepAlive: 5s, connect: 10s, idle: 20s }",
    ],
  },
  {
    name: "tcp",
    lines: (port, { app }) => [
      "  - name: tcp",
      `    listen: 127.0.0.1:${port}`,
      "    protocol: tcp",
      `    to: tcp://127.0.0.1:${app}`,
      "    timeouts: { connect: 10s, idle: 20s }",
    ],
  },
];

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 60_000;
const RELOAD_LIMIT_MS = 10_000;

export class SoakSidecar {
  readonly ports: Ports = { plain: freePort(), tls: 0, tcp: 0 };
  /** Features this build does not know, with its own words. */
  readonly unknown: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "soak-"));
  readonly #config = join(this.#folder, "outrigger.yaml");
  readonly #health = freePort();
  readonly #program: readonly string[];
  readonly #app: number;
  readonly #echo: number;
  readonly #files: { cert: string; key: string };
  #version = 1;
  #child: Subprocess<"ignore", number, number> | undefined;

  constructor(program: readonly string[], app: number, echo: number) {
    this.#program = program;
    this.#app = app;
    this.#echo = echo;
    mkdirSync(join(this.#folder, "state"));
    this.#files = makeCertificate(this.#folder);
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null;
  }

  /** What it wrote to its own log besides news and the failures of requests that the traffic is made to have. */
  get complaints(): string[] {
    const file = join(this.#folder, "said.err");
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    return lines.filter((line) => line !== "" && !/"level":"info"|"event":"request_failed"/.test(line));
  }

  /** Asks the program which listeners it knows, then starts it with those. */
  async start(): Promise<void> {
    for (const { name } of features) {
      this.ports[name] = freePort();
      const fault = this.#fault();
      if (fault === undefined) continue;
      this.ports[name] = 0;
      this.unknown.push(`${name}: ${fault}`);
    }
    this.#write();
    const open = (name: string): Bun.BunFile => Bun.file(join(this.#folder, name));
    this.#child = pinned(PROXY_CORE, LOAD_CORE, () =>
      Bun.spawn([...this.#program, "run", "-c", this.#config], {
        stdin: "ignore",
        stdout: open("said.out"),
        stderr: open("said.err"),
      }),
    ) as unknown as Subprocess<"ignore", number, number>;
    for (const until = performance.now() + START_LIMIT_MS; !(await connects(this.ports.plain)); await Bun.sleep(20)) {
      if (this.isRunning && performance.now() < until) continue;
      throw new Error(`the sidecar did not start:\n${readFileSync(join(this.#folder, "said.err"), "utf8")}`);
    }
  }

  /** A reload that must take effect, or one of a broken file, that must change nothing; returns what went wrong. */
  async reload(broken: boolean): Promise<string | undefined> {
    const before = this.#version;
    this.#version++;
    this.#write(broken ? "inbound: [ this is no listener" : "");
    this.#child?.kill("SIGHUP");
    if (broken) {
      await Bun.sleep(500);
      this.#version = before;
      const said = await this.#said();
      this.#write();
      this.#child?.kill("SIGHUP");
      return said === before ? undefined : `a broken file changed the answer from ${before} to ${said}`;
    }
    for (const until = performance.now() + RELOAD_LIMIT_MS; performance.now() < until; await Bun.sleep(50)) {
      if ((await this.#said()) === this.#version) return undefined;
    }
    return `the config of version ${this.#version} was not in force after ${RELOAD_LIMIT_MS} ms`;
  }

  async reading(minutes: number, acts: number): Promise<Reading> {
    const { rssKiB, rssAnonKiB } = memory(this.#pids());
    return {
      minutes,
      rssMiB: rssKiB / 1024,
      rssAnonMiB: rssAnonKiB / 1024,
      descriptors: this.descriptors(),
      loopDelayMs: await this.#loopDelayMs(),
      acts,
    };
  }

  descriptors(): number {
    return this.#pids().reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  }

  /** Ends it as the kubelet does; resolves to its exit code. */
  async stop(): Promise<number | null> {
    if (!this.#child) return null;
    this.#child.kill("SIGTERM");
    await Promise.race([this.#child.exited, Bun.sleep(STOP_LIMIT_MS).then(() => this.#child?.kill("SIGKILL"))]);
    return this.#child.exitCode;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #pids(): number[] {
    return this.#child ? family(this.#child.pid) : [];
  }

  async #said(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.plain}/version`);
    return Number(await answer.text());
  }

  async #loopDelayMs(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#health}/metrics`)).text();
    const seconds = /^outrigger_event_loop_lag_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1];
    if (seconds === undefined) throw new Error("/metrics has no outrigger_event_loop_lag_seconds");
    return Number(seconds) * 1000;
  }

  /** What `check` finds wrong with the config as it stands, in one line. */
  #fault(): string | undefined {
    this.#write();
    const ran = Bun.spawnSync([...this.#program, "check", "-c", this.#config], { stdout: "ignore", stderr: "pipe" });
    return ran.success ? undefined : ran.stderr.toString().trim().split("\n")[0]?.replaceAll(this.#folder, "");
  }

  #write(more = ""): void {
    const place = { app: this.#app, ...this.#files };
    const optional = features.filter(({ name }) => this.ports[name] > 0);
    const lines = [
      `state: ${join(this.#folder, "state")}`,
      `health: 127.0.0.1:${this.#health}`,
      "inbound:",
      "  - name: plain",
      `    listen: 127.0.0.1:${this.ports.plain}`,
      `    to: http://127.0.0.1:${this.#app}`,
      "    timeouts: { head: 5s, keepAlive: 5s, connect: 10s, idle: 20s }",
      "    routes:",
      `      - { match: { path: /version }, respond: { status: 200, body: "${this.#version}" } }`,
      `      - { match: { path: /echo }, to: "http://127.0.0.1:${this.#echo}" }`,
      ...optional.flatMap(({ name, lines: of }) => of(this.ports[name], place)),
      more,
      "",
    ];
    writeFileSync(this.#config, lines.join("\n"));
  }
}
