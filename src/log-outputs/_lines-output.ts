/** Lines for whoever takes HTTP requests, and what statuses say about them. */
import type { Batch, Delivery } from "../contracts.ts";
import type { Answer } from "../net/call.ts";
import { HttpOutput } from "./_http-output.ts";
import { isMisplaced, reasonOf } from "./_http-sender.ts";

export class LinesOutput extends HttpOutput {
  protected settle(_: Batch, answer: Answer): Delivery {
    const { status } = answer;
    if (status >= 200 && status < 300) return { outcome: "delivered" };
    if (status === 413) return { outcome: "tooLarge", reason: reasonOf(answer) };
    if (isMisplaced(answer)) return this.sender.hold(answer);
    if (status === 408 || status === 429 || status >= 500) return this.sender.later(answer);
    return { outcome: "refused", reason: reasonOf(answer) };
  }
}

/** Lines as they were written: the blocks themselves. */
export function linesOfBatch({ blocks }: Batch): readonly Uint8Array[] {
  return blocks.map(({ bytes }) => bytes).filter(({ length }) => length > 0);
}
