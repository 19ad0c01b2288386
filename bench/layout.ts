/** Where things are: this checkout, what the bench keeps between runs, and who gets which core. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export const PROXY_CORE = 0;
export const LOAD_CORE = 1;
export const ROOT = resolve(import.meta.dir, "..");
export const BINARY = join(ROOT, "dist/outrigger");

/** Programs that were fetched or built for comparison; may be removed at any time. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "outrigger-bench");
