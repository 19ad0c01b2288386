import type { Block, LogSource } from "../contracts.ts";
import { countLines } from "./following/follow-counters.ts";

/** A block in memory of its own: of records the sidecar makes itself, and whatever else no file is behind. */
export function plainBlock(source: LogSource, bytes: Uint8Array, start = 0, end = start + bytes.length): Block {
  const { length } = bytes;
  const markAt = (place: number) => ({ offset: start + place });
  const mark = { offset: end };
  return { source, bytes, count: countLines(bytes), size: length, start, end, mark, markAt, heldBytes: length };
}
