/** Which address is which: how a reload knows a listener again, and what is said when an address cannot be had. */
import type { Listener as ListenerConfig } from "./config/schema.ts";
import { UserError } from "./errors.ts";
import { addressText, type ListenAddress } from "./net/listen.ts";

/** Listeners with the same key are one and the same over reloads. Where the kernel chooses the port, the name decides. */
export function listenerKey({ listen, name }: ListenerConfig): string {
  return listen.port === 0 ? `${listen.text} ${name}` : listen.text;
}

/** A listener that is bound. */
export interface BoundAddress {
  /** As configured. */
  readonly listen: ListenAddress;
  /** As bound: differs only where the port was 0. */
  readonly port: number;
}

/** `127.0.0.1:8080`, `[::1]:8080`, `:8080`. */
export function boundText({ listen, port }: BoundAddress): string {
  return addressText({ host: listen.host, port });
}

/** The fault of a listener that could not be bound, with its place in the config; errors of other kinds stay as they are. */
export function bindFault(
  file: string,
  listener: ListenerConfig,
  error: unknown,
  ours: readonly BoundAddress[],
): unknown {
  if (!(error instanceof UserError)) return error;
  const place = `${file}: ${listener.direction} "${listener.name}"`;
  return new UserError(`${place}: ${whyNot(listener, error, ours)}`, error.exitCode);
}

/** A listener of ours on the same port stands in the way until the change is made, and may be part of it. */
function whyNot({ listen }: ListenerConfig, error: UserError, ours: readonly BoundAddress[]): string {
  const own = ours.find((bound) => bound.listen.port === listen.port);
  if (own === undefined) return error.message;
  return `the port is this sidecar's own, on ${boundText(own)}; a change of address on one port needs a restart`;
}
