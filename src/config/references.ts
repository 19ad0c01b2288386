/**
 * `${NAME}` and `${file:/path}` inside a scalar, replaced after the YAML was parsed: what they bring in is text
 * and is never parsed again, neither as YAML nor for more references. `$${` stands for a literal `${`.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Scalar } from "yaml";
import type { Finding } from "./faults.ts";
import type { Path } from "./raw.ts";
import { fileTrouble } from "./reading.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Group 1 is what stands between the braces; it is missing where the closing one is. */
const reference = /\$\$\{|\$\{(?:([^}]*)\})?/g;
const largestFileBytes = 1024 * 1024;

interface Trouble {
  readonly problem: string;
  readonly remedy: string;
}

export class References {
  readonly findings: Finding[] = [];
  /** Takes the absolute paths of the files that are named, readable or not. */
  readonly #files: Set<string>;
  /** Scalars with references, and how they were written. */
  readonly #written = new Map<Scalar, string>();
  readonly #env: Environment | undefined;
  readonly #folder: string;

  /** Without `env` references are checked for their form only, and stay as they are. */
  constructor(env: Environment | undefined, folder: string, files: Set<string> = new Set()) {
    this.#files = files;
    this.#env = env;
    this.#folder = folder;
  }

  /** The text of a scalar that holds references, as it stands in the file; undefined for every other one. */
  written(scalar: Scalar | undefined): string | undefined {
    return scalar && this.#written.get(scalar);
  }

  /** True when some reference was left as it is. */
  get unresolved(): boolean {
    return this.#env === undefined && this.#written.size > 0;
  }

  /** A scalar's value with its references replaced. */
  read(scalar: Scalar, path: Path): unknown {
    const { value } = scalar;
    if (typeof value !== "string" || !value.includes("${")) return value;
    return value.replace(reference, (whole, inner: string | undefined) => {
      if (whole === "$${") return "${";
      this.#written.set(scalar, value);
      const found = inner === undefined ? notClosed : this.#lookUp(inner, whole);
      if (typeof found === "string") return found;
      this.findings.push({ path, ...found });
      return whole;
    });
  }

  #lookUp(inner: string, whole: string): string | Trouble {
    if (inner.startsWith("file:")) return this.#env === undefined ? whole : this.#file(inner.slice("file:".length));
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(inner)) {
      return {
        problem: `${whole} is not a reference`,
        remedy: `write \${NAME}, \${file:/path}, or $\${ for a literal \${`,
      };
    }
    if (this.#env === undefined) return whole;
    return (
      this.#env[inner] ?? {
        problem: `the environment has no ${inner}`,
        remedy: `set ${inner}, or write $\${${inner}} when the text itself is meant`,
      }
    );
  }

  #file(name: string): string | Trouble {
    const path = resolve(this.#folder, name);
    this.#files.add(path);
    try {
      return (
        decode(readFileSync(path)) ?? {
          problem: `the file ${path} is not text or larger than 1MiB`,
          remedy: "name a UTF-8 file",
        }
      );
    } catch (error) {
      return { problem: `the file ${path} ${fileTrouble(error)}`, remedy: "name a file that can be read" };
    }
  }
}

const notClosed: Trouble = {
  problem: "a reference is not closed",
  remedy: "close it with }, or write $${ for a literal ${",
};

/** The text without the one line end that editors and `kubectl` put last; undefined when it is no text. */
function decode(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > largestFileBytes) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    return undefined;
  }
}
