/**
 * A listener of transparent capture: learns where a redirected connection was going, and turns away what was not
 * redirected, or would go in a circle. Loaded only where a listener captures.
 */
import { networkInterfaces } from "node:os";
import { type Connection, isLoopback, plainAddress } from "./connection.ts";
import { canTellOriginalDestination, originalDestination } from "./original-destination.ts";
import { ownCalls } from "./own-calls.ts";
import type { Endpoint } from "./proxy-protocol.ts";

/** Why a connection is turned away: a code of `errors.ts`, and a sentence. */
export interface CaptureRefusal {
  readonly code: "not_redirected" | "capture_loop";
  readonly detail: string;
}

/** Who captures. */
export interface CapturingSidecar {
  /** Ports to which connections are redirected, now and after a reload. */
  readonly capturePorts: ReadonlySet<number>;
}

export class Capture {
  private readonly sidecar: CapturingSidecar;

  constructor(sidecar: CapturingSidecar) {
    this.sidecar = sidecar;
    ownCalls.watch();
  }

  /** False where the system cannot tell what was redirected. */
  static get isPossible(): boolean {
    return canTellOriginalDestination();
  }

  /** Finds out where it was going, which is its destination from then on. Undefined when all is well. */
  judge(connection: Connection): CaptureRefusal | undefined {
    const here = connection.destination;
    const there = originalDestination(connection.descriptor, !here.address.includes(":"));
    if (there === undefined) return direct(here, "connections are not tracked here, so no rule redirects any");
    if (there.port === here.port && there.address === here.address) return direct(here, "no rule has redirected it");
    if (this.sidecar.capturePorts.has(there.port) && isOwn(there, connection))
      return {
        code: "capture_loop",
        detail: `it was going to ${endText(there)}, which captures: it would be captured again`,
      };
    if (ownCalls.has(connection, there))
      return {
        code: "capture_loop",
        detail: `it is a call of this sidecar to ${endText(there)}; run it as a user or group that the redirect excludes`,
      };
    connection.redirectedFrom(there);
    return undefined;
  }
}

function direct(here: Endpoint, why: string): CaptureRefusal {
  return {
    code: "not_redirected",
    detail: `it came to ${endText(here)} itself: ${why}; this port is for what \`outrigger init --redirect\` sends to it`,
  };
}

/** True for addresses of this network namespace. */
function isOwn({ address }: Endpoint, connection: Connection): boolean {
  if (isLoopback(address) || address === connection.address) return true;
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return interfaces.some((own) => plainAddress(own.address) === address);
}

function endText({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
