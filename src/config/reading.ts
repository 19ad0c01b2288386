/**
 * What reading a configuration may look at outside its text. A zod schema has no place to hand this to its
 * scalars, and parsing is synchronous, so one variable holds it while a document is parsed.
 */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Parsed } from "./address.ts";
import type { Environment } from "./references.ts";

interface Surroundings {
  /** The folder relative paths start from. */
  readonly folder: string;
  /** Absolute paths of the files that were asked for: a change in one is a reason to reload. */
  readonly files: Set<string>;
  /** False when the files need not be here: `check --no-env`. */
  readonly looksAtFiles: boolean;
  /** Where `pod:` finds what it says; empty where nothing outside is looked at. */
  readonly env: Environment;
}

let surroundings: Surroundings = { folder: "/", files: new Set(), looksAtFiles: false, env: {} };

/** Runs `parse` with these surroundings. `parse` must not be asynchronous. */
export function withSurroundings<T>(given: Surroundings, parse: () => T): T {
  const before = surroundings;
  surroundings = given;
  try {
    return parse();
  } finally {
    surroundings = before;
  }
}

/** Why a file cannot be read, as the end of a sentence; undefined when it can. */
export function unreadable(path: string): string | undefined {
  try {
    if (statSync(path).isDirectory()) return "is a directory";
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return fileTrouble(error);
  }
}

/** What a failed file call says, as the end of a sentence about the file. */
export function fileTrouble(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const known: Record<string, string> = {
    ENOENT: "does not exist",
    ENOTDIR: "does not exist",
    EACCES: "may not be read by this user",
    EPERM: "may not be read by this user",
    EISDIR: "is a directory",
    ENAMETOOLONG: "has too long a name",
    ELOOP: "is a loop of links",
  };
  return known[code] ?? `cannot be read (${code || String(error)})`;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

export const readingFiles = {
  /** The absolute path. */
  resolve(path: string): string {
    return resolve(surroundings.folder, path);
  },

  environment(): Environment {
    return surroundings.env;
  },

  /** The text of a file that need not be there; it is watched from now on. */
  look(path: string): string | undefined {
    surroundings.files.add(path);
    return surroundings.looksAtFiles ? textOf(path) : undefined;
  },

  /** The absolute path of a file that must be readable, and is watched from now on. */
  require(path: string): Parsed<string> {
    const absolute = resolve(surroundings.folder, path);
    surroundings.files.add(absolute);
    const trouble = path === "" ? "is empty" : surroundings.looksAtFiles ? unreadable(absolute) : undefined;
    if (trouble === undefined) return { value: absolute };
    return {
      problem: `the file ${path === "" ? "name" : absolute} ${trouble}`,
      remedy: "name a file that can be read, relative to this file or absolute",
    };
  },
};
