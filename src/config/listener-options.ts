/** The options of `inbound:` and `outbound:`: one grammar of listeners and routes. */
import * as z from "zod";
import type { Direction } from "../contracts.ts";
import { parseAddress, parseUpstream } from "./address.ts";
import { parseCidr } from "./cidr.ts";
import { headerValue, sentFields } from "./fields.ts";
import { forwardProxySchema } from "./forward-proxy.ts";
import { matchSchema } from "./match.ts";
import { duration, formatDuration, name, option, readableFile, scalar, size, text } from "./scalars.ts";
import type { ListenerTimeouts } from "./schema.ts";
import { arrivalShape, upstreamSchema } from "./tls-options.ts";
import type { FilterListSchema } from "./user-filters.ts";

/** An address to listen on. */
export function address() {
  return scalar({ title: "address", example: "8080", type: ["integer", "string"] }, parseAddress);
}

function upstream() {
  const doc = {
    title: "upstream",
    example: "http://127.0.0.1:7878",
    type: "string",
    pattern: "^(([Hh][Tt][Tt][Pp][Ss]?|[Hh]2[Cc]|[Tt][Cc][Pp]|[Tt][Ll][Ss])://[^/?#]+/?|unix:/.+|original)$",
  } as const;
  return scalar(doc, (value) => parseUpstream(String(value)));
}

function range() {
  return scalar({ title: "address range", example: "10.0.0.0/8", type: "string" }, (value) => parseCidr(String(value)));
}

/** What holds where nothing is written. */
export const timeoutDefaults: Readonly<Record<Direction, ListenerTimeouts>> = {
  inbound: {
    headMs: 10_000,
    keepAliveMs: 65_000,
    connectMs: 500,
    startMs: 5000,
    responseMs: 0,
    requestMs: 0,
    idleMs: 300_000,
    tunnelMs: 3_600_000,
  },
  outbound: {
    headMs: 10_000,
    keepAliveMs: 65_000,
    connectMs: 1000,
    startMs: 0,
    responseMs: 0,
    requestMs: 30_000,
    idleMs: 300_000,
    tunnelMs: 3_600_000,
  },
};

/** Captured calls go to any place, near or far, and their app has not asked for limits. */
export const capturedDefaults: ListenerTimeouts = { ...timeoutDefaults.outbound, connectMs: 10_000, requestMs: 0 };

/** A timeout's default as the reference page says it. */
function byDirection(key: keyof ListenerTimeouts): { default: string } {
  const [inbound, outbound] = [
    formatDuration(timeoutDefaults.inbound[key]),
    formatDuration(timeoutDefaults.outbound[key]),
  ];
  const captured = formatDuration(capturedDefaults[key]);
  const under = captured === outbound ? "" : `, ${captured} outbound with capture`;
  return {
    default: inbound === outbound && under === "" ? inbound : `${inbound} inbound, ${outbound} outbound${under}`,
  };
}

/** What every route has a limit on; on a listener they hold for all its routes. */
function routeTimeouts(fallback: (key: keyof ListenerTimeouts) => { default: string }) {
  return {
    connect: option(duration(), "Until the upstream accepted the connection.", fallback("connectMs")).optional(),
    start: option(
      duration(),
      "How long a request waits for an app in this pod that has not started yet: that has accepted no connection since the sidecar is there; for a minute, which is what a start may take. Then it gets 503 with `Retry-After`. 0 is off; calls of the app never wait.",
      fallback("startMs"),
    ).optional(),
    response: option(
      duration(),
      "From the whole request sent until the head of the answer; 0 is off.",
      fallback("responseMs"),
    ).optional(),
    request: option(
      duration(),
      "From the request's head until the answer's last byte; 0 is off.",
      fallback("requestMs"),
    ).optional(),
    idle: option(
      duration(),
      "Without a byte in either direction while a request is open; 0 is off.",
      fallback("idleMs"),
    ).optional(),
    tunnel: option(
      duration(),
      "Without a byte in either direction of a tunnel (WebSocket, CONNECT, TCP), to which no other limit applies; 0 is off. Once one side has closed, at most 5m.",
      fallback("tunnelMs"),
    ).optional(),
  };
}

function fromListener(): { default: string } {
  return { default: "the listener's" };
}

