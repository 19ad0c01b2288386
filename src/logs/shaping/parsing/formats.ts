/** The forms that have a name, each loaded when it is asked for. */
import type { Read, TimeSense } from "./format.ts";
import { offsetsOf } from "./zone.ts";

const formats: Readonly<Record<string, (sense: TimeSense) => Promise<Read>>> = {
  json: async () => (await import("./json.ts")).readJson,
  logfmt: async () => (await import("./logfmt.ts")).readLogfmt,
  nginx: async (sense) => (await import("./nginx.ts")).nginxReader(sense),
  apache: async (sense) => (await import("./apache.ts")).apacheReader(sense),
  klog: async (sense) => (await import("./klog.ts")).klogReader(sense),
  syslog: async (sense) => (await import("./syslog.ts")).syslogReader(sense),
};

/** The reader of a form: one with a name, or a pattern. */
export async function readerOf(form: string | RegExp, zone: string, nowMs: () => number): Promise<Read> {
  if (typeof form === "string") return formats[form]!({ offsetOf: offsetsOf(zone), nowMs });
  const { regexReader } = await import("./regex.ts");
  return regexReader(form);
}
