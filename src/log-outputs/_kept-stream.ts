/** One connection that is kept from batch to batch, and made anew once it is of no use. */
import type { Delivery, LogOutputContext } from "../contracts.ts";
import { ByteStream, type StreamPlace } from "../net/byte-stream.ts";

export interface KeptStreamOptions extends StreamPlace {
  readonly connectMs: number;
  readonly timeoutMs: number;
}

export class KeptStream {
  readonly name: string;
  private readonly options: KeptStreamOptions;
  private readonly context: LogOutputContext;
  private stream: ByteStream | undefined;

  constructor(options: KeptStreamOptions, context: LogOutputContext) {
    this.options = options;
    this.context = context;
    const { host, port } = options;
    this.name = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /**
   * Calls `use` with the connection, a new one after `greet` where there is none that can be used. What goes wrong ends
   * the connection and is a retry.
   */
  async use(
    greet: (stream: ByteStream) => Promise<void>,
    use: (stream: ByteStream) => Promise<Delivery>,
  ): Promise<Delivery> {
    try {
      const stream = await this.current(greet);
      return await use(stream);
    } catch (error) {
      this.drop();
      const reason = error instanceof Error ? error.message : String(error);
      return { outcome: "retry", reason: `${this.name} ${reason}`, cause: "unreachable" };
    }
  }

  /** The connection as it is; undefined where there is none. */
  get open(): ByteStream | undefined {
    return this.stream?.usable ? this.stream : undefined;
  }

  /** The next batch gets a new connection. */
  drop(): void {
    this.stream?.close();
    this.stream = undefined;
  }

  private async current(greet: (stream: ByteStream) => Promise<void>): Promise<ByteStream> {
    if (this.stream?.usable) return this.stream;
    this.drop();
    const { connectMs, timeoutMs } = this.options;
    const { signal, clock } = this.context;
    this.stream = await ByteStream.open(this.options, { connectMs, timeoutMs, signal, clock });
    await greet(this.stream);
    return this.stream;
  }
}
