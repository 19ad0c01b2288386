/**
 * Ports of the app that a guarded inbound listener leads to. What guards the listener holds only for who comes through
 * it: where the app's port can be reached at the pod's address too, it is passed by (design D7).
 */
import { isLoopbackHost } from "../local-ports.ts";
import { type DropIns, keyOf } from "./drop-ins.ts";
import type { Config, Listener, Route } from "./schema.ts";

/** One port of the app behind one listener. */
export interface GuardedPort {
  readonly listener: string;
  readonly port: number;
  /** What may refuse a request on this way, as it is named in the configuration; never empty. */
  readonly guards: readonly string[];
}

/** Filters of this phase are there to refuse: it is what they declare of themselves, whoever wrote them. */
const refusing = "admit";

/** None where connections are redirected to us: what comes to the app's port comes through a listener then. */
export function guardedPorts({ inbound }: Config, dropIns: DropIns): GuardedPort[] {
  if (inbound.some(({ capture }) => capture === true)) return [];
  return inbound.flatMap((listener) => guardedPortsOf(listener, dropIns));
}

/** Each port once, with all that guards any of the routes to it. */
export function guardedPortsOf(listener: Listener, dropIns: DropIns): GuardedPort[] {
  const found = new Map<number, Set<string>>();
  for (const route of listener.routes) {
    const port = appPort(route);
    const guards = port === undefined ? [] : guardsOf(listener, route, dropIns);
    if (port === undefined || guards.length === 0) continue;
    found.set(port, new Set([...(found.get(port) ?? []), ...guards]));
  }
  return [...found].map(([port, guards]) => ({ listener: listener.name, port, guards: [...guards] }));
}

function appPort({ action }: Route): number | undefined {
  if (action.kind !== "forward" || action.to.port === 0) return undefined;
  return isLoopbackHost(action.to.host) ? action.to.port : undefined;
}

function guardsOf({ arrival }: Listener, { policies, filters }: Route, dropIns: DropIns): string[] {
  const certificates = arrival?.tls?.clients?.required === true ? ["tls.clients"] : [];
  const builtIn = Object.keys(policies).map(keyOf);
  return [
    ...certificates,
    ...builtIn.filter((key) => dropIns.filters.get(key)?.phase === refusing),
    ...filters.filter(({ phase }) => phase === refusing).map(({ name }) => name),
  ];
}

/** For `check`: what has to be so that the guards hold. */
export function explainGuards(listener: Listener, dropIns: DropIns): string[] {
  if (listener.direction !== "inbound" || listener.capture === true) return [];
  return guardedPortsOf(listener, dropIns).map(
    ({ port, guards }) =>
      `Who reaches port ${port} of the app otherwise passes by what guards it here (${guards.join(", ")}): let the app listen on 127.0.0.1 alone. Where it does not, outrigger_inbound_bypassable is 1.`,
  );
}
