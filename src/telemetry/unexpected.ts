/** Errors nobody caught: each is a bug, said with all that is known of it, and survived. */
import type { Emit } from "../contracts.ts";

/** Lines of a stack that are worth a line of the log. */
const stackLines = 8;

/** Emits `unexpected_error` for whatever nobody catches, from now on; the function returned ends that. */
export function surviveUnexpected(emit: Emit): () => void {
  const told = (origin: string) => (error: unknown) =>
    emit("unexpected_error", { origin, error: messageOf(error), stack: stackOf(error) });
  const uncaught = told("uncaught exception");
  const unhandled = told("unhandled rejection");
  process.on("uncaughtException", uncaught);
  process.on("unhandledRejection", unhandled);
  return () => {
    process.off("uncaughtException", uncaught);
    process.off("unhandledRejection", unhandled);
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return error.stack
    ?.split("\n")
    .slice(0, stackLines)
    .map((line) => line.trim())
    .join(" | ");
}
