/** What a receiver's answers mean for a batch (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). */
import type { Batch, Delivery, LogOutput, LogOutputContext } from "../contracts.ts";
import type { Answer } from "../net/call.ts";
import { type HttpRequest, type HttpSender, isMisplaced, reasonOf } from "./_http-sender.ts";
import { partialSuccess, statusMessage } from "./_otlp-answers.ts";
import type { Stamps } from "./_stamps.ts";

export interface OtlpOutputOptions {
  readonly url: string;
  readonly headers: NonNullable<HttpRequest["headers"]>;
  readonly encode: (batch: Batch) => readonly Uint8Array[];
  readonly stamps: Stamps;
}

/** The only statuses after which a request may be sent again. */
const retryable = new Set([429, 502, 503, 504]);

export class OtlpOutput implements LogOutput {
  private readonly sender: HttpSender;
  private readonly options: OtlpOutputOptions;
  private readonly context: LogOutputContext;

  constructor(sender: HttpSender, options: OtlpOutputOptions, context: LogOutputContext) {
    this.sender = sender;
    this.options = options;
    this.context = context;
  }

  async deliver(batch: Batch): Promise<Delivery> {
    if (batch.count === 0) return { outcome: "delivered" };
    const { url, headers } = this.options;
    const answer = await this.sender.send(batch, { url, headers, encode: () => this.encode(batch) });
    if ("failure" in answer || retryable.has(answer.status)) return this.sender.later(answer);
    const { status } = answer;
    if (status >= 200 && status < 300) return this.taken(batch, answer);
    if (isMisplaced(answer)) return this.sender.hold(answer);
    const message = statusMessage(answer);
    const reason = message === undefined ? reasonOf(answer) : `${answer.statusText}: ${message}`;
    return status === 413 ? { outcome: "tooLarge", reason } : { outcome: "refused", reason };
  }

  close(): void {
    this.sender.close();
  }

  private encode(batch: Batch): readonly Uint8Array[] {
    this.options.stamps.begin(this.context.clock.wall());
    return this.options.encode(batch);
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
