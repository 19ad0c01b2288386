/**
 * Makes one call that the rules must capture, and sees whether it comes. Rules that are set and do nothing (a kernel
 * without NAT, a sandbox with a network of its own, somebody else's rules in front) would leave a pod that looks captured
 * and is not.
 */
import { readFileSync } from "node:fs";
import { inRanges } from "../config/cidr.ts";
import { UserError } from "../errors.ts";
import { Listener } from "../net/listen.ts";
import { originalDestination } from "../net/original-destination.ts";
import type { NumberRange, OutboundRedirect } from "../redirect/plan.ts";

/** Of the addresses for tests of networks (RFC 2544), which lead nowhere; port 9 is `discard`. */
const probe = { address: "198.18.0.1", port: 9 };
const waitMs = 3000;

/** @returns what was seen, as a sentence @throws UserError (exit 3) when the call did not come */
export async function verifyOutbound(outbound: OutboundRedirect): Promise<string> {
  const hindrance = whyNotVerified(outbound);
  if (hindrance !== undefined) return `outbound: not verified by a call, as ${hindrance}`;
  const came = Promise.withResolvers<boolean>();
  let listener: Listener;
  try {
    listener = Listener.open({ host: "127.0.0.1", port: outbound.port }, (connection) => {
      const there = originalDestination(connection.descriptor, true);
      connection.end();
      came.resolve(there?.address === probe.address && there.port === probe.port);
    });
  } catch {
    return `outbound: not verified by a call, as somebody listens on port ${outbound.port} already`;
  }
  const hasCome = await Promise.race([came.promise, Bun.sleep(waitMs).then(() => false), call()]);
  listener.close();
  const place = `${probe.address}:${probe.port}`;
  if (hasCome) return `outbound: verified: a call to ${place} came to port ${outbound.port}`;
  throw new UserError(
    `init: the rules are set, but a call to ${place} did not come to port ${outbound.port}: this network is not the kernel's own (gVisor, Kata), the kernel lacks NAT, or rules of somebody else come first; --no-verify leaves this look out`,
    3,
  );
}

/** Never settles unless the call fails at once. */
async function call(): Promise<false> {
  const stays = new Promise<never>(() => {});
  try {
    const socket = await Bun.connect({ hostname: probe.address, port: probe.port, socket: { data() {}, error() {} } });
    socket.end();
    return stays;
  } catch {
    return false;
  }
}

/** As the end of a sentence; undefined when nothing is in the way. */
function whyNotVerified({ excludedUsers, excludedGroups, excludedPorts, excludedAddresses }: OutboundRedirect) {
  const takes = (ranges: readonly NumberRange[], id: number) => ranges.some(({ from, to }) => from <= id && id <= to);
  const isExcluded = takes(excludedUsers, process.getuid?.() ?? 0) || takes(excludedGroups, process.getgid?.() ?? 0);
  if (isExcluded) return "this process is excluded itself";
  if (takes(excludedPorts, probe.port) || inRanges(probe.address, excludedAddresses))
    return `${probe.address}:${probe.port} is excluded`;
  return hasWayOut() ? undefined : "this network has no default route for IPv4";
}

function hasWayOut(): boolean {
  try {
    return /^\S+\t00000000\t/m.test(readFileSync("/proc/net/route", "latin1"));
  } catch {
    return false;
  }
}
