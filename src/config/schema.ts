/**
 * What a configuration is: the type every part reads, with defaults filled in, durations in milliseconds,
 * sizes in bytes, files as absolute paths and references replaced.
 */
import type { Direction, EventDeclaration, Field, MetricDeclaration, Phase } from "../contracts.ts";
import type { OutputPolicy } from "../logs/delivery/policy.ts";
import type { ClientTlsFiles } from "../net/client-tls.ts";
import type { ServerTlsFiles } from "../net/server-tls.ts";
import type { Address, Upstream } from "./address.ts";
import type { Cidr } from "./cidr.ts";
import type { Destination } from "./forward-proxy.ts";
import type { EntryFields } from "./log-fields.ts";

export type { Address, Upstream } from "./address.ts";
export type { Cidr } from "./cidr.ts";
export type { Destination } from "./forward-proxy.ts";

/** The whole configuration of one sidecar. */
export interface Config {
  /** Absolute path of the file it came from. */
  readonly file: string;
  /** Absolute path from `state:`, or undefined to look for a place (`resolveState`). */
  readonly state: string | undefined;
  /** Where health and metrics are served. */
  readonly health: Address;
  /** Where the running sidecar is asked and watched from. */
  readonly admin: AdminPlace;
  readonly shutdown: Shutdown;
  /** Threads that carry traffic; 1 is the main thread, `auto` one for each core of the container. */
  readonly concurrency: number | "auto";
  readonly limits: Limits;
  readonly logs: readonly LogPipeline[];
  readonly schedules: readonly Schedule[];
  readonly inbound: readonly Listener[];
  readonly outbound: readonly Listener[];
}

/** How the sidecar stops, as far as the pod lets it. */
export interface Shutdown {
  /** From the pod's end, or from SIGTERM where nothing told of it before, until everything is stopped. */
  readonly graceMs: number;
  /** `POST /quit` stops the sidecar. */
  readonly quit?: boolean;
  /** What was written for it, where the pod does not allow as much. */
  readonly cutFromMs?: number;
  /** The pod's `terminationGracePeriodSeconds`, where it is known. */
  readonly podGraceMs?: number;
  /**
   * `native`: an init container that keeps running, which gets SIGTERM when the app has ended. `plain`: a container
   * beside the app, which gets it at the same time. Undefined where nobody said which.
   */
  readonly form?: "native" | "plain";
}

/** `socket` is one in the state folder, `off` none; an address is one of loopback. */
export type AdminPlace = "socket" | "off" | Address;

export interface Limits {
  /** Connections at once over all listeners; undefined: computed at start from the descriptor limit. */
  readonly connections: number | undefined;
  /** Largest request or response head. */
  readonly headBytes: number;
  /** Most fields in one head. */
  readonly headFields: number;
  /** Memory above which new requests get 503: a share of what the container may use (0 to 1], or bytes. */
  readonly memory: { readonly share: number } | { readonly bytes: number };
}

// ---------------------------------------------------------------------------------------------
// Drop-ins

/** A configured drop-in: which one, and its options as its own schema parsed them. */
export interface DropIn {
  /** The drop-in's file name, such as `stdout`. */
  readonly use: string;
  readonly options: unknown;
}

/** A drop-in that may stand several times and is told apart by its name. */
export interface NamedDropIn extends DropIn {
  /** Unique within its list; the drop-in's own name unless given. */
  readonly name: string;
}

// ---------------------------------------------------------------------------------------------
// Filters in TypeScript

/** A filter's version as it was found when the configuration was loaded; plain data, for every thread. */
export interface LoadedFilter {
  /** Unique over the configuration: given there, else the filter's own, else its file's. */
  readonly name: string;
  /** Absolute path of the TypeScript file. */
  readonly source: string;
  /** SHA-256 of `code`, in hex: a version is told by it. */
  readonly hash: string;
  /** The version's number in this process: what the watchdog is shown. */
  readonly number: number;
  /** The file and all it imports, as `user-filters/modules.ts` runs it. */
  readonly code: string;
  readonly phase: Phase;
  readonly directions: readonly Direction[];
  /** As written; the filter's schema reads them in each thread. */
  readonly options: unknown;
  /** What it does with these options, in a sentence; empty when it does not say. */
  readonly doc: string;
  /** This version made its thread stand still before, and is not run again. */
  readonly isBlamed: boolean;
  /** What it may say and count. */
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
}

/** One entry of `filters:`. */
export interface UserFilter extends LoadedFilter {
  readonly onError: "fail" | "skip";
  /** What one call of an asynchronous hook may take. */
  readonly budgetMs: number;
}

// ---------------------------------------------------------------------------------------------
// Logs

/** An output, and what is said beside it. */
export interface PolicedOutput extends NamedDropIn {
  readonly policy?: OutputPolicy;
}

/** One entry of `logs:`. */
export interface LogPipeline {
  /** Unique; given, or the input's name, with `-2`, `-3` … from the second on. */
  readonly name: string;
  readonly input: DropIn;
  /** Of every record: static ones, and those of the pod. */
  readonly fields?: EntryFields;
  /** In the order in which records pass them; without any, lines go as they are. */
  readonly transforms?: readonly NamedDropIn[];
  /** At least one. */
  readonly outputs: readonly PolicedOutput[];
}

// ---------------------------------------------------------------------------------------------
// Schedules

