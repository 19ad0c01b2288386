/** The log collectors that are compared: where each program is found and how it is called. */
import { join } from "node:path";
import { outrigger } from "../contenders.ts";
import { Unavailable } from "../fetch.ts";
import { type Daemon, type Installed, installed } from "./packages.ts";

export interface LogContender {
  name: string;
  /** Under `bench/configs`. */
  template: string;
  /** The whole command; `folder` is the collector's own, with a writable folder `state`. */
  command(config: string, folder: string): string[];
  version: string;
}

export type LogFound = { contender: LogContender } | { missing: string };

/** A contender for which lines are one of its inputs: what it is started with. */
interface Entry {
  template: string;
  find(options: FindOptions): Promise<Pick<LogContender, "command" | "version">>;
}

interface FindOptions {
  fromSource: boolean;
  say(line: string): void;
}

const entries: Readonly<Record<string, Entry>> = {
  outrigger: {
    template: "logs/outrigger.yaml",
    async find({ fromSource }) {
      const program = outrigger(fromSource);
      return {
        command: (config) => [...program, "run", "-c", config],
        version: `outrigger ${said(program, "version")}`,
      };
    },
  },
  rsyslog: {
    template: "logs/rsyslog.conf",
    find: (options) => daemon("rsyslogd", options, "-v", rsyslogd),
  },
  "syslog-ng": {
    template: "logs/syslog-ng.conf",
    find: (options) => daemon("syslog-ng", options, "--version", syslogNg),
  },
};

export const LOG_CONTENDERS = Object.keys(entries).filter((name) => name !== "outrigger");

/** Looks the collector's program up, fetching it if need be. */
export async function findCollector(name: string, options: FindOptions): Promise<LogFound> {
  const entry = entries[name];
  if (!entry) return { missing: `${name} is not one of ${Object.keys(entries).join(", ")}` };
  try {
    return { contender: { name, template: entry.template, ...(await entry.find(options)) } };
  } catch (error) {
    if (error instanceof Unavailable) return { missing: `${name}: ${error.message}` };
    throw error;
  }
}

async function daemon(
  name: Daemon,
  { say }: FindOptions,
  versionOption: string,
  command: (its: Installed, config: string, state: string) => string[],
): Promise<Pick<LogContender, "command" | "version">> {
  const its = await installed(name, say);
  return {
    command: (config, folder) => command(its, config, join(folder, "state")),
    version: said(its.program, versionOption)
      .replace(/ +\(aka.*$/, "")
      .replace(/\s+/g, " "),
  };
}

function rsyslogd({ program, root }: Installed, config: string, state: string): string[] {
  const modules = root === "/" ? [] : ["-M", modulesOf(root)];
  return [...program, "-n", "-f", config, "-i", join(state, "pid"), ...modules];
}

function modulesOf(root: string): string {
  const [found] = [...new Bun.Glob("usr/lib/*/rsyslog/imfile.so").scanSync({ cwd: root })];
  if (found === undefined) throw new Unavailable(`no imfile.so under ${root}`);
  return join(root, found, "..");
}

function syslogNg({ program, root }: Installed, config: string, state: string): string[] {
  const [affile] = root === "/" ? [] : [...new Bun.Glob("usr/lib/syslog-ng/*/libaffile.so").scanSync({ cwd: root })];
  const modules = affile === undefined ? [] : ["--module-path", join(root, affile, "..")];
  const files = ["--persist-file", "persist", "--control", "control", "--pidfile", "pid"];
  const places = files.map((word) => (word.startsWith("--") ? word : join(state, word)));
  return [...program, "-F", "--no-caps", "-f", config, ...places, ...modules];
}

function said(program: readonly string[], ...words: string[]): string {
  const ran = Bun.spawnSync([...program, ...words], { stdout: "pipe", stderr: "pipe" });
  return `${ran.stdout}\n${ran.stderr}`.trim().split("\n")[0] ?? "";
}
