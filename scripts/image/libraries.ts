/** Finds the libraries of programs below a root: this machine's, or one unpacked from packages of another architecture. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { type Architecture, needsOf } from "./elf.ts";

/** The names by which Debian and the loader call an architecture. */
const triplets: Record<Architecture, string> = { amd64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

/** A file of the image: where the program looks for it, and where it is on this machine. */
export interface Piece {
  /** In the image: `/lib/x86_64-linux-gnu/libc.so.6`. */
  path: string;
  /** On this machine, no symbolic link. */
  source: string;
}

/** Where the loader of glibc looks when nothing else is said, on Debian and on others. */
function folders(architecture: Architecture): string[] {
  const triplet = triplets[architecture];
  return [`/lib/${triplet}`, `/usr/lib/${triplet}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
}

/** The loader is loaded before anything asks for it by name; its place is the one that programs name as interpreter. */
const loader = /^ld-linux/;

/**
 * The libraries that the programs need, theirs in turn, and the loader; sorted by path.
 * Throws when one is missing, or is of another architecture than the program.
 */
export function librariesOf(programs: readonly string[], root: string): Piece[] {
  const found = new Map<string, Piece>();
  const left = [...programs];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    const { architecture, interpreter, libraries } = needsOf(readFileSync(file));
    const names = libraries.filter((name) => !loader.test(name));
    const paths = names.map((name) => placeOf(name, { architecture, root, neededBy: file }));
    if (interpreter !== undefined) paths.push(interpreter);
    for (const path of paths.filter((one) => !found.has(one))) {
      const source = realpathSync(join(root, path));
      found.set(path, { path, source });
      left.push(source);
    }
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Search {
  architecture: Architecture;
  root: string;
  neededBy: string;
}

function placeOf(name: string, { architecture, root, neededBy }: Search): string {
  const fits = (folder: string) => {
    const file = join(root, folder, name);
    return existsSync(file) && needsOf(readFileSync(file)).architecture === architecture;
  };
  const folder = folders(architecture).find(fits);
  if (folder === undefined) throw new Error(`${neededBy} needs ${name}, which is not below ${root}`);
  return `${folder}/${name}`;
}
