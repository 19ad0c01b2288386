/**
 * RELP, in which a receiver acknowledges each message (librelp's `relp.html`, version 0 of the protocol):
 *
 *   TXNR SP COMMAND SP DATALEN [SP DATA] LF        1 open 85 relp_version=0…    2 syslog 3 <…
 *   TXNR SP "rsp" SP DATALEN [SP STATUS …] LF      1 rsp 92 200 OK…             2 rsp 6 200 OK
 */
import type { Batch, Counter, Delivery, LogOutput, LogOutputContext } from "../contracts.ts";
import { recordsOf } from "../logs/shaping/record.ts";
import { type ByteStream, StreamFault } from "../net/byte-stream.ts";
import { version } from "../version.ts";
import { KeptStream, type KeptStreamOptions } from "./_kept-stream.ts";
import { type FrameLimits, Frames } from "./_syslog-frames.ts";
import { type MessageOptions, SyslogFormat } from "./_syslog-message.ts";

export interface RelpOptions extends KeptStreamOptions {
  readonly message: MessageOptions;
  readonly limits: FrameLimits;
}

/** Transactions are numbered from 1 to this, then from 1 again. */
const lastTransaction = 999_999_999;
const longestAnswer = 128 * 1024;

interface Answer {
  readonly transaction: number;
  readonly command: string;
  /** `200 OK` and what follows. */
  readonly data: string;
}

export class RelpSender implements LogOutput {
  private readonly options: RelpOptions;
  private readonly format: SyslogFormat;
  private readonly kept: KeptStream;
  private readonly cut: Counter;
  private transaction = 0;
  private unread = Buffer.alloc(0);

  constructor(options: RelpOptions, context: LogOutputContext) {
    this.options = options;
    this.format = new SyslogFormat(options.message, context.clock);
    this.kept = new KeptStream(options, context);
    this.cut = context.metrics.counter("outrigger_log_syslog_cut_bytes_total", { output: context.name });
  }

  deliver(batch: Batch): Promise<Delivery> {
    return this.kept.use(
      (stream) => this.greet(stream),
      (stream) => this.send(stream, batch),
    );
  }

  async close(): Promise<void> {
    const stream = this.kept.open;
    // Said for good order; nobody waits for the answer.
    if (stream !== undefined) await stream.write(Buffer.from(`${this.next()} close 0\n`)).catch(() => {});
    this.kept.drop();
  }

  private async greet(stream: ByteStream): Promise<void> {
    this.transaction = 0;
    this.unread = Buffer.alloc(0);
    const offer = `relp_version=0\nrelp_software=outrigger,${version}\ncommands=syslog`;
    await stream.write(Buffer.from(`${this.next()} open ${offer.length} ${offer}\n`));
    const { transaction, data } = await this.answer(stream);
    if (transaction !== 1) throw new StreamFault("answered something that was not asked");
    if (!data.startsWith("200")) throw new StreamFault(`refused the session: ${oneLine(data)}`);
    if (!/^commands=.*\bsyslog\b/m.test(data)) throw new StreamFault("does not take syslog messages");
  }

  private async send(stream: ByteStream, { blocks }: Batch): Promise<Delivery> {
    const open = new Map<number, number>();
    const framing = { command: (length: number) => `${this.next()} syslog ${length} ` };
    const frames = new Frames(framing, this.options.limits);
    const now = this.format.now();
    let item = 0;
    for (const block of blocks) {
      for (const record of recordsOf(block)) {
        if (frames.add(this.format.messageOf(record, now), item)) open.set(this.transaction, item);
        item++;
      }
    }
    const { bytes, rejected } = frames;
    const reason = await this.exchange(stream, bytes, open);
    // What comes again is cut again.
    for (const again of open.values()) frames.cuts.delete(again);
    this.cut.add(frames.cutBytes);
    if (open.size > 0) return { outcome: "retry", reason, only: [...open.values()], rejected };
    return rejected.length === 0 ? { outcome: "delivered" } : { outcome: "delivered", rejected };
  }

  /** Sends, and takes out of `open` what the receiver has for good. Returns why anything is left. */
  private async exchange(stream: ByteStream, bytes: Uint8Array, open: Map<number, number>): Promise<string> {
    // Answers are read while messages are still being written: either side would wait for the other else.
    const writing = stream.write(bytes);
    writing.catch(() => {}); // a connection that breaks is told by the answers that are missing
    let reason = "";
    try {
      for (let left = open.size; left > 0; left--) {
        const { transaction, data } = await this.answer(stream);
        if (!open.has(transaction)) throw new StreamFault("answered something that was not asked");
        if (data.startsWith("200")) open.delete(transaction);
        else reason = `${this.kept.name} answered ${oneLine(data)}`;
      }
      await writing;
    } catch (error) {
      this.kept.drop();
      reason = `${this.kept.name} ${error instanceof Error ? error.message : String(error)}`;
    }
    return reason;
  }

  private async answer(stream: ByteStream): Promise<Answer> {
    for (;;) {
      const answer = this.parse();
      if (answer?.command === "serverclose") throw new StreamFault("closes the session");
      if (answer?.command === "rsp") return answer;
      if (answer !== undefined) throw new StreamFault(`sent ${oneLine(answer.command)}, which is no answer`);
      this.unread = Buffer.concat([this.unread, await stream.read()]);
    }
  }

  /** The first whole frame of what was received. @throws StreamFault when it is no frame */
  private parse(): Answer | undefined {
    const text = this.unread.toString("latin1", 0, Math.min(this.unread.length, 64));
    const head = /^(\d{1,9}) ([A-Za-z0-9]{1,32}) (\d{1,9})(?=[ \n])/.exec(text);
    if (head === null) {
      if (/^[\dA-Za-z ]*$/.test(text) && text.length < 56) return undefined;
      throw new StreamFault("does not speak RELP");
    }
    const length = Number(head[3]);
    if (length > longestAnswer) throw new StreamFault("sent an answer that is too long");
    const start = head[0].length + (length === 0 ? 0 : 1);
    if (this.unread.length <= start + length) return undefined;
    if (this.unread[start + length] !== 10) throw new StreamFault("does not speak RELP");
    const data = this.unread.toString("utf8", start, start + length);
    this.unread = this.unread.subarray(start + length + 1);
    return { transaction: Number(head[1]), command: head[2]!, data };
  }

  private next(): number {
    this.transaction = this.transaction === lastTransaction ? 1 : this.transaction + 1;
    return this.transaction;
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 200);
}
