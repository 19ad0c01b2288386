/**
 * One coarse timer wheel per thread: every timeout of every connection, one `setInterval`.
 *
 *   slots:  [0] [1] [2] … [511]        one slot per tick; a slot is a ring of Timed nodes
 *            ^ cursor moves one slot a tick
 *
 * A node is set lazily: moving its deadline later only writes a number, and the node is put into the
 * right slot when the old one comes by. So a connection that is busy pays no list work per request.
 * Precision is one tick late at most two; nothing here may need better.
 */
import type { Clock } from "../contracts.ts";

const slotCount = 512;
/** Up to here a deadline counts from the clock, beyond from the last tick, which costs nothing. */
const exactMs = 10_000;

/** Something with one deadline. Extend it, or hold one. */
export abstract class Timed {
  /** Monotonic milliseconds; Infinity when nothing is due. */
  deadline = Number.POSITIVE_INFINITY;
  /** @internal ring of the slot */
  next: Timed | null = null;
  /** @internal ring of the slot */
  previous: Timed | null = null;
  /** @internal the tick at which this node is looked at; 0 when in no slot */
  dueTick = 0;
  /** Called once when the deadline has passed; the deadline is Infinity by then. */
  abstract onDeadline(now: number): void;
}

class Slot extends Timed {
  constructor() {
    super();
    this.next = this;
    this.previous = this;
  }
  override onDeadline(): void {}
}

export class TimerWheel {
  /** Monotonic milliseconds as of the last tick or `refresh`; good enough for idle times. */
  now: number;
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly slots: Slot[] = [];
  private tick: number;
  private count = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(clock: Clock, tickMs = 100) {
    this.clock = clock;
    this.tickMs = tickMs;
    this.now = clock.now();
    this.tick = Math.floor(this.now / tickMs);
    for (let i = 0; i < slotCount; i++) this.slots.push(new Slot());
  }

  /** Nodes in the wheel; one that was cleared late still counts until its slot comes by. */
  get size(): number {
    return this.count;
  }

  /** Sets or moves a deadline `delayMs` from now; Infinity clears it. */
  set(node: Timed, delayMs: number): void {
    if (this.count === 0) this.wake();
    // Where the loop stood still since the last tick, a short time must not be over before it began.
    this.place(node, (delayMs <= exactMs ? this.clock.now() : this.now) + delayMs);
  }

  private place(node: Timed, deadline: number): void {
    node.deadline = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    if (node.dueTick !== 0 && node.dueTick * this.tickMs <= deadline) return;
    if (node.dueTick !== 0) this.unlink(node);
    this.link(node);
  }

  /** The same, counted from the last tick: may be over early by as long as the loop stood still, and asks no clock. */
  setCoarse(node: Timed, delayMs: number): void {
    if (this.count === 0) this.wake();
    this.place(node, this.now + delayMs);
  }

  /** Takes a node out for good. */
  clear(node: Timed): void {
    node.deadline = Number.POSITIVE_INFINITY;
    if (node.dueTick !== 0) this.unlink(node);
  }

  /** Stops the clockwork; nodes stay where they are. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Moves on to the clock's time and calls what is due. The interval does this; tests may too. */
  advance(): void {
    this.now = this.clock.now();
    const target = Math.floor(this.now / this.tickMs);
    const steps = Math.min(target - this.tick, slotCount);
    const from = target - steps;
    this.tick = target;
    for (let tick = from + 1; tick <= target; tick++) this.visit(this.slots[tick % slotCount]!);
    if (this.count === 0) this.stop();
  }

  private wake(): void {
    this.now = this.clock.now();
    this.tick = Math.floor(this.now / this.tickMs);
    this.timer ??= setInterval(() => this.advance(), this.tickMs);
  }

  private visit(slot: Slot): void {
    if (slot.next === slot) return;
    // Taken out as a ring of its own first: a node may clear its neighbours, or come back to this slot.
    const due = new Slot();
    due.next = slot.next;
    due.previous = slot.previous;
    due.next!.previous = due;
    due.previous!.next = due;
    slot.next = slot;
    slot.previous = slot;
    while (due.next !== due) this.look(due.next!);
  }

  private look(node: Timed): void {
    this.unlink(node);
    if (node.deadline === Number.POSITIVE_INFINITY) return;
    if (node.deadline > this.now) {
      this.link(node);
      return;
    }
    node.deadline = Number.POSITIVE_INFINITY;
    node.onDeadline(this.now);
  }

  private link(node: Timed): void {
    const wanted = Math.ceil(node.deadline / this.tickMs);
    const due = Math.min(Math.max(wanted, this.tick + 1), this.tick + slotCount - 1);
    const slot = this.slots[due % slotCount]!;
    const last = slot.previous!;
    node.dueTick = due;
    node.previous = last;
    node.next = slot;
    last.next = node;
    slot.previous = node;
    this.count++;
  }

  private unlink(node: Timed): void {
    node.previous!.next = node.next;
    node.next!.previous = node.previous;
    node.next = null;
    node.previous = null;
    node.dueTick = 0;
    this.count--;
  }
}
