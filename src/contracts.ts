/**
 * The shapes a drop-in may have. Read this file first.
 *
 * A drop-in is one file with one default export, made by a `define…` function below. It declares its
 * name, its documentation, its options and how it is created; `scripts/gen.ts` lists the folders into
 * `registry.gen.ts`, and everything else (config keys, JSON Schema, reference page, contract tests)
 * follows from that. At top level a drop-in imports only this file and `zod`; whatever else it needs
 * is `await import()`ed inside `create()`, so that a feature nobody configured costs nothing.
 */
import type { ZodType } from "zod";

export * from "./log-contracts.ts";

// ---------------------------------------------------------------------------------------------
// What every part receives instead of globals

/** Where time comes from. `now` is monotonic milliseconds; `wall` is milliseconds since the epoch. */
export interface Clock {
  now(): number;
  wall(): number;
}

/** Reports an event declared in `events.ts` or in the drop-in's own `events`. Never throws, never blocks. */
export type Emit = (event: string, fields?: Record<string, unknown>) => void;

/** A number that only grows. `add(1)` costs a few nanoseconds: one float in shared memory. */
export interface Counter {
  add(n: number): void;
}

/** A number that goes up and down. */
export interface Gauge {
  set(value: number): void;
  add(n: number): void;
}

/** A distribution of durations, in seconds. */
export interface Histogram {
  observe(seconds: number): void;
}

/** Series are found or made by name and labels; ask once, keep the answer, never ask per request. */
export interface Metrics {
  counter(name: string, labels?: Record<string, string>): Counter;
  gauge(name: string, labels?: Record<string, string>): Gauge;
  histogram(name: string, labels?: Record<string, string>): Histogram;
}

/** What a metric is; the exposition and the reference page are made from it. */
export interface MetricDeclaration {
  kind: "counter" | "gauge" | "histogram";
  doc: string;
  labels?: readonly string[];
  /** A gauge that states a fact, such as a point in time: what several threads say of it is not added up. */
  isFact?: true;
}

/** What an event is: its level, its sentence with `{field}` places, and the counter it adds one to, if any. */
export interface EventDeclaration {
  level: "debug" | "info" | "warn" | "error";
  text: string;
  /** Name of a declared counter; its labels are taken from the event's fields of the same name. */
  metric?: string;
}

/** What every part of one thread shares. */
export interface Thread {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly emit: Emit;
  readonly metrics: Metrics;
  /** Appends one record (a line without its newline) for the log worker to write; false when it had to be dropped. */
  readonly record: (stream: RecordStream, line: string) => boolean;
}

/** Records that are not lines of a file: answers printed by schedules, access logs. */
export type RecordStream = "schedule" | "access";

export type Awaitable<T> = T | Promise<T>;

// ---------------------------------------------------------------------------------------------
// What all drop-ins but commands have in common

/** Declares a drop-in that a configuration names: reads options into `C`, and makes `Made` of them. */
export interface DropInDefinition<C, Context, Made> {
  /**
   * The file's name: a verb for what is done (`log-access`, `parse`), a noun for where lines come from and go to
   * (`files`, `stdout`). Its config key is the same in camel case: `logAccess`.
   */
  readonly name: string;
  readonly doc: string;
  /** Its options. */
  readonly config: ZodType<C>;
  /** Of its own, by name. */
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  /** Loads and makes what runs. Called only where a configuration names it. */
  create(config: C, context: Context): Awaitable<Made>;
}

// ---------------------------------------------------------------------------------------------
// Filters

export type Direction = "inbound" | "outbound";

/**
 * When a filter runs, in both directions:
 * observe sees everything, refusals too; admit may refuse before a byte of body is read;
 * shape may change headers and body; attempt may send more than once.
 */
export type Phase = "observe" | "admit" | "shape" | "attempt";
export const phases: readonly Phase[] = ["observe", "admit", "shape", "attempt"];

