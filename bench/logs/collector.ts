/** One collector at work: a process with folders of its own on the proxy's core. */
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { LOAD_CORE, PROXY_CORE } from "../layout.ts";
import { cpuNs, family, pinned } from "../linux.ts";
import { freePort } from "../running.ts";
import { fill, type Places, type Switches } from "../template.ts";
import type { LogContender } from "./contenders.ts";
import type { LineFile } from "./lines.ts";

export interface Start {
  /** The folder in which it gets its own. */
  workspace: string;
  places?: Places;
  switches: Switches;
  /** Puts files where they are collected from, before it starts. */
  prepare?(folder: string): void;
}

const STOP_LIMIT_MS = 20_000;

/** All that a config may ask for, unless a case says otherwise. */
const OFF: Switches = { collect: 1, raw: 0, json: 0, secrets: 0, java: 0, http: 0, proxy: 0 };

export class Collector {
  readonly label: string;
  /** Where a file of output is written. */
  readonly out: string;
  private readonly folder: string;
  private readonly child: Subprocess;

  private constructor(label: string, folder: string, child: Subprocess) {
    this.label = label;
    this.folder = folder;
    this.out = join(folder, "out");
    this.child = child;
  }

  /** Starts the contender in a new folder under `workspace`. */
  static async start(contender: LogContender, label: string, start: Start): Promise<Collector> {
    const { workspace, places, switches } = start;
    const folder = join(workspace, label.replace(/\W+/g, "-"));
    for (const name of ["in", "state"]) mkdirSync(join(folder, name), { recursive: true });
    start.prepare?.(join(folder, "in"));
    const config = join(folder, "config");
    const filled = { health: freePort(), ...places, folder };
    writeFileSync(config, await fill(contender.template, filled, { ...OFF, ...switches }));
    const child = pinned(PROXY_CORE, LOAD_CORE, () =>
      Bun.spawn(contender.command(config, folder), {
        cwd: folder,
        stdin: "ignore",
        stdout: Bun.file(join(folder, "said.out")),
        stderr: Bun.file(join(folder, "said")),
      }),
    );
    // Before the workspace goes: one that still wrote there would keep it from being removed.
    process.prependListener("exit", () => child.kill("SIGKILL"));
    return new Collector(label, folder, child);
  }

  /** Where it collects from. */
  get in(): string {
    return join(this.folder, "in");
  }

  /** One more file for it to find. It is there whole at once; `name` must be new. */
  give(file: LineFile, name: string): void {
    linkSync(file.path, join(this.in, `${name}.log`));
  }

  /** User and system time so far, in milliseconds. @throws when it has ended */
  cpuMs(): number {
    return Number(this.pids().reduce((sum, pid) => sum + cpuNs(pid), 0n)) / 1e6;
  }

  /** The most that was ever resident, in MiB. */
  peakRssMiB(): number {
    return this.fromStatus(/^VmHWM:\s+(\d+)/m);
  }

  /** What is resident now, in MiB. */
  rssMiB(): number {
    return this.fromStatus(/^VmRSS:\s+(\d+)/m);
  }

  private fromStatus(line: RegExp): number {
    const kib = (pid: number) => Number(line.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
    return this.pids().reduce((sum, pid) => sum + kib(pid), 0) / 1024;
  }

  pids(): number[] {
    if (this.child.exitCode !== null) throw new Error(`${this.label} ended: ${this.said()}`);
    return family(this.child.pid);
  }

  /** The last of what it said on stderr; of what matches. */
  said(of = /./): string {
    const path = join(this.folder, "said");
    if (!existsSync(path)) return "";
    const lines = readFileSync(path, "utf8").trim().split("\n");
    return lines
      .filter((line) => of.test(line))
      .slice(-5)
      .join("\n");
  }

  /** Ends it by SIGTERM and waits; its files stay until `remove`. */
  async stop(): Promise<void> {
    this.child.kill();
    const late = setTimeout(() => this.child.kill("SIGKILL"), STOP_LIMIT_MS);
    await this.child.exited;
    clearTimeout(late);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
