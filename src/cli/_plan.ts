/** What `dev` starts: which sidecar, on which state, and where its health answers. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { homeFolder } from "../config/home.ts";
import { findConfig, formatFaults, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { errorCode, UserError } from "../errors.ts";
import { healthUrl } from "./_health-url.ts";
import type { PairPlan } from "./_pair.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** How this very program is started again: the compiled binary by itself, the source by Bun. */
function selfCommand(): string[] {
  const isCompiled = /^(\/\$bunfs|[A-Z]:[\\/]~BUN)/.test(import.meta.dirname);
  return isCompiled ? [process.execPath] : [process.execPath, join(import.meta.dirname, "../main.ts")];
}

/**
 * A state folder of this configuration's own, so that two projects on one machine do not share one:
 * below $XDG_STATE_HOME or ~/.local/state, else below the folder for temporary files. None when it was chosen.
 */
function stateChoice(config: Config, env: Environment): Environment {
  if (config.state !== undefined || env.OUTRIGGER_STATE_DIR) return {};
  const name = createHash("sha256").update(config.file).digest("hex").slice(0, 12);
  const home = homeFolder(env);
  const state = env.XDG_STATE_HOME ?? (home === undefined ? tmpdir() : join(home, ".local/state"));
  for (const folder of [join(state, "outrigger/dev", name), join(tmpdir(), `outrigger-dev-${name}`)]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return { OUTRIGGER_STATE_DIR: folder };
    } catch {
      // Not writable: the next one.
    }
  }
  return {};
}

/** Somebody answers there already: the sidecar could not bind it, and we would take its health for ours. */
async function refuseTakenHealth(config: Config): Promise<void> {
  const url = healthUrl(config.health);
  try {
    await fetch(`${url}/startup`, { signal: AbortSignal.timeout(1000) });
  } catch (error) {
    if (errorCode(error) === "ECONNREFUSED") return;
  }
  throw new UserError(
    `${config.file}: the health port ${config.health.port} is taken, perhaps by another outrigger; end that one, or choose another port with the key health`,
    3,
  );
}

/** Reads the configuration and finds the app. @throws UserError for what the person has to mend first */
export async function planPair(flag: string | undefined, app: readonly string[], env: Environment): Promise<PairPlan> {
  const path = resolve(findConfig(flag, env));
  const result = await loadConfig(path, { env });
  if (!result.ok) throw new UserError(formatFaults(result.faults), 1);
  if (Bun.which(app[0]!, { PATH: env.PATH ?? "" }) === null) {
    throw new UserError(`dev: there is no program ${app[0]} in $PATH`, 2);
  }
  await refuseTakenHealth(result.config);
  return {
    sidecar: [...selfCommand(), "run", "--log-format", "text", "--config", path],
    app,
    env: { ...env, ...stateChoice(result.config, env) },
    healthUrl: healthUrl(result.config.health),
    graceMs: result.config.shutdown.graceMs,
  };
}
