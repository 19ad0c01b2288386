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

export type Awaitable<T> = T | Promise<T>;

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

export interface FilterDefinition<C = unknown> {
  readonly kind: "filter";
  /** The file's name, a verb: `log-access`. Its config key is the same in camel case: `logAccess`. */
  readonly name: string;
  readonly doc: string;
  readonly phase: Phase;
  /** Place among the built-in filters of its phase; smaller runs first. */
  readonly order: number;
  readonly directions: readonly Direction[];
  /** What it reads options into is plain data (`structuredClone` can copy it): with `concurrency` it goes to other threads. */
  readonly config: ZodType<C>;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  /** Called once in every thread that carries traffic. */
  create(config: C, context: FilterContext): Awaitable<Filter>;
}

export function defineFilter<C>(definition: Omit<FilterDefinition<C>, "kind">): FilterDefinition<C> {
  return { kind: "filter", ...definition };
}

// ---------------------------------------------------------------------------------------------
// Logs: the shapes of log-inputs/, log-transforms/ and log-outputs/
//
//   input.turn() -> Block -> lane.offer() -> batch -> output.deliver() -> input.acknowledged() -> checkpoint
//
// All of it runs in the log worker. Lines travel as blocks of bytes; nothing here is called once per line.

/** What lines are read from: one content of one file under all its names. */
export interface LogSource {
  /** Made at first sight; stays through renames and restarts. A file whose content was replaced is a new source. */
  readonly id: string;
  /** Name of the entry in `logs:` it was found by; `-` for records of our own. */
  readonly input: string;
  /** For people: the path it has now. */
  readonly path: string;
}

/** A run of whole lines of one source, as they are written there. */
export interface Block {
  readonly source: LogSource;
  /** One or more lines, the last one ended by a newline too. Must not be changed, nor read after it was acknowledged. */
  readonly bytes: Uint8Array;
  /** Offset of the first byte in the source. */
  readonly start: number;
  /** Offset up to which the source is done once this block is. Not `start + bytes.length` where a line was cut. */
  readonly end: number;
  /** Memory that stays taken until the block is acknowledged, in bytes. */
  readonly heldBytes: number;
}

/** Blocks that one output is given at once, in order. */
export interface Batch {
  readonly blocks: readonly Block[];
  /** Of all blocks together. */
  readonly bytes: number;
}

/**
 * What became of a batch. `delivered`: the destination has all of it for good, and only this moves the checkpoint.
 * `retry`: it comes again, whole, after `afterMs` or a growing pause. `refused`: the destination will never take
 * it; its bytes are counted as lost. A `deliver` that throws is a retry.
 */
export type Delivery =
  | { readonly outcome: "delivered" }
  | { readonly outcome: "retry"; readonly reason: string; readonly afterMs?: number }
  | { readonly outcome: "refused"; readonly reason: string };

/** Where lines go. */
export interface LogOutput {
  /** Called with the next batch only after the one before has been delivered or refused. Must keep the order of blocks. */
  deliver(batch: Batch): Promise<Delivery>;
  /** Largest batch it wants, in bytes; one block may be larger. Default 1 MiB. */
  readonly batchBytes?: number;
  /** Frees what `create` took. Called once, with no batch under way or after `signal` was aborted. */
  close?(): Awaitable<void>;
}

export interface LogOutputContext extends Thread {
  /** The output's name: unique, part of the checkpoint's key. */
  readonly name: string;
  /** Aborted when the time for draining is over: a batch under way should give up. */
  readonly signal: AbortSignal;
  /** The process's fd 1, whose only writer is the log worker. Resolves when all bytes were taken, however slowly. */
  readonly stdout: { write(bytes: Uint8Array): Promise<void> };
}

export interface LogOutputDefinition<C = unknown> {
  readonly kind: "log-output";
  /** The file's name, a noun: `stdout`. */
  readonly name: string;
  readonly doc: string;
  readonly config: ZodType<C>;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  create(config: C, context: LogOutputContext): Awaitable<LogOutput>;
}

export function defineLogOutput<C>(definition: Omit<LogOutputDefinition<C>, "kind">): LogOutputDefinition<C> {
  return { kind: "log-output", ...definition };
}

/** The way from one input to one output. */
export interface Lane {
  /** Name of the output. */
  readonly output: string;
  /** Bytes that may be offered now; nothing must be offered at 0 or below. The last block may go over it. */
  readonly room: number;
  offer(block: Block): void;
}

/** Something a checkpoint keeps. `save` is called at each write and returns plain data for JSON. */
export interface CheckpointSection {
  save(): unknown;
}

/** What survives a restart. */
export interface Checkpoint {
  /** The section of that name, revived from what was saved (undefined the first time); the same object for all who ask. */
  section<T extends CheckpointSection>(name: string, revive: (saved: unknown) => T): T;
  /** Says that something changed, and how many bytes were acknowledged with it: decides when to write. */
  touch(acknowledgedBytes: number): void;
  /** Asks for a write at the end of this turn. */
  hasten(): void;
}

/** One source as `state()` and the admin pages show it. */
export interface LogSourceState {
  readonly id: string;
  readonly input: string;
  readonly path: string;
  /** `active`, `rotated`, `deleted`, or why it is not read. */
  readonly state: string;
  readonly sizeBytes: number;
  /** Offsets per output: read up to, and acknowledged up to. */
  readonly outputs: Readonly<Record<string, { readonly readBytes: number; readonly acknowledgedBytes: number }>>;
}

/** Where lines come from. The pipeline calls it; it starts no timers of its own. */
export interface LogInput {
  /** Reads what is there within its quota and offers it to lanes with room. Returns the milliseconds until it wants the next turn. */
  turn(): number;
  /** Looks for everything new in the next turn, however recent the last look was. */
  look(): void;
  /** The output is done with the block. In the order of `offer`, per output. */
  acknowledged(block: Block, output: string): void;
  /** Bytes that are known to exist and were not offered to the lane that is furthest behind. */
  unread(): number;
  /** End of the drain: offers the last lines that no newline ended, where there are such. */
  finish(): void;
  state(): LogSourceState[];
  close(): void;
}

export interface LogInputContext extends Thread {
  /** Name of the entry in `logs:`. */
  readonly name: string;
  /** The folder relative paths start from. */
  readonly folder: string;
  /** One per output. */
  readonly lanes: readonly Lane[];
  readonly checkpoint: Checkpoint;
}

export interface LogInputDefinition<C = unknown> {
  readonly kind: "log-input";
  /** The file's name, a noun: `files`. */
  readonly name: string;
  readonly doc: string;
  readonly config: ZodType<C>;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  create(config: C, context: LogInputContext): Awaitable<LogInput>;
}

export function defineLogInput<C>(definition: Omit<LogInputDefinition<C>, "kind">): LogInputDefinition<C> {
  return { kind: "log-input", ...definition };
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
