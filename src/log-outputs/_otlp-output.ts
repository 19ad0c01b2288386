/** What a receiver's answers mean for a batch (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). */
import type { Batch, Delivery } from "../contracts.ts";
import type { Answer } from "../net/call.ts";
import { HttpOutput } from "./_http-output.ts";
import { isMisplaced, reasonOf } from "./_http-sender.ts";
import { partialSuccess, statusMessage } from "./_otlp-answers.ts";

/** The only statuses after which a request may be sent again. */
const retryable = new Set([429, 502, 503, 504]);

export class OtlpOutput extends HttpOutput {
  protected settle(batch: Batch, answer: Answer): Delivery {
    const { status } = answer;
    if (retryable.has(status)) return this.sender.later(answer);
    if (status >= 200 && status < 300) return this.taken(batch, answer);
    if (isMisplaced(answer)) return this.sender.hold(answer);
    const message = statusMessage(answer);
    const reason = message === undefined ? reasonOf(answer) : `${answer.statusText}: ${message}`;
    return status === 413 ? { outcome: "tooLarge", reason } : { outcome: "refused", reason };
  }

  /** Some records may have been rejected; the request must not come again for them, and which ones nobody says. */
  private taken(batch: Batch, answer: Answer): Delivery {
    const partial = partialSuccess(answer);
    if (partial === undefined) return { outcome: "delivered" };
    const { name: output, metrics, emit } = this.context;
    const lines = Math.min(partial.rejected, batch.count);
    if (lines === 0) emit("log_destination_warns", { output, warning: partial.message });
    else {
      metrics.counter("outrigger_log_output_ignored_lines_total", { output, reason: "partial_success" }).add(lines);
      emit("log_lines_ignored", { output, lines, of: batch.count, reason: partial.message });
    }
    return { outcome: "delivered" };
  }
}
