/** The only place that reads the process's environment. */
import type { Environment } from "./references.ts";

export type { Environment } from "./references.ts";

/** The environment as it was when this was called. */
export function readEnvironment(): Environment {
  return { ...process.env };
}
