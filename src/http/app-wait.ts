/** Requests whose upstream refuses connections: its app may still be starting, or be gone before us. */
import type { FailureCode } from "../errors.ts";
import { Timed, type TimerWheel } from "../net/wheel.ts";
import type { HttpExchange } from "./exchange.ts";
import type { Place } from "./upstream.ts";

/** How often it is tried; as often as the wheel turns. */
const everyMs = 100;

/** What to call it, as far as the exchange and the upstream's place tell. */
export function judgeUnreachable({ client, direction, plan }: HttpExchange, place: Place): FailureCode {
  if (direction === "outbound" || place === "elsewhere") return "upstream_unreachable";
  if (client.leaves) return "app_gone";
  return place === "awaited" && plan.timeouts.start > 0 ? "app_not_started" : "upstream_unreachable";
}

/** A request that waits for the app of this pod, which has not accepted any connection yet. */
export class AppWait extends Timed {
  private readonly wheel: TimerWheel;
  private readonly until: number;
  private readonly connect: () => void;

  /** @param connect tries once more */
  constructor({ client, startedAt, plan }: HttpExchange, connect: () => void) {
    super();
    this.wheel = client.engine.wheel;
    this.until = startedAt + plan.timeouts.start;
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