/** One entry of `schedules:`. */
export interface Schedule {
  /** Unique; given, or host, port and path of the request, with `-2`, `-3` … from the second on. */
  readonly name: string;
  readonly when: { readonly everyMs: number } | { readonly cron: string };
  /** Uniform extra delay, 0 for none. */
  readonly jitterMs: number;
  readonly request: ScheduledRequest;
  readonly timeoutMs: number;
  readonly expect: Expectation;
  /** True when `/ready` needs the last result to be a success. */
  readonly ready: boolean;
  readonly print: "body" | "none";
}

export interface ScheduledRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly Field[];
  readonly body: string | undefined;
}

/** What an answer must be to count as a success. */
export interface Expectation {
  /** Any of these, both ends included. */
  readonly status: readonly StatusRange[];
  readonly body: TextMatch | undefined;
}

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export type TextMatch = { readonly contains: string } | { readonly matches: RegExp } | { readonly equals: string };

// ---------------------------------------------------------------------------------------------
// Listeners

/** One entry of `inbound:` or `outbound:`. */
export interface Listener {
  /** Unique over inbound and outbound; given, or the text of the address. */
  readonly name: string;
  readonly direction: "inbound" | "outbound";
  readonly listen: Address;
  /** It takes redirected connections, and no others. */
  readonly capture?: boolean | undefined;
  /** How its connections begin; undefined where each begins with a request. */
  readonly arrival?: ListenerArrival | undefined;
  /** Peers whose forwarding fields and request ids are kept, and who may send PROXY headers. */
  readonly trust: readonly Cidr[];
  /** In order, first match wins; the listener's own `to:` is the last one, named `default`. */
  readonly routes: readonly Route[];
  readonly timeouts: ListenerTimeouts;
  /** For exchanges that matched no route. 0 is unlimited. */
  readonly maxBodyBytes: number;
  /** For routes that do not say. */
  readonly upgrade: boolean;
  /** For exchanges that matched no route: file name of the filter, such as `log-access`, to its parsed options. */
  readonly policies: Readonly<Record<string, unknown>>;
  /** The top level's filters, then its own, for exchanges that matched no route. */
  readonly filters: readonly UserFilter[];
}

/** What comes before the first request. */
export interface ListenerArrival {
  readonly protocol: "http" | "tcp" | "tls" | "auto";
  /** A PROXY header comes first, and only from peers in `trust`. */
  readonly proxyProtocol: boolean;
  readonly tls: ServerTlsFiles | undefined;
}

/** How connections to an upstream begin. */
export interface UpstreamPolicy {
  /** Undefined: by the scheme of its address. `auto`: by ALPN over TLS, else as the client of each request speaks. */
  readonly protocol: "http1" | "http2" | "auto" | undefined;
  readonly tls: ClientTlsFiles | undefined;
  readonly proxyProtocol: 1 | 2 | undefined;
}

/** One route with all it takes over from its listener. */
export interface Route {
  /** Unique within the listener; given, or the path to match, or `route-1` …, or `default`. */
  readonly name: string;
  readonly match: Match;
  readonly action: RouteAction;
  readonly timeouts: RouteTimeouts;
  /** 0 is unlimited. */
  readonly maxBodyBytes: number;
  /** Requests to change the protocol (WebSocket) are passed on. */
  readonly upgrade: boolean;
  /** The listener's and the route's together: the route wins, what is switched off is not here. */
  readonly policies: Readonly<Record<string, unknown>>;
  /** The top level's, the listener's and its own, in this order: that of those with the same phase. */
  readonly filters: readonly UserFilter[];
}

export type RouteAction =
  | { readonly kind: "forward"; readonly to: Upstream; readonly upstream?: UpstreamPolicy | undefined }
  | { readonly kind: "respond"; readonly respond: Respond }
  /** To the authority that the request names, if one of these takes it. */
  | { readonly kind: "proxy"; readonly allow: readonly Destination[] };

/** All given conditions must hold; an empty match takes everything. */
export interface Match {
  /** `/a` is exact; `/a/*` is `{ prefix: "/a/" }`, and `/*` is no condition. Compared with the path as received. */
  readonly path: { readonly exact: string } | { readonly prefix: string } | undefined;
  /** Any of these, in upper case. */
  readonly methods: readonly string[] | undefined;
  readonly headers: readonly HeaderMatch[];
  /** Server names of TLS clients, lower case, `*.a` for all below a; undefined where it does not matter. */
  readonly sni?: readonly string[] | undefined;
}

/** `name` is in lower case. */
export type HeaderMatch = { readonly name: string } & (
  | { readonly equals: string }
  | { readonly present: boolean }
  | { readonly matches: RegExp }
);

/** An answer made here. */
export interface Respond {
  readonly status: number;
  /** `content-type` first when one is given; never `content-length`. */
  readonly headers: readonly Field[];
  /** `file` is an absolute path that could be read when the configuration was loaded. */
  readonly body: { readonly text: string } | { readonly file: string } | undefined;
}

/** All in milliseconds; 0 switches one off. */
export interface RouteTimeouts {
  /** Until the upstream accepted the connection. */
  readonly connectMs: number;
  /** For an app of this pod that has not accepted any connection yet. */
  readonly startMs: number;
  /** From the whole request sent until the head of the answer. */
  readonly responseMs: number;
  /** From the request's head until the last byte of the answer. */
  readonly requestMs: number;
  /** Without a byte in either direction while an exchange is open. */
  readonly idleMs: number;
  /** Without a byte in either direction of a tunnel: WebSocket, CONNECT, TCP. */
  readonly tunnelMs: number;
}

export interface ListenerTimeouts extends RouteTimeouts {
  /** From the first byte of a request until its head is complete; also from accept until that first byte. */
  readonly headMs: number;
  /** Between two requests on one connection. */
  readonly keepAliveMs: number;
}
