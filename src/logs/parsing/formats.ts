/** The forms that have a name, each loaded when it is asked for. */
import type { Read, TimeSense } from "./format.ts";

export const formats: Readonly<Record<string, (sense: TimeSense) => Promise<Read>>> = {
  json: async () => (await import("./json.ts")).readJson,
};
