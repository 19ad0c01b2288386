/** The config a process starts with: the file's, or, when a restarted container finds it wrong, the last good text. */
import { readFile } from "node:fs/promises";
import { UserError } from "../errors.ts";
import { type Fault, formatFaults } from "./faults.ts";
import { findLastGood } from "./last-good.ts";
import { type Loaded, type LoadOptions, loadConfig } from "./load.ts";
import type { Environment } from "./references.ts";
import { resolveState } from "./state.ts";

export interface FirstLoad {
  readonly loaded: Loaded;
  /** Folder for checkpoints and the last good text. */
  readonly stateDir: string;
  /** What is wrong with the file, when the last good text is used instead of it. */
  readonly faults: readonly Fault[];
}

/** @throws UserError (exit 1) with every fault, when there is no last good text */
export async function firstLoad(
  path: string,
  how: Pick<LoadOptions, "env" | "watchdog" | "noteFile">,
): Promise<FirstLoad> {
  const { env } = how;
  const fromFile = await loadConfig(path, how);
  if (fromFile.ok) return { loaded: fromFile, stateDir: stateOf(fromFile, env), faults: [] };
  const good = await findLastGood(path, await textOf(path), env);
  const lastGood =
    good === undefined ? undefined : await loadConfig(path, { ...how, text: good.text, usesKeptFilters: true });
  // The last good text may have become wrong too: a variable or a file it refers to is gone.
  if (lastGood?.ok !== true) throw new UserError(formatFaults(fromFile.faults), 1);
  return { loaded: lastGood, stateDir: stateOf(lastGood, env), faults: fromFile.faults };
}

function stateOf({ config }: Loaded, env: Environment): string {
  const state = resolveState(config, env);
  if (typeof state !== "string") throw new UserError(formatFaults([state]), 1);
  return state;
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}
