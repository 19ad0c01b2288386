/**
 * Syslog over a stream. The protocol has no acknowledgement, so a batch counts as delivered
 *
 *   received: once the receiver's kernel has acknowledged every byte and the connection still stands, or
 *   read:     once the receiver has read to the end of the connection, which is ended after each batch, and ended it too.
 */
import type { Batch, Counter, Delivery, LogOutput, LogOutputContext } from "../contracts.ts";
import { recordsOf } from "../logs/shaping/record.ts";
import type { ByteStream } from "../net/byte-stream.ts";
import { KeptStream, type KeptStreamOptions } from "./_kept-stream.ts";
import { type FrameLimits, Frames } from "./_syslog-frames.ts";
import { type MessageOptions, SyslogFormat } from "./_syslog-message.ts";

export interface SyslogOptions extends KeptStreamOptions {
  readonly message: MessageOptions;
  readonly framing: "counted" | "newline";
  readonly limits: FrameLimits;
  readonly confirm: "received" | "read";
}

export class SyslogSender implements LogOutput {
  private readonly options: SyslogOptions;
  private readonly format: SyslogFormat;
  private readonly kept: KeptStream;
  private readonly cut: Counter;

  constructor(options: SyslogOptions, context: LogOutputContext) {
    this.options = options;
    this.format = new SyslogFormat(options.message, context.clock);
    this.kept = new KeptStream(options, context);
    this.cut = context.metrics.counter("outrigger_log_syslog_cut_bytes_total", { output: context.name });
  }

  async deliver(batch: Batch): Promise<Delivery> {
    const frames = this.framesOf(batch);
    const { rejected } = frames;
    if (rejected.length === batch.count) return { outcome: "delivered", rejected };
    const delivery = await this.kept.use(ready, (stream) => this.send(stream, frames));
    if (delivery.outcome === "delivered") this.cut.add(frames.cutBytes);
    return delivery;
  }

  async close(): Promise<void> {
    this.kept.drop();
  }

  private framesOf({ blocks }: Batch): Frames {
    const frames = new Frames(this.options.framing, this.options.limits);
    const now = this.format.now();
    let item = 0;
    for (const block of blocks) {
      for (const record of recordsOf(block)) frames.add(this.format.messageOf(record, now), item++);
    }
    return frames;
  }

  private async send(stream: ByteStream, { bytes, rejected }: Frames): Promise<Delivery> {
    await stream.write(bytes);
    await stream.drained();
    stream.readNow(); // a receiver has nothing to say
    if (this.options.confirm === "read") {
      await stream.finish();
      this.kept.drop();
    }
    return rejected.length === 0 ? { outcome: "delivered" } : { outcome: "delivered", rejected };
  }
}

/** Nothing is said before the first message. */
async function ready(): Promise<void> {}