/** One header field as it stands on the wire: `[name, value]`, case and order kept. */
export type Field = readonly [name: string, value: string];

/** An answer made here instead of by the upstream. `content-length` is set by the engine. */
export interface Reply {
  status: number;
  headers?: readonly Field[];
  body?: string | Uint8Array;
}

/** Who sent the request: the address of the connection's other end, or what a trusted PROXY header says of it. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** Undefined on a plain connection. Made on first read. */
  readonly tls?: PeerTls | undefined;
}

/** What TLS has agreed on with a peer. */
export interface PeerTls {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly version: string;
  /** `TLS_AES_128_GCM_SHA256` and its like. */
  readonly cipher: string | undefined;
  /** The name the client asked for (SNI), in lower case. */
  readonly serverName: string | undefined;
  /** The application protocol both agreed on: `http/1.1`, `h2`. */
  readonly alpn: string | undefined;
  /** The client's certificate, verified; undefined when it sent none, or the listener asks for none. */
  readonly certificate: PeerCertificate | undefined;
}

export interface PeerCertificate {
  /** `O=shop, CN=web`. */
  readonly subject: string;
  /** Its alternative names: `DNS:web.shop`, `URI:spiffe://shop/web`, `IP:10.0.0.1`, `email:…`. */
  readonly sans: readonly string[];
  /** Its SPIFFE id, when it is a SPIFFE certificate. */
  readonly spiffe: string | undefined;
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  readonly fingerprint256: string;
}

/** The message a filter reads and edits. Lookups ignore case; edits are applied when the head is sent on. */
export interface Fields {
  /** The field's value; several lines of one name are joined by `, ` (RFC 9110 section 5.3). Undefined when absent. */
  header(name: string): string | undefined;
  /** All fields in order, duplicates kept, edits applied. */
  headers(): Field[];
  /** Replaces every line of that name by one. Throws a TypeError for a name or value that is not valid on the wire. */
  setHeader(name: string, value: string): void;
  /** Adds a line. Throws as `setHeader` does. */
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
}

/** The answer's head as filters see it. */
export interface ResponseView extends Fields {
  readonly status: number;
  readonly reason: string;
}

/** One request and its answer: what a filter is given. */
export interface Exchange extends Fields {
  /** The request's id: the client's own from trusted peers, else ours. */
  readonly id: string;
  readonly direction: Direction;
  readonly listener: string;
  /** Name of the matched route; `-` before one matched. */
  readonly route: string;
  readonly peer: Peer;
  readonly method: string;
  /** Path and query as received, in origin form. */
  readonly target: string;
  /** The target without its query. */
  readonly path: string;
  /** Host and port the client asked for. */
  readonly authority: string;
  readonly scheme: "http" | "https";
  /** Set once the answer's head is known, whoever made it. */
  readonly response: ResponseView | undefined;
  /** Aborted when the client leaves or the exchange fails. Made on first read. */
  readonly signal: AbortSignal;
  /** Monotonic milliseconds at which the request head was complete. */
  readonly startedAt: number;
  /** Milliseconds from start to the end; 0 while running. */
  readonly durationMs: number;
  /** Bytes of body from the client, and bytes of body sent to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** `host:port` of the upstream that was used, or undefined. */
  readonly upstream: string | undefined;
  /** How often an upstream was asked. */
  readonly attempts: number;
  /** Code from `errors.ts` when the exchange failed, also after the head was sent; undefined otherwise. */
  readonly failure: string | undefined;
  /** What filters leave for each other, e.g. the caller's identity. Made on first read. */
  readonly notes: Map<string, unknown>;
}

/** Sends the request once; resolves when the answer's head is known or the try failed with a code. */
export type Send = () => Promise<{ status: number } | { failure: string }>;

