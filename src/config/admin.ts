/** `admin:`: where a running sidecar is asked and watched from. */
import { isIpv4, type Parsed, parseAddress } from "./address.ts";
import { type Scalar, scalar } from "./scalars.ts";
import type { AdminPlace } from "./schema.ts";

/** The socket's name in the state folder. */
export const adminSocketName = "admin.sock";

const remedy =
  'write off, or an address of this machine alone such as "127.0.0.1:7410"; without the key it is a socket';

/** Reads `socket`, `off` (or false) or a loopback address with its port. */
export function parseAdmin(value: string | number): Parsed<AdminPlace> {
  if (value === "socket") return { value };
  if (value === "off" || value === "false") return { value: "off" };
  const address = parseAddress(value);
  if ("problem" in address) return { problem: `"${value}" is no place for admin`, remedy };
  const { host } = address.value;
  // It shows log lines and asks nobody for a password: whoever reaches it sees them.
  if (host !== undefined && isLoopback(host)) return { value: address.value };
  return { problem: `"${value}" can be reached from other machines, and admin shows log lines`, remedy };
}

function isLoopback(host: string): boolean {
  return host === "::1" || (isIpv4(host) && host.startsWith("127."));
}

/** The option. */
export function admin(): Scalar<AdminPlace> {
  const pattern = "^(socket|off|false|(127\\.[0-9.]+|localhost|\\[::1\\]):\\d{1,5})$";
  return scalar({ title: "place", example: '"127.0.0.1:7410"', type: ["string", "boolean"], pattern }, parseAdmin);
}

/** As it is written in a configuration. */
export function adminText(place: AdminPlace): string {
  return typeof place === "string" ? place : place.text;
}
