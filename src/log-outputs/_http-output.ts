/** Lines by HTTP requests, and what statuses say about them. */
import type { Batch, Delivery, LogOutput } from "../contracts.ts";
import { type HttpSender, isMisplaced, reasonOf } from "./_http-sender.ts";

export interface HttpOutputOptions {
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Makes the parts of a body. */
  readonly encode: (batch: Batch) => readonly Uint8Array[];
}

export class HttpOutput implements LogOutput {
  private readonly sender: HttpSender;
  private readonly options: HttpOutputOptions;

  constructor(sender: HttpSender, options: HttpOutputOptions) {
    this.sender = sender;
    this.options = options;
  }

  async deliver(batch: Batch): Promise<Delivery> {
    const { method, headers, encode } = this.options;
    if (batch.count === 0) return { outcome: "delivered" };
    const answer = await this.sender.send(batch, { method, headers, encode: () => encode(batch) });
    if ("failure" in answer) return this.sender.later(answer);
    const { status } = answer;
    if (status >= 200 && status < 300) return { outcome: "delivered" };
    if (status === 413) return { outcome: "tooLarge", reason: reasonOf(answer) };
    if (isMisplaced(answer)) return this.sender.hold(answer);
    if (status === 408 || status === 429 || status >= 500) return this.sender.later(answer);
    return { outcome: "refused", reason: reasonOf(answer) };
  }

  close(): void {
    this.sender.close();
  }
}

/** Lines as they were written: the blocks themselves. */
export function linesOfBatch({ blocks }: Batch): readonly Uint8Array[] {
  return blocks.map(({ bytes }) => bytes).filter(({ length }) => length > 0);
}
