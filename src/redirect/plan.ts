/** What `outrigger init --redirect` sets up, as data: which connections are redirected, and which are left alone. */
import type { Cidr } from "../config/cidr.ts";

/** Numbers from one to the other, both included: ports, or ids of users or groups. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** Connections that processes of this network namespace open to places outside. */
export interface OutboundRedirect {
  /** Where the sidecar listens for them. */
  readonly port: number;
  /** True: those to loopback and to the pod's own addresses as well. */
  readonly own: boolean;
  readonly excludedPorts: readonly NumberRange[];
  readonly excludedAddresses: readonly Cidr[];
  /** Whoever runs as one of these is not captured: the sidecar, before all. */
  readonly excludedUsers: readonly NumberRange[];
  readonly excludedGroups: readonly NumberRange[];
}

/** Connections that come from outside of this network namespace. */
export interface InboundRedirect {
  readonly port: number;
  /** Undefined for all ports. */
  readonly ports: readonly NumberRange[] | undefined;
  readonly excludedPorts: readonly NumberRange[];
}

/** TCP only, IPv4 and IPv6; an absent direction is left alone. */
export interface RedirectPlan {
  readonly outbound: OutboundRedirect | undefined;
  readonly inbound: InboundRedirect | undefined;
  /** The sidecar's own: its redirect ports and its health port, which are reached as they are. */
  readonly sidecarPorts: readonly number[];
}

/** True for a range of IPv4 addresses. */
export function isIpv4Range({ text }: Cidr): boolean {
  return !text.includes(":");
}

/** `80`, or both ends with `between` in the middle. */
export function rangeText({ from, to }: NumberRange, between: string): string {
  return from === to ? String(from) : `${from}${between}${to}`;
}