function listenerTimeouts() {
  return z.strictObject({
    head: option(
      duration(1),
      "From accept, or from a request's first byte, until its head is complete.",
      byDirection("headMs"),
    ).optional(),
    keepAlive: option(duration(1), "Between two requests on one connection.", byDirection("keepAliveMs")).optional(),
    ...routeTimeouts(byDirection),
  });
}

function respondSchema() {
  return z.strictObject({
    status: option(z.int().min(200).max(599), "The answer's status, 200 to 599.").prefault(200),
    contentType: option(headerValue(), "The answer's `content-type`.").optional(),
    headers: option(sentFields(), "More header fields of the answer, as `name: value`.").optional(),
    body: option(text("text", '"<h1>hello</h1>"'), "The answer's body. Write `$${` for a literal `${`.").optional(),
    bodyFile: option(readableFile(), "A file that is the answer's body, instead of `body`.").optional(),
  });
}

/** The options a route and a listener share, with the policies' own. */
function shared(maxBody: { default: string }, upgrade: { default: string }) {
  return {
    upgrade: option(
      z.boolean(),
      "Whether requests to change the protocol, such as WebSocket's, are passed on. Without it they are answered as if they did not ask.",
      upgrade,
    ).optional(),
    to: option(
      upstream(),
      "Where requests are sent on: `http://host:port`, `https://host:port`, `h2c://host:port` for HTTP/2 without TLS, or `unix:/path` for a socket of this machine. With `protocol: tcp` or `tls`, where bytes go: `tcp://host:port`, or `tls://host:port` to encrypt them on the way. With `capture`, also `original`: where the connection was going, requests and other bytes alike; inbound, that port on loopback.",
    ).optional(),
    upstream: option(upstreamSchema(), "How connections to `to` begin.").optional(),
    maxBody: option(
      size(),
      "Largest request body; 0 is unlimited. A larger one is refused with 413.",
      maxBody,
    ).optional(),
  };
}

/** Keys of filters, each with the schema of its options. */
export type PolicyShape = Readonly<Record<string, z.ZodType>>;

/** The options of a route. */
export function routeSchema(policies: PolicyShape, filters: FilterListSchema) {
  const shape = {
    name: option(name(), "Stands in metrics and logs; unique within the listener.", {
      default: "the path, else `route-1` …",
    }).optional(),
    match: option(
      matchSchema(),
      "Which requests; everything when left out. The first route that fits is taken.",
    ).optional(),
    respond: option(respondSchema(), "Answer here instead of sending the request on. Excludes `to`.").optional(),
    ...shared(fromListener(), fromListener()),
    timeouts: option(z.strictObject(routeTimeouts(fromListener)), "Instead of the listener's.").optional(),
    filters: filters.optional(),
  };
  return z.strictObject({ ...shape, ...policies } as typeof shape);
}

/** The options of a listener. */
export function listenerSchema(policies: PolicyShape, filters: FilterListSchema) {
  const shape = {
    name: option(name(), "Stands in metrics and logs; unique over all listeners.", {
      default: "the address",
    }).optional(),
    listen: option(address(), "`8080` on every address, IPv4 and IPv6; or `127.0.0.1:8080`, `[::1]:8080`.", {
      required: true,
    }),
    capture: option(
      z.boolean(),
      "True: takes the connections that `outrigger init --redirect` sends here, knows where each was going, and refuses all others.",
    ).prefault(false),
    ...arrivalShape(),
    trust: option(
      z.array(range()),
      "Peers whose `x-forwarded-*` fields and request ids are kept instead of replaced, and who may send PROXY headers.",
      { default: "none" },
    ).optional(),
    routes: option(
      z.array(routeSchema(policies, filters)),
      "In order; the first that fits is taken. What fits none goes `to`, or gets 404.",
    ).optional(),
    forwardProxy: option(
      forwardProxySchema(),
      "Calls in absolute form, and CONNECT, go to the authority they name: what `HTTP_PROXY` and `HTTPS_PROXY` expect. Only under outbound; excludes `to`, and takes what no route takes.",
    ).optional(),
    ...shared({ default: "0" }, { default: "true" }),
    timeouts: option(listenerTimeouts(), "How long to wait for what.").optional(),
    filters: filters.optional(),
  };
  return z.strictObject({ ...shape, ...policies } as typeof shape);
}

export type ListenerOptions = z.output<ReturnType<typeof listenerSchema>>;
export type RouteOptions = z.output<ReturnType<typeof routeSchema>>;
