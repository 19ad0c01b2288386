/** What decides about a record: its text, its severity, its fields. All that is given must hold. */
import type { LogRecord, Severity } from "../../../contracts.ts";
import { FieldPath } from "./field-path.ts";
import { firstPiece } from "./pieces.ts";

/** From the least to the most. */
const severities: readonly Severity[] = ["trace", "debug", "info", "warn", "error", "fatal"];

export type Plain = string | number | boolean | null;

/** What a field must be. Of several keys, all must hold. */
export interface FieldTest {
  readonly equals?: Plain | undefined;
  readonly oneOf?: readonly Plain[] | undefined;
  readonly matches?: string | undefined;
  readonly below?: number | undefined;
  readonly atLeast?: number | undefined;
  readonly exists?: boolean | undefined;
}

export interface Conditions {
  /** A regular expression that the text must match. */
  readonly text?: string | undefined;
  readonly severity?: { readonly below?: Severity | undefined; readonly atLeast?: Severity | undefined } | undefined;
  /** By the field's name. */
  readonly where?: Readonly<Record<string, FieldTest>> | undefined;
}

/** `undefined` where it cannot be told: the record has no severity. */
export type Verdict = boolean | undefined;
type Test = (record: LogRecord) => Verdict;

/** Made once, asked for every record. */
export function compileConditions({ text, severity, where = {} }: Conditions): Test {
  const tests: Test[] = [];
  if (severity !== undefined) tests.push(severityTest(severity));
  for (const [name, test] of Object.entries(where)) tests.push(fieldTest(new FieldPath(name), test));
  if (text !== undefined) tests.push(textTest(text));
  return (record) => {
    let verdict: Verdict = true;
    for (const test of tests) {
      const one = test(record);
      if (one === false) return false;
      if (one === undefined) verdict = undefined;
    }
    return verdict;
  };
}

function textTest(source: string): Test {
  const pattern = new RegExp(source, "u");
  return ({ text }) => pattern.test(firstPiece(text));
}

function severityTest({ below, atLeast }: NonNullable<Conditions["severity"]>): Test {
  const least = atLeast === undefined ? 0 : severities.indexOf(atLeast);
  const beyond = below === undefined ? severities.length : severities.indexOf(below);
  return ({ severity }) => {
    if (severity === undefined) return undefined;
    const rank = severities.indexOf(severity);
    return rank >= least && rank < beyond;
  };
}

function fieldTest(path: FieldPath, test: FieldTest): Test {
  const { equals, oneOf, matches, below, atLeast, exists } = test;
  const tests: ((value: unknown) => boolean)[] = [];
  const words = [...(equals === undefined ? [] : [equals]), ...(oneOf ?? [])].map(String);
  if (words.length > 0) tests.push((value) => isPlain(value) && words.includes(String(value)));
  if (below !== undefined) tests.push((value) => numberOf(value) < below);
  if (atLeast !== undefined) tests.push((value) => numberOf(value) >= atLeast);
  if (matches !== undefined) {
    const pattern = new RegExp(matches, "u");
    tests.push((value) => isPlain(value) && pattern.test(firstPiece(String(value))));
  }
  if (exists !== undefined) tests.push((value) => (value !== undefined) === exists);
  return ({ fields }) => {
    const value = fields === undefined ? undefined : path.get(fields);
    return tests.every((holds) => holds(value));
  };
}

function isPlain(value: unknown): value is Plain {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** NaN for what is no number: no comparison with it holds. */
function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}
