/** The streams that were closed last, and how: a late frame on one of them is judged by that (RFC 9113 section 5.1). */

export const Closing = { UNKNOWN: 0, ENDED: 1, RESET_BY_US: 2, RESET_BY_PEER: 3 } as const;
export type Closing = (typeof Closing)[keyof typeof Closing];

/** Enough for what is under way while a reset travels. */
const places = 256;

export class ClosedStreams {
  private readonly ids = new Uint32Array(places);
  private readonly how = new Uint8Array(places);
  private next = 0;

  add(streamId: number, how: Closing): void {
    this.ids[this.next] = streamId;
    this.how[this.next] = how;
    this.next = (this.next + 1) % places;
  }

  closing(streamId: number): Closing {
    const at = this.ids.lastIndexOf(streamId);
    return at === -1 ? Closing.UNKNOWN : (this.how[at] as Closing);
  }
}
