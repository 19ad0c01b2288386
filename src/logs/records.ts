/** Records of our own as an input like any other: what waits in the rings goes to one output, whole lines at a time. */
import type { Block, Lane, LogSource, RecordStream } from "../contracts.ts";
import { plainBlock } from "./plain-block.ts";
import type { RecordRing } from "./record-ring.ts";

export type Rings = Readonly<Record<RecordStream, RecordRing>>;

export class Records {
  private readonly rings: readonly (readonly [LogSource, RecordRing])[];
  private readonly taken = new Map<string, number>();
  /** Whose turn it is: a full ring must not keep the others waiting when the lane has little room. */
  private next = 0;

  /** @param others access records of threads that carry traffic beside main, each in a ring of its own */
  constructor(rings: Rings, others: readonly RecordRing[] = []) {
    const own = Object.entries(rings).map(([stream, ring]) => [sourceOf(stream), ring] as const);
    this.rings = [...own, ...others.map((ring, at) => [sourceOf("access", `access-${at + 1}`), ring] as const)];
  }

  /** Offers all that waits, as long as the lane has room. */
  turn(lane: Lane): void {
    for (let looked = 0; looked < this.rings.length && lane.room > 0; looked++) {
      const [source, ring] = this.rings[this.next]!;
      this.next = (this.next + 1) % this.rings.length;
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
    return plainBlock(source, bytes, start, end);
  }
}

function sourceOf(stream: string, id = stream): LogSource {
  return { id, input: "-", path: stream, fields: {} };
}