/** The hooks of one configured filter. A hook that returns no promise costs none. */
export interface Filter {
  request?(x: Exchange): Awaitable<Reply | undefined | void>;
  /** May edit or replace the answer while its head has not been sent: an upstream's, or one made here. Once per exchange. */
  response?(x: Exchange): Awaitable<Reply | undefined | void>;
  /** Given each piece of body from a client or upstream, not of replies made here; returns what goes on instead, or null for nothing. `last` comes once, perhaps with an empty chunk. */
  requestBody?(chunk: Uint8Array, last: boolean, x: Exchange): Awaitable<Uint8Array | null>;
  responseBody?(chunk: Uint8Array, last: boolean, x: Exchange): Awaitable<Uint8Array | null>;
  /** Exactly once per exchange that reached this filter's listener, whatever happened. */
  done?(x: Exchange): void;
  /** Phase attempt only: decides how often `send` is called. `replayable` is false when the body exceeded 64 KiB. */
  attempt?(x: Exchange & { readonly replayable: boolean }, send: Send): Promise<void>;
  /** Frees what `create` took, when the filter's configuration is replaced. */
  close?(): void;
}

export interface FilterContext extends Thread {
  readonly direction: Direction;
  readonly listener: string;
}

export interface FilterDefinition<C = unknown> extends DropInDefinition<C, FilterContext, Filter> {
  readonly kind: "filter";
  readonly phase: Phase;
  /** Place among the built-in filters of its phase; smaller runs first. */
  readonly order: number;
  readonly directions: readonly Direction[];
  /** What it reads options into is plain data (`structuredClone` can copy it): with `concurrency` it goes to other threads. */
  readonly config: ZodType<C>;
  /** Called once in every thread that carries traffic. */
  create(config: C, context: FilterContext): Awaitable<Filter>;
}

export function defineFilter<C>(definition: Omit<FilterDefinition<C>, "kind">): FilterDefinition<C> {
  return { kind: "filter", ...definition };
}

// ---------------------------------------------------------------------------------------------
// Commands: the shape of cli/

/** What a command may touch of the process around it. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Writes to stdout. A promise when its reader is slow: resolves once it has caught up. */
  out(text: string | Uint8Array): Awaitable<void>;
  err(text: string): void;
  /** Whether stdout is a terminal that shows colours. */
  readonly colours: boolean;
}

/** An option's value: `text` is a string or undefined, `list` every value given, `flag` whether it was given. */
export type OptionKind = "text" | "list" | "flag";
type OptionValue<K extends OptionKind> = { text: string | undefined; list: readonly string[]; flag: boolean }[K];

export interface CommandOption<K extends OptionKind = OptionKind> {
  readonly kind: K;
  /** As commander reads it: `-c, --config <file>`, `--within <mount...>`, `--recursive`. */
  readonly flags: string;
  readonly doc: string;
}

/** Options by the camel-case form of their long flag: `noEnv` is `--no-env <…>`. */
export type CommandOptions = Readonly<Record<string, CommandOption>>;
export type OptionValues<O extends CommandOptions> = { readonly [N in keyof O]: OptionValue<O[N]["kind"]> };

export interface CommandDefinition<O extends CommandOptions = CommandOptions> {
  readonly kind: "command";
  /** The file's name, a verb: `run`. */
  readonly name: string;
  readonly doc: string;
  readonly options?: O;
  /** Arguments that are no option, when the command takes any: `[command...]`. */
  readonly operands?: { readonly usage: string; readonly doc: string };
  /** Examples shown under the command's help, one command line each. */
  readonly examples?: readonly string[];
  /** Resolves to the exit code. A UserError is printed as its message and ends with its own code. */
  run(options: OptionValues<O>, operands: readonly string[], io: CommandIo): Awaitable<number>;
}

export function defineCommand<const O extends CommandOptions = Record<never, never>>(
  definition: Omit<CommandDefinition<O>, "kind">,
): CommandDefinition<O> {
  return { kind: "command", ...definition };
}
