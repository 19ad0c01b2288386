/** Where state is kept: checkpoints and the last good configuration. */
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { type Fault, type Finding, fileFault } from "./faults.ts";
import { homeFolder } from "./home.ts";
import { entriesOf } from "./raw.ts";
import { fileTrouble } from "./reading.ts";
import type { Environment } from "./references.ts";
import type { Config } from "./schema.ts";

const systemState = "/var/lib/outrigger";

/** A place for state, and who chose it: what nobody chose may be passed over. */
export interface StateCandidate {
  readonly folder: string;
  readonly chosenBy: string | undefined;
}

/** Where state may be, in the order it is looked for. */
export function stateCandidates(config: Pick<Config, "state">, env: Environment): StateCandidate[] {
  if (config.state !== undefined) return [{ folder: config.state, chosenBy: "state" }];
  if (env.OUTRIGGER_STATE_DIR) return [{ folder: resolve(env.OUTRIGGER_STATE_DIR), chosenBy: "$OUTRIGGER_STATE_DIR" }];
  const xdg = env.XDG_STATE_HOME;
  if (xdg?.startsWith("/")) return [{ folder: join(xdg, "outrigger"), chosenBy: "$XDG_STATE_HOME" }];
  const home = homeFolder(env);
  const own = home === undefined ? [] : [join(home, ".local/state/outrigger")];
  return [systemState, ...own].map((folder) => ({ folder, chosenBy: undefined }));
}

type StateNeeds = Pick<Config, "file" | "state" | "logs">;

/** The folder for state, or what is wrong with every possible one. Looks only, makes nothing. */
export function lookForState(config: StateNeeds, env: Environment): { folder: string } | Finding {
  const tried = stateCandidates(config, env).map((one) => ({ ...one, trouble: stateTrouble(one.folder, config) }));
  const usable = tried.find(({ trouble }) => trouble === undefined);
  if (usable !== undefined) return usable;
  if (config.logs.length === 0) return tried[0]!;
  const problem = tried.map(
    ({ folder, chosenBy, trouble }) =>
      `${chosenBy === undefined || chosenBy === "state" ? "" : `${chosenBy}: `}${folder} ${trouble}`,
  );
  return {
    path: ["state"],
    problem: problem.join(", and "),
    remedy: "write state: with a folder that can be written, beside the logs and not among them",
  };
}

/**
 * The absolute path of the folder for state, made when it was missing; or the fault when logs are to be collected
 * and there is no place for their checkpoints. Without logs a folder that cannot be written is no fault.
 */
export function resolveState(config: Config, env: Environment): string | Fault {
  const found = lookForState(config, env);
  if ("problem" in found) return { ...fileFault(config.file, found.problem, found.remedy), path: "state" };
  try {
    mkdirSync(found.folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const problem = `${found.folder} cannot be made: it ${fileTrouble(error)}`;
    const fault = fileFault(config.file, problem, "write state: with a folder that can be written");
    if (config.logs.length > 0) return { ...fault, path: "state" };
  }
  return found.folder;
}

function stateTrouble(folder: string, config: StateNeeds): string | undefined {
  const logs = logFolders(config).find((collected) => isInside(folder, collected));
  if (logs !== undefined) return `is among the collected logs of ${logs}`;
  return unwritable(folder);
}

/** Why no file can be made in a folder, which itself may have to be made; undefined when it can. */
function unwritable(folder: string): string | undefined {
  try {
    if (!statSync(folder).isDirectory()) return "is not a folder";
    accessSync(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && folder !== "/") return unwritable(dirname(folder));
    const cannot = ["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "");
    return cannot ? "cannot be written" : fileTrouble(error);
  }
}

/** The folders logs are collected from: of each path or pattern in an input's options, what stands before the pattern. */
function logFolders(config: StateNeeds): string[] {
  const paths = config.logs.flatMap(({ input }) => texts(input.options)).filter((path) => path.includes("/"));
  const folders = paths.map((path) => dirname(resolve(dirname(config.file), path.replace(/[*?[{].*$/, "x"))));
  // A pattern over the whole system, such as /var/**/*.log, does not make the system a log volume.
  return folders.filter((folder) => !isInside(systemState, folder));
}

function texts(options: unknown): string[] {
  if (typeof options === "string") return [options];
  if (Array.isArray(options)) return options.flatMap(texts);
  return entriesOf(options).flatMap(([, value]) => texts(value));
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
