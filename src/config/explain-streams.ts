/** What a listener does with a connection that it does not look into, in sentences. */

import { explainCapture } from "./explain-capture.ts";
import { placeOf } from "./explain-listener.ts";
import { explainArrival, explainUpstream } from "./explain-openings.ts";
import { formatDuration } from "./scalars.ts";
import type { Listener, Route } from "./schema.ts";

/** The sentences about a listener with `protocol: tcp` or `tls`. */
export function explainStreams(listener: Listener, protocol: "tcp" | "tls"): string[] {
  const { direction, listen, name, routes, timeouts } = listener;
  const what = protocol === "tcp" ? "A TCP connection" : "A TLS connection";
  const looks = `  The server name it asks for must be there within ${formatDuration(timeouts.headMs)}; nothing is decrypted.`;
  const last = routes.at(-1)?.match.sni === undefined && routes.length > 0;
  return [
    `${what} to ${placeOf(listen)} (${direction} "${name}"):`,
    ...explainCapture(listener).map((sentence) => `  ${sentence}`),
    ...explainArrival(listener).map((sentence) => `  ${sentence}`),
    ...(protocol === "tls" ? [looks] : []),
    ...routes.flatMap((route, at) => explainStream(route, at, "Whatever it is")),
    ...(last ? [] : ["  Otherwise it is refused (no_route)."]),
  ];
}

/** The sentences about one route. `always` begins the one about a route that takes whatever comes. */
export function explainStream(route: Route, at: number, always: string): string[] {
  const { name, match, action, timeouts } = route;
  if (action.kind !== "forward") return [];
  const when = match.sni === undefined ? always : `If it is TLS for ${match.sni.join(" or ")}`;
  const idle = timeouts.tunnelMs === 0 ? "" : `, and ends after ${formatDuration(timeouts.tunnelMs)} without a byte`;
  const connect =
    timeouts.connectMs === 0 ? "" : ` It waits ${formatDuration(timeouts.connectMs)} for the connection${idle}.`;
  return [
    `  ${at + 1}. ${when}, its bytes go ${action.to.scheme === "original" ? "where they were going" : `to ${action.to.text}`} as they are (route "${name}").`,
    `     ${connect.trim()}`,
    ...explainUpstream(route).map((sentence) => `     ${sentence}`),
  ];
}
