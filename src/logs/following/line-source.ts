/** What all who make blocks of lines know of where the lines come from. */
import type { LogFields, LogSource } from "../../contracts.ts";
import type { Encoding } from "./encoding.ts";
import type { ReadBuffers } from "./file-block.ts";
import type { FollowCounters } from "./follow-counters.ts";

/** What the sources of one input share. */
export interface FollowedFileParts {
  readonly input: string;
  /** Read each time: it may change. */
  readonly fields: LogFields;
  readonly buffers: ReadBuffers;
  readonly counters: FollowCounters;
  /** Of all files; undefined where each file's first bytes decide. */
  readonly encoding: Encoding | undefined;
  /** The path to show instead of the file's own. */
  readonly shownAs: string | undefined;
  /** Longest line that goes out whole, its newline not counted, in bytes of the file. */
  readonly maxLine: number;
}

/** Where lines come from, and how they are read. */
export interface LineSource extends LogSource {
  readonly encoding: Encoding;
  readonly parts: FollowedFileParts;
}
