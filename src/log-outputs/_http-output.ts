/** Batches as HTTP requests. What an answer means is the destination's own: see the classes made of this one. */
import type { Batch, BatchLimits, Delivery, LogOutput, LogOutputContext } from "../contracts.ts";
import type { Answer } from "../net/call.ts";
import type { HttpRequest, HttpSender } from "./_http-sender.ts";

export interface HttpOutputOptions extends Omit<HttpRequest, "encode"> {
  /** Makes the parts of a body. */
  readonly encode: (batch: Batch, wallMs: number) => readonly Uint8Array[];
  /** What suits the destination. */
  readonly batch?: Partial<BatchLimits>;
}

/**
 * For destinations that want something around each line: 1 MiB of lines of two bytes would come to 80 MB of documents.
 * Lines of 50 bytes and more are not touched by it.
 */
export const wrappedBatch: Partial<BatchLimits> = { lines: 20_000 };

export abstract class HttpOutput implements LogOutput {
  readonly batch: Partial<BatchLimits>;
  protected readonly sender: HttpSender;
  protected readonly context: LogOutputContext;
  private readonly options: HttpOutputOptions;

  constructor(sender: HttpSender, options: HttpOutputOptions, context: LogOutputContext) {
    this.sender = sender;
    this.options = options;
    this.context = context;
    this.batch = options.batch ?? {};
  }

  async deliver(batch: Batch): Promise<Delivery> {
    if (batch.count === 0) return { outcome: "delivered" };
    const encode = () => this.options.encode(batch, this.context.clock.wall());
    const answer = await this.sender.send(batch, { ...this.options, encode });
    return "failure" in answer ? this.sender.later(answer) : this.settle(batch, answer);
  }

  close(): void {
    this.sender.close();
  }

  /** What became of a batch that was answered. */
  protected abstract settle(batch: Batch, answer: Answer): Delivery;
}
