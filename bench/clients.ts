/** Sessions of a suite made of clients in a closed loop, and latencies at a fixed rate. */
import { type Clients, closedLoop, fixedRate } from "./load.ts";
import type { Session } from "./suite.ts";

/** How long a load runs before what it does counts. */
const SETTLE_MS = 50;

export function sessionOf<S extends { data: { dueAt: number } }>(clients: Clients<S>): Session {
  return {
    async drive(ms, mark) {
      const [served, failed] = [clients.answered, clients.failed];
      const answered = await closedLoop(clients, SETTLE_MS, ms, mark);
      const firstFailure = clients.firstFailure;
      return { served: clients.answered - served, answered, failed: clients.failed - failed, firstFailure };
    },
    close: () => clients.close(),
  };
}

/** Milliseconds from when each request fell due; closes the clients. */
export async function latenciesOf<S extends { data: { dueAt: number } }>(
  clients: Clients<S>,
  { perSecond, ms }: { perSecond: number; ms: number },
): Promise<number[]> {
  try {
    const latenciesMs = await fixedRate(clients, perSecond, ms);
    if (clients.failed > 0) {
      throw new Error(`${clients.failed} failed at ${perSecond} a second, the first with: ${clients.firstFailure}`);
    }
    return latenciesMs;
  } finally {
    clients.close();
  }
}
