import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { until } from "./until.ts";

/** A collector in a process of its own, its stdout and stderr in files. */
export class CollectorProcess {
  readonly child: Subprocess<"pipe", number, number>;
  private readonly out: string;
  private readonly err: string;

  /** `stdout` is a descriptor to write to instead of a file. */
  constructor(folder: string, name: string, state: string, patterns: readonly string[], stdout?: number) {
    this.out = join(folder, `${name}.out`);
    this.err = join(folder, `${name}.err`);
    const [out, err] = [stdout ?? openSync(this.out, "w"), openSync(this.err, "w")];
    const program = join(import.meta.dir, "collect.ts");
    const command = [process.execPath, program, state, ...patterns];
    this.child = Bun.spawn(command, { stdin: "pipe", stdout: out, stderr: err });
    if (stdout === undefined) closeSync(out);
    closeSync(err);
  }

  async ready(): Promise<this> {
    await until(() => this.events().some(({ event }) => event === "collecting"), { what: "the collector's start" });
    return this;
  }

  get pid(): number {
    return this.child.pid;
  }

  text(): string {
    return readFileSync(this.out, "latin1");
  }

  /** Whole lines; a kill may have cut the last one. */
  lines(): string[] {
    return this.text().split("\n").slice(0, -1);
  }

  events(): { event: string; [field: string]: unknown }[] {
    const whole = readFileSync(this.err, "utf8").split("\n").slice(0, -1);
    return whole.map((line) => JSON.parse(line));
  }

  /** Sends a command, see collect.ts. */
  tell(command: Record<string, unknown>): void {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    this.child.stdin.flush();
  }

  /** The fields of the last event of this name, once there is one that `holds`. */
  async said(event: string, holds: (fields: Record<string, unknown>) => boolean = () => true) {
    const last = () => this.events().findLast((one) => one.event === event && holds(one));
    await until(() => last() !== undefined, { what: `the event ${event}` });
    return last()!;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  /** Drains; returns the exit code. */
  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    return this.child.exited;
  }
}
