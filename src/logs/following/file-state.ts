/** How far outputs are with one file: as the admin pages show it, and as the gauges add it up. */
import type { LogMeasure, LogSourceState } from "../../contracts.ts";
import type { FollowedFile } from "./followed-file.ts";

/** `now` is monotonic. */
export function stateOf(
  { id, input, path, knownSize, readers }: FollowedFile,
  state: string,
  now: number,
): LogSourceState {
  const outputs = readers.map(({ lane, cursor }) => {
    const { read, acknowledged, times } = cursor;
    return [
      lane.output,
      { readBytes: read, acknowledgedBytes: acknowledged, waitingMs: now - (times.oldestMs ?? now) },
    ] as const;
  });
  return { id, input, path, state, sizeBytes: knownSize, outputs: Object.fromEntries(outputs) };
}

/** What a label may say: `unreadable` instead of the error's code. */
export function stateWord({ trouble, status }: FollowedFile): string {
  return trouble === undefined ? status : "unreadable";
}

export function measureFile({ readers, knownSize }: FollowedFile, state: string, measure: LogMeasure): void {
  measure.file(state);
  for (const { lane, cursor } of readers) {
    const { read, acknowledged, shownTo, times } = cursor;
    const unread = Math.max(0, knownSize - Math.max(read, shownTo));
    measure.behind(lane.output, unread, Math.max(0, read - acknowledged), times.oldestMs);
  }
}
