/** A request that waits for the app of this pod, which has not accepted any connection yet. */
import { Timed, type TimerWheel } from "../net/wheel.ts";

/** How often it is tried; as often as the wheel turns. */
const everyMs = 100;

export class AppWait extends Timed {
  private readonly wheel: TimerWheel;
  private readonly until: number;
  private readonly connect: () => void;

  /** @param until monotonic milliseconds; @param connect tries once more */
  constructor(wheel: TimerWheel, until: number, connect: () => void) {
    super();
    this.wheel = wheel;
    this.until = until;
    this.connect = connect;
  }

  /** Tries again a moment from now; false when the time for that is over. */
  again(): boolean {
    if (this.wheel.now >= this.until) return false;
    this.wheel.set(this, everyMs);
    return true;
  }

  override onDeadline(): void {
    this.connect();
  }

  /** The exchange is over. */
  stop(): void {
    this.wheel.clear(this);
  }
}
