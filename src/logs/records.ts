/** Records of our own as an input like any other: what waits in the rings goes to one output, whole lines at a time. */
import type { Block, Lane, LogSource, RecordStream } from "../contracts.ts";
import type { RecordRing } from "./record-ring.ts";

export type Rings = Readonly<Record<RecordStream, RecordRing>>;

export class Records {
  private readonly rings: readonly (readonly [LogSource, RecordRing])[];
  private readonly taken = new Map<string, number>();

  constructor(rings: Rings) {
    this.rings = Object.entries(rings).map(([stream, ring]) => [{ id: stream, input: "-", path: stream }, ring]);
  }

  /** Offers all that waits, as long as the lane has room. */
  turn(lane: Lane): void {
    for (const [source, ring] of this.rings) {
      if (lane.room <= 0) return;
      const bytes = ring.take();
      if (bytes !== undefined) lane.offer(this.block(source, bytes));
    }
  }

  get unreadBytes(): number {
    return this.rings.reduce((sum, [, ring]) => sum + ring.waiting, 0);
  }

  /** Nothing to remember: records do not survive a restart. */
  acknowledged(): void {}

  private block(source: LogSource, bytes: Uint8Array): Block {
    const start = this.taken.get(source.id) ?? 0;
    const end = start + bytes.length;
    this.taken.set(source.id, end);
    return { source, bytes, start, end, heldBytes: bytes.length };
  }
}
