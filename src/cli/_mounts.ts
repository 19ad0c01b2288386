/**
 * The mounts that `outrigger init` may work in, and the only way to a file below them.
 *
 * A path is checked by its real place, then walked again from the mount, one name at a time and never
 * through a link. Each step is opened with O_PATH below the descriptor of the folder before it
 * (`/proc/self/fd/N/name`): whoever moves folders about meanwhile cannot lead us outside, and no right to
 * read the file is needed.
 */
import { closeSync, constants, openSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, relative, sep } from "node:path";
import { UserError } from "../errors.ts";

/** From asm-generic/fcntl.h; Node's constants lack it. The value holds for x86-64 and arm64. */
const openPath = 0o10000000;

/** Opens a name in an open folder without following a link and without needing any right to the file. */
export function openBelow(folder: number, name: string): number {
  return openSync(placeOf(folder, name), openPath | constants.O_NOFOLLOW);
}

/** The path by which the kernel finds what is open, or a name in it, whatever it is called by now. */
export function placeOf(descriptor: number, name?: string): string {
  const place = `/proc/self/fd/${descriptor}`;
  return name === undefined ? place : `${place}/${name}`;
}

function realFolder(mount: string): string {
  let real: string;
  try {
    real = realpathSync(mount);
  } catch {
    throw new UserError(`--within ${mount}: there is no such folder`, 1);
  }
  if (!statSync(real).isDirectory()) throw new UserError(`--within ${mount}: this is not a folder`, 1);
  if (real === "/") throw new UserError(`--within ${mount}: the root of the container is not a mount to mend`, 1);
  return real;
}

function isWithin(mount: string, path: string): boolean {
  const way = relative(mount, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export class Mounts {
  readonly #folders: readonly string[];

  private constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** Throws a UserError for a mount that is not a folder, and when there is none. */
  static open(within: readonly string[]): Mounts {
    if (process.platform !== "linux") throw new UserError("init works on Linux only, in an init container", 3);
    if (within.length === 0) throw new UserError("init: --within is missing: name the mounts the paths lie in", 2);
    for (const mount of within) {
      if (!isAbsolute(mount)) throw new UserError(`--within ${mount}: give an absolute path`, 2);
    }
    return new Mounts(within.map(realFolder));
  }

  /** Why a path is refused, as a sentence; undefined when it lies within a mount. */
  whyRefused(path: string): string | undefined {
    let real: string;
    try {
      real = realpathSync(path);
    } catch {
      return `${path}: there is no such file or folder`;
    }
    if (this.#folders.some((mount) => isWithin(mount, real))) return undefined;
    const shown = real === path ? path : `${path} leads to ${real}, which`;
    return `${shown} lies outside the mounts ${this.#folders.join(", ")}: name its mount with --within`;
  }

  /** Opens a path that was not refused. The caller closes the descriptor. */
  openAt(path: string): number {
    const real = realpathSync(path);
    const mount = this.#folders.find((folder) => isWithin(folder, real));
    if (mount === undefined) throw new UserError(`${path} was moved outside the mounts meanwhile: not touched`, 1);
    let descriptor = openSync(mount, openPath | constants.O_NOFOLLOW);
    for (const name of relative(mount, real).split(sep).filter(Boolean)) {
      const folder = descriptor;
      try {
        descriptor = openBelow(folder, name);
      } finally {
        closeSync(folder);
      }
    }
    return descriptor;
  }
}
