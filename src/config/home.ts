/** The user's own folder, where there is one. */
import { homedir } from "node:os";
import type { Environment } from "./references.ts";

/**
 * `$HOME`, else what the system knows of the user. Undefined in a container whose user has neither: OpenShift and
 * `runAsUser` give a number that stands in no /etc/passwd, and the lookup throws.
 */
export function homeFolder(env: Environment, ofSystem: () => string = homedir): string | undefined {
  if (env.HOME) return env.HOME;
  try {
    return ofSystem();
  } catch {
    return undefined;
  }
}
