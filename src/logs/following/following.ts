/** All that one input follows, and what its parts share. */
import type { LogInputContext } from "../../contracts.ts";
import type { Archives } from "./archives/archives.ts";
import { encodingOf } from "./encoding.ts";
import { ReadBuffers } from "./file-block.ts";
import { FollowCounters } from "./follow-counters.ts";
import type { FollowedFile } from "./followed-file.ts";
import type { Exclusion, Glob } from "./glob.ts";
import { Births } from "./identity.ts";
import { Ledger } from "./ledger.ts";
import type { FollowedFileParts } from "./line-source.ts";
import { Past } from "./past.ts";
import type { Stream } from "./stream.ts";
import { Survey } from "./survey.ts";
import { Suspects } from "./suspects.ts";

export interface Following {
  readonly context: LogInputContext;
  /** Of all inputs: it outlives them. */
  readonly ledger: Ledger;
  /** By device and inode. */
  readonly files: Map<string, FollowedFile>;
  /** By path. */
  readonly streams: Map<string, Stream>;
  readonly births: Births;
  /** Files of which only what is still to come is read. */
  readonly past: Past;
  readonly suspects: Suspects;
  readonly survey: Survey;
  readonly parts: FollowedFileParts;
  /** True when files were renamed while they were looked for: the next look must come before the next line is read. */
  isUnsettled: boolean;
  /** Only where archives are read. */
  archives: Archives | undefined;
  /** True when a pattern matches the path, whether a file is there or not. */
  matches(path: string): boolean;
}

/** How lines are read. */
export interface ReadOptions {
  /** A label of TextDecoder; `auto`, the default, lets the first bytes of each file decide. */
  readonly encoding?: string;
  /** Longest line that goes out whole, in bytes; default 1 MiB. */
  readonly maxLine?: number;
  /** The path that sources show instead of their own: files are only where the lines were kept. */
  readonly shownAs?: string;
}

const defaultMaxLine = 1024 * 1024;

export function followingOf(
  context: LogInputContext,
  globs: readonly Glob[],
  exclusion: Exclusion,
  { encoding = "auto", maxLine = defaultMaxLine, shownAs }: ReadOptions = {},
): Following {
  const { name: input, emit, metrics, clock, checkpoint } = context;
  const births = new Births();
  return {
    context,
    ledger: checkpoint.section("files", (saved) => new Ledger(clock, saved)),
    files: new Map(),
    streams: new Map(),
    births,
    past: new Past(births),
    suspects: new Suspects(births),
    isUnsettled: false,
    survey: new Survey({ input, globs, exclusion, births, emit }),
    archives: undefined,
    matches: (path) => globs.some((glob) => glob.matches(path)) && !exclusion.takes(path),
    parts: {
      input,
      get fields() {
        return context.fields;
      },
      buffers: new ReadBuffers(),
      counters: new FollowCounters(metrics, input),
      encoding: encoding === "auto" ? undefined : encodingOf(encoding),
      maxLine,
      shownAs,
    },
  };
}
