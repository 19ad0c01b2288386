/** Failures on their way from one thread to another: what is thrown there is thrown here. */
import { UserError } from "../errors.ts";

/** Why something failed: a UserError keeps its exit code, anything else is a fault of ours. */
export interface Refusal {
  readonly message: string;
  readonly exitCode: 1 | 2 | 3 | undefined;
}

export function refusalOf(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : String(error);
  return { message, exitCode: error instanceof UserError ? error.exitCode : undefined };
}

export function errorOf({ message, exitCode }: Refusal): Error {
  return exitCode === undefined ? new Error(message) : new UserError(message, exitCode);
}

/** What the error said that ended a thread: the runtime puts an excerpt of the source before it, and the stack behind. */
export function lastWords(message: string): string {
  return /^\s*(?:\w*[Ee]rror: .*)$/m.exec(message)?.[0].trim() ?? message;
}
