/** Matched files that are compressed: they are no lines as they are. Each is looked into once. */
import { closeSync } from "node:fs";
import { basename } from "node:path";
import type { Emit } from "../../../contracts.ts";
import { readAt } from "../identity.ts";
import { openToRead } from "../siblings.ts";
import type { Found } from "../survey.ts";
import { type Compression, compressionOf, plainName, signatureBytes } from "./compression.ts";

export class CompressedFiles {
  private readonly input: string;
  private readonly emit: Emit;
  /** Those that are read. */
  private readonly readable: ReadonlySet<Compression>;
  private readonly known = new Map<string, { readonly size: number; readonly mtimeMs: number; readonly is: boolean }>();

  constructor(input: string, emit: Emit, readable: Iterable<Compression>) {
    this.input = input;
    this.emit = emit;
    this.readable = new Set(readable);
  }

  /** True when the file is not to be followed as it is. Says so, once, when nobody else reads it. */
  takes({ key, stamp, paths }: Found): boolean {
    const { size, mtimeMs } = stamp;
    const known = this.known.get(key);
    if (known !== undefined && known.size === size && known.mtimeMs === mtimeMs) return known.is;
    const path = paths[0]!;
    const found = lookInto(path);
    // Of one that is being made the name is all there is.
    const is = found !== undefined || (size < signatureBytes && plainName(basename(path)) !== undefined);
    this.known.set(key, { size, mtimeMs, is });
    if (found !== undefined && !this.readable.has(found)) {
      if (known?.is !== true || known.size < signatureBytes) {
        this.emit("log_archive_left_out", { input: this.input, path, compression: found });
      }
    }
    return is;
  }

  /** Forgets those that are gone. */
  keepOnly(keys: ReadonlyMap<string, unknown>): void {
    for (const key of this.known.keys()) if (!keys.has(key)) this.known.delete(key);
  }
}

/** Undefined also when it cannot be read. */
export function lookInto(path: string): Compression | undefined {
  let fd: number | undefined;
  try {
    fd = openToRead(path);
    return compressionOf(readAt(fd, 0, signatureBytes));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
