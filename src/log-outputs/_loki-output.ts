/** What Loki's answers mean for a batch (`docs/sources/operations/request-validation-rate-limits.md`). */
import type { Batch, Delivery } from "../contracts.ts";
import type { Answer } from "../net/call.ts";
import { HttpOutput } from "./_http-output.ts";
import { isMisplaced, reasonOf } from "./_http-sender.ts";

/** A success by its number that stored nothing: the administrator has blocked ingestion. */
const blocked = 260;

export class LokiOutput extends HttpOutput {
  protected settle(batch: Batch, answer: Answer): Delivery {
    const { status } = answer;
    if (status === 204 || status === 200) return { outcome: "delivered" };
    if (status === 413) return { outcome: "tooLarge", reason: reasonOf(answer) };
    if (status === blocked || isMisplaced(answer)) return this.sender.hold(answer);
    if (status === 400) return this.partly(batch, answer);
    if (status === 408 || status === 429 || status >= 500) return this.sender.later(answer);
    return status < 300 ? this.sender.hold(answer) : { outcome: "refused", reason: reasonOf(answer) };
  }

  /**
   * Some entries were refused and the others stored, so that it must not come again; which ones nobody says. Where
   * nothing can have been stored, the batch is refused, and its halves find out.
   */
  private partly(batch: Batch, answer: Answer): Delivery {
    const reason = reasonOf(answer);
    if (batch.count === 1 || !isPerEntry(answer)) return { outcome: "refused", reason };
    const { name: output, metrics, emit } = this.context;
    const lines = ignoredEntries(answer, batch.count);
    metrics.counter("outrigger_log_output_ignored_lines_total", { output, reason: reasonClass(reason) }).add(lines);
    emit("log_lines_ignored", { output, lines, of: batch.count, reason });
    return { outcome: "delivered" };
  }
}

/** What Loki says about entries and streams, one by one; anything else is about the request as a whole. */
const perEntry: readonly (readonly [reason: string, words: RegExp])[] = [
  ["too_far_behind", /too far behind|out of order/i],
  ["too_old", /timestamp too old/i],
  ["too_new", /timestamp too new/i],
  ["line_too_long", /max entry size|exceeds? .*max_line_size|line too long/i],
  ["stream_limit", /stream limit/i],
  ["rate_limited", /rate limit/i],
  ["labels", /label (?:name|value)|number of label|duplicate label|label names?/i],
  ["structured_metadata", /structured metadata/i],
];

function reasonClass(reason: string): string {
  return perEntry.find(([, words]) => words.test(reason))?.[0] ?? "other";
}

function isPerEntry({ body }: Answer): boolean {
  const text = body.toString("utf8");
  return /total ignored: \d+ out of \d+/.test(text) || reasonClass(text) !== "other";
}

/** `total ignored: 3 out of 10 for stream: {…}`, once for each stream; at least one where there is no such number. */
function ignoredEntries({ body }: Answer, most: number): number {
  const totals = body.toString("utf8").matchAll(/total ignored: (\d+) out of \d+/g);
  const sum = [...totals].reduce((total, [, count]) => total + Number(count), 0);
  return Math.min(Math.max(sum, 1), most);
}
