/** Where a collector delivers to, as the bench reads it: is a line there yet, and is all that is there right? */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { script } from "../origins.ts";
import { add, EMPTY, type Sum } from "./lines.ts";
import type { SinkState } from "./sink.ts";

export interface Output {
  /** True when the end of what was delivered holds the text. */
  endsWith(text: string): Promise<boolean>;
  /** Bytes delivered so far. */
  size(): Promise<number>;
  /** Length and checksum of all that was delivered. */
  sum(): Promise<Sum>;
  /** All lines in order, without their newlines. Where only sums are kept there are none. */
  lines?(): Generator<string>;
}

const TAIL_BYTES = 16 * 1024;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** A file the collector writes. */
export class OutputFile implements Output {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async endsWith(text: string): Promise<boolean> {
    if (!existsSync(this.path)) return false;
    const fd = openSync(this.path, "r");
    try {
      const { size } = fstatSync(fd);
      const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
      readSync(fd, tail, 0, tail.length, size - tail.length);
      return tail.at(-1) === 0x0a && tail.includes(text);
    } finally {
      closeSync(fd);
    }
  }

  async size(): Promise<number> {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  async sum(): Promise<Sum> {
    let sum = EMPTY;
    for (const chunk of this.chunks()) sum = add(sum, chunk);
    return sum;
  }

  *lines(): Generator<string> {
    let rest = "";
    for (const chunk of this.chunks()) {
      const text = rest + chunk.toString("latin1");
      const end = text.lastIndexOf("\n");
      rest = text.slice(end + 1);
      if (end >= 0) yield* text.slice(0, end).split("\n");
    }
    if (rest !== "") yield rest;
  }

  private *chunks(): Generator<Buffer> {
    const fd = openSync(this.path, "r");
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    try {
      for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) yield buffer.subarray(0, got);
    } finally {
      closeSync(fd);
    }
  }
}

/** bench/logs/sink.ts: lines that come by HTTP. */
export class OutputSink implements Output {
  readonly port: number;
  readonly stop: () => void;

  private constructor({ port, stop }: { port: number; stop(): void }) {
    this.port = port;
    this.stop = stop;
  }

  /** @param periodMs in the second half of each such time all requests fail; 0: none ever */
  static async start(periodMs = 0): Promise<OutputSink> {
    return new OutputSink(await script("logs/sink.ts", String(periodMs)));
  }

  async state(): Promise<SinkState> {
    return (await (await fetch(this.url)).json()) as SinkState;
  }

  /** Forgets what came so far. */
  async reset(): Promise<void> {
    await fetch(`${this.url}_reset`, { method: "POST", body: "" });
  }

  async endsWith(text: string): Promise<boolean> {
    return (await this.state()).tail.includes(text);
  }

  async size(): Promise<number> {
    return (await this.state()).bytes;
  }

  async sum(): Promise<Sum> {
    const { bytes, crc } = await this.state();
    return { bytes, crc };
  }

  private get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }
}
