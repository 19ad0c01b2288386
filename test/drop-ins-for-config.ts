/** A registry that does not change with the drop-ins there are: what tests of the configuration expect stays in words. */
import * as z from "zod";
import type { Registry } from "../src/config/load.ts";

const logAccess = {
  name: "log-access",
  doc: "Writes a line about every exchange.",
  phase: "observe" as const,
  order: 100,
  directions: ["inbound", "outbound"] as const,
  config: z.strictObject({
    headers: z.array(z.string()).optional(),
    sample: z.number().min(0).max(1).prefault(1).describe("The share of exchanges that is written."),
  }),
};

const askAgain = {
  name: "ask-again",
  doc: "Sends a call again when it failed.",
  phase: "attempt" as const,
  order: 10,
  directions: ["outbound"] as const,
  config: z.strictObject({ times: z.int().min(1) }),
  explain: (options: unknown) => `up to ${(options as { times: number }).times} times`,
};

const files = {
  name: "files",
  doc: "Lines of files.",
  config: z.union([
    z.array(z.string()).min(1),
    z.strictObject({ paths: z.array(z.string()).min(1), from: z.enum(["beginning", "end"]).prefault("beginning") }),
  ]),
  explain: (options: unknown) =>
    `every line of ${(Array.isArray(options) ? options : (options as { paths: string[] }).paths).join(", ")}.`,
};

const clockTicks = { name: "clock-ticks", doc: "A line every second.", config: z.strictObject({}) };
const stdout = { name: "stdout", doc: "Writes lines to stdout, as they are.", config: z.strictObject({}) };
const cut = {
  name: "cut",
  doc: "Leaves out all but the beginning of a line.",
  config: z.union([z.int(), z.strictObject({ at: z.int().min(1) })]),
  explain: (options: unknown) =>
    `all but its first ${typeof options === "number" ? options : (options as { at: number }).at} characters are left out.`,
};
const upper = { name: "write-large", doc: "Makes all letters large.", config: z.strictObject({}) };
const store = {
  name: "store",
  doc: "Keeps lines.",
  config: z.strictObject({ url: z.url(), token: z.string().min(3) }),
};

/** Wraps a drop-in as the registry lists it. */
function listed<T>(dropIn: T): () => Promise<{ default: T }> {
  return async () => ({ default: dropIn });
}

export const testRegistry: Registry = {
  filters: { "log-access": listed(logAccess), "ask-again": listed(askAgain) },
  logInputs: { files: listed(files), "clock-ticks": listed(clockTicks) },
  logTransforms: { cut: listed(cut), "write-large": listed(upper) },
  logOutputs: { stdout: listed(stdout), store: listed(store) },
};
