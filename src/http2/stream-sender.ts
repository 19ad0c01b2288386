/**
 * Sends what streams have, as far as the peer's windows and the socket allow: at once where nothing is in the way, else
 * one frame of each stream in turn.
 */
import { type Floods, Gain } from "./floods.ts";
import type { FrameOutput } from "./frame-output.ts";
import { defaultFrameSize, defaultWindow, FrameType } from "./frames.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Stream } from "./stream.ts";

export class StreamSender {
  readonly output: FrameOutput;
  /** Bytes of DATA the peer allows on the whole connection. */
  window = defaultWindow;
  private readonly encoder: HeaderEncoder;
  private readonly floods: Floods;
  /** Streams that have something queued and a window for it. */
  private readonly ready: Stream[] = [];
  private pumping = false;

  constructor(output: FrameOutput, encoder: HeaderEncoder, floods: Floods) {
    this.output = output;
    this.encoder = encoder;
    this.floods = floods;
  }

  /** A header block, which is encoded already; see `HeaderEncoder`. */
  head(stream: Stream, block: Uint8Array, ends: boolean): void {
    const { output } = this;
    output.reserve(Math.min(block.length, defaultFrameSize));
    stream.place = output.place;
    output.headers(stream.id, block, ends, defaultFrameSize);
    if (ends) stream.endedLocally();
  }

  trailers(stream: Stream, lines: string): void {
    this.output.headers(stream.id, this.encoder.trailers(lines), true, defaultFrameSize);
  }

  /** Sends `bytes[from, to)` as far as it may leave now; returns the index after what has left. */
  send(stream: Stream, bytes: Uint8Array, from: number, to: number): number {
    const { output } = this;
    let at = from;
    while (at < to && !output.blocked) {
      const count = Math.min(to - at, defaultFrameSize, stream.sendWindow, this.window);
      if (count <= 0) break;
      output.reserve(count);
      stream.place = output.place;
      output.frame(FrameType.DATA, 0, stream.id, bytes, at, at + count);
      stream.sendWindow -= count;
      this.window -= count;
      at += count;
      this.floods.gain(Gain.DATA_SENT);
    }
    return at;
  }

  /** Gives a stream its turn, if it has something to send and may. */
  schedule(stream: Stream): void {
    if (stream.scheduled || stream.queued === 0 || stream.sendWindow <= 0) return;
    stream.scheduled = true;
    this.ready.push(stream);
  }

  /** A window has opened, or the socket takes bytes again. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.ready.length > 0 && this.window > 0 && !this.output.blocked) {
      const stream = this.ready.shift()!;
      stream.scheduled = false;
      if (stream.queued > 0 && stream.sendWindow > 0) stream.sendQueued(defaultFrameSize);
      this.schedule(stream);
    }
    this.pumping = false;
  }
}
