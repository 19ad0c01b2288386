/** Whole lines from several programs on one output, each with a prefix that says whose it is. */
import type { Awaitable } from "../contracts.ts";

const newline = 0x0a;
/** A line longer than this is shown in pieces of this size, each with the prefix. */
const longestLineBytes = 1024 * 1024;

export type Colour = "cyan" | "green" | "grey";
const codes: Record<Colour, string> = { cyan: "\x1b[36m", green: "\x1b[32m", grey: "\x1b[90m" };

/** Cuts a stream of bytes into lines, without their newline. The last one may lack it. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  const take = (piece: Uint8Array) => {
    const line = rest.length === 0 ? piece : Buffer.concat([...rest, piece]);
    rest = [];
    restBytes = 0;
    return line;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    rest.push(chunk.slice(start));
    restBytes += chunk.length - start;
    if (restBytes >= longestLineBytes) yield take(new Uint8Array());
  }
  if (restBytes > 0) yield take(new Uint8Array());
}

/** The output that all share. One line is one write, so lines never mix. */
export class Lines {
  readonly #write: (line: Uint8Array) => Awaitable<void>;
  readonly #colours: boolean;

  constructor(write: (line: Uint8Array) => Awaitable<void>, colours: boolean) {
    this.#write = write;
    this.#colours = colours;
  }

  /** Shows one line under a label. */
  show(label: string, colour: Colour, line: string | Uint8Array): Awaitable<void> {
    const padded = `${label.padEnd(9)}| `;
    const prefix = this.#colours ? `${codes[colour]}${padded}\x1b[0m` : padded;
    return this.#write(Buffer.concat([Buffer.from(prefix), Buffer.from(line), Buffer.of(newline)]));
  }

  /** Shows a stream's lines as they come, no faster than they are read; resolves at its end. */
  async pump(label: string, colour: Colour, stream: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const line of linesOf(stream)) await this.show(label, colour, line);
  }
}
