/** The words and numbers programs say severities with, as the six that all destinations can express. */
import type { Severity } from "../../../contracts.ts";

const words: Readonly<Record<Severity, string>> = {
  trace: "trace trc t verbose finest finer silly all",
  debug: "debug dbg dbug d fine debug1 debug2 debug3 debug4 debug5",
  info: "info inf i information informational notice note log n config http ok",
  warn: "warn warning wrn w",
  error: "error err e eror severe failure",
  fatal: "fatal ftl f critical crit crt c emergency emerg alert a panic dpanic",
};

const severities = new Map<string, Severity>(
  Object.entries(words).flatMap(([severity, all]) =>
    all.split(" ").map((word) => [word, severity as Severity] as const),
  ),
);

/** The severity a word is for, in any case and in brackets or not; of numbers, those of pino and bunyan: 10 to 60. */
export function severityOf(value: unknown): Severity | undefined {
  if (typeof value === "number") return severityOfNumber(value);
  if (typeof value !== "string" || value.length === 0 || value.length > 16) return undefined;
  const known = severities.get(value);
  if (known !== undefined) return known;
  const word = value.toLowerCase().replace(/^[\s[<(]+|[\s\]>):]+$/g, "");
  return severities.get(word) ?? (/^\d+$/.test(word) ? severityOfNumber(Number(word)) : undefined);
}

const byTens: readonly Severity[] = ["trace", "debug", "info", "warn", "error", "fatal"];

function severityOfNumber(value: number): Severity | undefined {
  return value >= 10 && value < 70 ? byTens[Math.floor(value / 10) - 1] : undefined;
}

const bySyslog: readonly Severity[] = ["fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug"];

/** The severity of a syslog priority's last three bits (RFC 5424 section 6.2.1). */
export function severityOfSyslog(number: number): Severity | undefined {
  return bySyslog[number];
}
