/** Whether an answer is what its schedule expects, and in words why not. */
import type { Expectation, StatusRange, TextMatch } from "../config/schema.ts";

/** What is judged of an answer. */
export interface Judged {
  readonly status: number;
  readonly text: string;
  /** True when the answer was longer than what was kept of it. */
  readonly truncated: boolean;
}

/** Undefined when the answer is right, else what is wrong with it. */
export function complaint({ status, body }: Expectation, answer: Judged): string | undefined {
  if (!status.some(({ from, to }) => answer.status >= from && answer.status <= to)) {
    return `expected status ${status.map(rangeText).join(" or ")}, got ${answer.status}`;
  }
  if (body === undefined || matches(body, answer.text)) return undefined;
  return answer.truncated ? `${wish(body)} in the part of the body that was kept` : wish(body);
}

function matches(body: TextMatch, text: string): boolean {
  if ("contains" in body) return text.includes(body.contains);
  // `search` ignores where an earlier look with the same expression ended.
  return "matches" in body ? text.search(body.matches) >= 0 : text === body.equals;
}

function wish(body: TextMatch): string {
  if ("contains" in body) return `expected a body that contains ${JSON.stringify(body.contains)}`;
  if ("matches" in body) return `expected a body that matches ${body.matches}`;
  return `expected the body ${JSON.stringify(body.equals)}`;
}

function rangeText({ from, to }: StatusRange): string {
  return from === to ? `${from}` : `${from} to ${to}`;
}
