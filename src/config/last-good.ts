/**
 * The last configuration that was right, as text with its references unresolved: what a restarted container runs
 * on when the file has become wrong meanwhile. Kept in the state folder, for one configuration path.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ConfigDocument } from "./document.ts";
import { isMap } from "./raw.ts";
import { fileTrouble } from "./reading.ts";
import { type Environment, References } from "./references.ts";
import { stateCandidates } from "./state.ts";

const fileName = "last-good.json";

/** A configuration that was in use. */
export interface LastGood {
  /** Absolute path of the file it was read from. */
  readonly path: string;
  /** The text, references unresolved. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly savedAtMs: number;
}

/** Keeps the text. Resolves to why it could not be kept, as the end of a sentence, or undefined. Never rejects. */
export async function saveLastGood(stateDir: string, good: LastGood): Promise<string | undefined> {
  const target = join(stateDir, fileName);
  const draft = join(stateDir, `.${fileName}.${crypto.randomUUID()}`);
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await writeFile(draft, JSON.stringify({ ...good, path: resolve(good.path) }), { mode: 0o600 });
    await rename(draft, target);
    return undefined;
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    return fileTrouble(error);
  }
}

/** What was kept for this configuration path; undefined when there is nothing, or nothing that can be read. */
export async function loadLastGood(stateDir: string, path: string): Promise<LastGood | undefined> {
  try {
    const kept: unknown = JSON.parse(await readFile(join(stateDir, fileName), "utf8"));
    return isLastGood(kept) && kept.path === resolve(path) ? kept : undefined;
  } catch {
    return undefined;
  }
}

function isLastGood(value: unknown): value is LastGood {
  return (
    isMap(value) &&
    typeof value.path === "string" &&
    typeof value.text === "string" &&
    typeof value.savedAtMs === "number"
  );
}

/**
 * Looks for the last good text when the configuration is wrong, and so does not say where state is: in the folder
 * a readable `state:` names, else in each place state could be. `text` is the wrong configuration, if it could be read.
 */
export async function findLastGood(
  path: string,
  text: string | undefined,
  env: Environment,
): Promise<LastGood | undefined> {
  const state = text === undefined ? undefined : statedIn(path, text, env);
  for (const { folder } of [...stateCandidates({ state }, env), ...stateCandidates({ state: undefined }, env)]) {
    const good = await loadLastGood(folder, path);
    if (good !== undefined) return good;
  }
  return undefined;
}

function statedIn(path: string, text: string, env: Environment): string | undefined {
  const folder = resolve(path, "..");
  const scalar = new ConfigDocument(path, text).scalarAt(["state"]);
  const value = scalar && new References(env, folder).read(scalar, ["state"]);
  return typeof value === "string" && value !== "" ? resolve(folder, value) : undefined;
}
