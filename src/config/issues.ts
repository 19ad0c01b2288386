/** Turns what zod says about a document into findings: what is wrong and what would be right, in words. */
import type * as z from "zod";
import { describeValue, type Finding } from "./faults.ts";
import { nearest } from "./names.ts";
import { memberOf, type Path } from "./raw.ts";
import { article } from "./scalars.ts";

type Issue = z.core.$ZodIssue;

/** What the document says at a path. */
export interface Source {
  readonly value: (path: Path) => unknown;
  /** The text as written when it holds references: their values may be secrets and never stand in a sentence. */
  readonly written: (path: Path) => string | undefined;
}

/**
 * Given to `safeParse`: the only place where zod shows which keys would have been right. They travel in the
 * issue's message, one a line.
 */
export const tellKnownKeys: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== "unrecognized_keys") return undefined;
  const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape;
  return Object.keys(shape ?? {}).join("\n");
};

/** The findings in a list of issues. */
export function toFindings(issues: readonly Issue[], source: Source, under: Path = []): Finding[] {
  return issues.flatMap((issue) => {
    const path = [...under, ...issue.path] as Path;
    if (issue.code === "invalid_union") return unionFindings(issue, source, path);
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => unknownKey(key, issue.message.split("\n").filter(Boolean), path));
    if (issue.code === "invalid_key")
      return toFindings(issue.issues, source, path).map((finding) => ({ ...finding, path, atKey: true }));
    return [toFinding(issue, source, path)];
  });
}

function unknownKey(key: string, known: readonly string[], path: Path): Finding {
  const near = nearest(key, known);
  const listed = known.length === 0 ? "remove it, there are no options here" : `known here: ${known.join(", ")}`;
  const remedy = near === undefined ? listed : `did you mean "${near}"?`;
  return { path: [...path, key], atKey: true, problem: `unknown key "${key}"`, remedy };
}

/** Of several forms a value could have, the one it was meant to have is the one whose type fits. */
function unionFindings(issue: z.core.$ZodIssueInvalidUnion, source: Source, path: Path): Finding[] {
  const meant = issue.errors.filter((issues) => !issues.every(isWrongType));
  const [best] = meant.sort((a, b) => a.length - b.length);
  if (best !== undefined) return toFindings(best, source, path);
  const expected = [...new Set(issue.errors.flatMap((issues) => issues.map(expectation)))].join(", or ");
  return [
    wrongType(
      expected,
      issue.errors.some((issues) => issues.some(isFreeText)),
      source,
      path,
    ),
  ];
}

function isWrongType(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "invalid_union") return issue.errors.every((issues) => issues.every(isWrongType));
  return issue.code === "invalid_type" || issue.code === "invalid_value" || params(issue).wrongType === true;
}

interface ScalarParams {
  readonly remedy?: string;
  readonly title?: string;
  readonly example?: string;
  readonly wrongType?: boolean;
  readonly isFreeText?: boolean;
  readonly atKey?: boolean;
}

function params(issue: Issue): ScalarParams {
  return issue.code === "custom" ? ((issue.params ?? {}) as ScalarParams) : {};
}

/** True when any text would have been right. */
function isFreeText(issue: Issue): boolean {
  return (issue.code === "invalid_type" && issue.expected === "string") || params(issue).isFreeText === true;
}

const kinds: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of options",
  record: "a map",
};

/** What would be right, as the object of "write". */
function expectation(issue: Issue): string {
  if (issue.code === "invalid_type") return kinds[issue.expected] ?? issue.expected;
  if (issue.code === "invalid_value") return issue.values.map((value) => String(value)).join(" or ");
  if (issue.code === "invalid_union")
    return [...new Set(issue.errors.flatMap((issues) => issues.map(expectation)))].join(", or ");
  const { title, example } = params(issue);
  return title === undefined ? "something else" : `${article(title)} such as ${example}`;
}

function wrongType(expected: string, freeText: boolean, source: Source, path: Path): Finding {
  const value = source.value(path);
  const key = path.at(-1);
  const absent =
    value === undefined && typeof key === "string" && memberOf(source.value(path.slice(0, -1)), key) === undefined;
  if (absent) return { path, problem: `"${key}" is missing`, remedy: `add ${key}: with ${expected}` };
  const written = source.written(path);
  const found = written === undefined ? describeValue(value) : `the value of ${written}`;
  const lacksQuotes = freeText && written === undefined && (typeof value === "number" || typeof value === "boolean");
  const remedy = lacksQuotes ? `put it in quotes: "${value}"` : `write ${expected}`;
  return { path, problem: `found ${found}`, remedy };
}

function toFinding(issue: Issue, source: Source, path: Path): Finding {
  if (issue.code === "invalid_type" || issue.code === "invalid_value" || params(issue).wrongType === true) {
    return wrongType(expectation(issue), isFreeText(issue), source, path);
  }
  const written = source.written(path);
  const { atKey = false } = params(issue);
  if (written === undefined)
    return { path, atKey, problem: problemOf(issue, source.value(path)), remedy: remedyOf(issue) };
  const remedy = params(issue).title === undefined ? remedyOf(issue) : `let it be ${expectation(issue)}`;
  return { path, atKey, problem: `the value of ${written} does not fit here`, remedy };
}

function problemOf(issue: Issue, value: unknown): string {
  if (issue.code === "too_small" && issue.origin === "array")
    return Number(issue.minimum) === 1 ? "the list is empty" : "the list is too short";
  if (issue.code === "too_big" && issue.origin === "array") return "the list is too long";
  if (issue.code === "too_small")
    return `${describeValue(value)} is too ${issue.origin === "string" ? "short" : "small"}`;
  if (issue.code === "too_big") return `${describeValue(value)} is too ${issue.origin === "string" ? "long" : "large"}`;
  if (issue.code === "custom") return issue.message;
  return `${describeValue(value)} does not fit here`;
}

function remedyOf(issue: Issue): string {
  if (issue.code === "too_small" && issue.origin === "array" && Number(issue.minimum) === 1)
    return "write at least one";
  const unit = "origin" in issue ? ({ array: " items", string: " characters" }[issue.origin as string] ?? "") : "";
  if (issue.code === "too_small")
    return `write ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${unit}`;
  if (issue.code === "too_big")
    return `write ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${unit}`;
  if (issue.code === "not_multiple_of") return `write a multiple of ${issue.divisor}`;
  if (issue.code === "invalid_format")
    return issue.pattern === undefined
      ? `write ${article(issue.format)}`
      : `write a text that matches ${issue.pattern}`;
  return params(issue).remedy ?? "see `outrigger schema` for what fits";
}

/** The paths at which zod wanted something that is not text, with what it wanted. */
export function wantedScalars(issues: readonly Issue[], under: Path = []): { path: Path; wants: readonly unknown[] }[] {
  return issues.flatMap((issue) => {
    const path = [...under, ...issue.path] as Path;
    if (issue.code === "invalid_union") return issue.errors.flatMap((inner) => wantedScalars(inner, path));
    if (issue.code === "invalid_type") return [{ path, wants: [issue.expected] }];
    return issue.code === "invalid_value" ? [{ path, wants: issue.values }] : [];
  });
}
