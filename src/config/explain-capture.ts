/** What a listener of transparent capture does before all else, in sentences. */
import { isForAnyBytes } from "./explain-openings.ts";
import type { Listener } from "./schema.ts";

/** Nothing to say where connections come of themselves. */
export function explainCapture(listener: Listener): string[] {
  const { capture, direction, listen, arrival, routes } = listener;
  if (capture !== true) return [];
  const rules = `outrigger init --redirect ${direction}`;
  const ports = listen.port === defaultPorts[direction] ? "" : ` --${direction}-port ${listen.port}`;
  const looksFirst = arrival?.protocol === "auto" && routes.some(isForAnyBytes);
  return [
    `It takes the TCP connections that \`${rules}${ports}\` has redirected, and knows where each was going.`,
    "One that came to it directly is refused (not_redirected), and so is one that comes from this sidecar, or was going to a port that captures (capture_loop).",
    ...(listen.host === "127.0.0.1"
      ? ["Only IPv4 gets here: redirected IPv6 goes to ::1. Listen on a port only for both."]
      : []),
    direction === "outbound"
      ? "What a call says of itself (Host, server name) chooses a route, never an address: without a route to elsewhere it goes where it was going."
      : "Where nothing else is said, it goes to the port it was going to, on loopback: 127.0.0.1, else ::1.",
    ...(looksFirst ? bytesToo : []),
  ];
}

const bytesToo = [
  "Plain HTTP passes routes and filters; TLS and other bytes are carried where they were going, and not looked into.",
  "While the client is silent for 50ms, its destination is connected to: a server that speaks first is heard at once.",
];

const defaultPorts = { outbound: 15001, inbound: 15006 };
