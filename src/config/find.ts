/** Where the configuration is. */
import { existsSync } from "node:fs";
import type { Environment } from "./references.ts";

export const wellKnownConfig = "/etc/outrigger/outrigger.yaml";

/** The configuration's path as it was given: the flag, `$OUTRIGGER_CONFIG`, the well-known place if it is there, else this folder's. */
export function findConfig(flag: string | undefined, env: Environment): string {
  const named = flag ?? (env.OUTRIGGER_CONFIG || undefined);
  return named ?? (existsSync(wellKnownConfig) ? wellKnownConfig : "outrigger.yaml");
}
