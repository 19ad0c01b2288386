/** What is wrong with a configuration, where, and what would be right. */
import { formatPath, isMap, type Path } from "./raw.ts";

/** One fault, as the user is told. */
export interface Fault {
  readonly file: string;
  /** Both from 1; columns count UTF-16 units. */
  readonly line: number;
  readonly column: number;
  /** `inbound[0].routes[1].match.path`; empty when it is about the whole file. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/** A fault whose place in the file has not been looked up. */
export interface Finding {
  readonly path: Path;
  /** True when the key is at fault and not its value. */
  readonly atKey?: boolean;
  readonly problem: string;
  readonly remedy: string;
}

/** `file:line:column path: what is wrong; what would be right`, one fault a line. */
export function formatFaults(faults: readonly Fault[]): string {
  return faults
    .map(({ file, line, column, path, problem, remedy }) => {
      const place = `${file}:${line}:${column}`;
      return `${place}${path === "" ? "" : ` ${path}`}: ${oneLine(problem)}; ${oneLine(remedy)}`;
    })
    .join("\n");
}

function oneLine(sentence: string): string {
  return sentence.replace(/\s*\n\s*/g, " ");
}

/** A fault about the whole file. */
export function fileFault(file: string, problem: string, remedy: string): Fault {
  return { file, line: 1, column: 1, path: "", problem, remedy };
}

/** The finding as a fault at a position. */
export function toFault(finding: Finding, file: string, position: { line: number; column: number }): Fault {
  return { file, ...position, path: formatPath(finding.path), problem: finding.problem, remedy: finding.remedy };
}

/** In the order of the file, the same sentence about the same place once. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  const distinct = new Map(faults.map((fault) => [formatFaults([fault]), fault]));
  return [...distinct.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** What stands there, as the object of "found". */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "string")
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (Array.isArray(value)) return "a list";
  return isMap(value) ? "a map" : String(value);
}
