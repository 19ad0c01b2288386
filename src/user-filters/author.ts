/**
 * What `import { … } from "outrigger"` gives to a filter written by a user. A filter is one TypeScript file whose
 * default export is made by `defineFilter`:
 *
 *   export default defineFilter({
 *     phase: "shape",
 *     config: z.strictObject({ header: z.string() }),
 *     request(x, { header }) { x.setHeader(header, "yes"); },
 *   });
 *
 * The hooks are those of `Filter` in `contracts.ts`, each given the parsed `config` as one more argument; a filter
 * that keeps something of its own writes `create` instead, as built-in filters do.
 */
import type { output, ZodType } from "zod";
import type {
  Awaitable,
  Direction,
  EventDeclaration,
  Exchange,
  Filter,
  FilterContext,
  MetricDeclaration,
  Phase,
  Reply,
  ResponseView,
  Send,
} from "../contracts.ts";

export type {
  Awaitable,
  Clock,
  Direction,
  Exchange,
  Field,
  Fields,
  Filter,
  FilterContext,
  Peer,
  Phase,
  Reply,
  ResponseView,
  Send,
} from "../contracts.ts";

/** An exchange whose answer's head is known. */
export type Answered = Exchange & { readonly response: ResponseView };

/** The hooks of `Filter`, with the filter's parsed configuration behind their own arguments. */
export interface Hooks<C> {
  /** The request's head is here. Returns nothing to go on, or a reply to answer with instead. */
  request?(x: Exchange, config: C): Awaitable<Reply | undefined | void>;
  /** The answer's head is here and not yet sent: `x.response`. Returns nothing, or a reply to send instead. */
  response?(x: Answered, config: C): Awaitable<Reply | undefined | void>;
  /**
   * A piece of the request's body. Returns what goes on instead, or null for nothing. `last` comes once, perhaps with an
   * empty chunk. The chunk itself must not be written to.
   */
  requestBody?(chunk: Uint8Array, last: boolean, x: Exchange, config: C): Awaitable<Uint8Array | null>;
  /** A piece of the answer's body; as `requestBody`. */
  responseBody?(chunk: Uint8Array, last: boolean, x: Answered, config: C): Awaitable<Uint8Array | null>;
  /** Exactly once per exchange, whatever happened. */
  done?(x: Exchange, config: C): void;
  /** Phase attempt only: decides how often `send` is called. */
  attempt?(x: Exchange & { readonly replayable: boolean }, send: Send, config: C): Promise<void>;
}

/** What `defineFilter` is given: hooks, or `create`, which makes them. */
export interface UserFilterOptions<S extends ZodType> extends Hooks<output<S>> {
  /** Stands in logs and metrics; the file's name unless given here or in the configuration. */
  readonly name?: string;
  /** One sentence for who reads `outrigger check`. */
  readonly doc?: string;
  /** `observe` sees everything, `admit` may refuse, `shape` may change, `attempt` may send more than once. */
  readonly phase: Phase;
  /** Where it works; both unless given. */
  readonly directions?: readonly Direction[];
  /** Reads `config:` of the configuration; without it the filter takes no options. */
  readonly config?: S;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do, for `outrigger check`. */
  explain?(config: output<S>): string;
  /** Makes the hooks, once per listener and reload; for filters that keep something between requests. */
  create?(config: output<S>, context: FilterContext): Awaitable<Filter>;
}

/** A user's filter, its types forgotten: what the loader reads. */
export interface UserFilterDefinition extends Omit<UserFilterOptions<ZodType>, "phase"> {
  readonly kind: "user-filter";
  readonly phase?: Phase;
}

/** Makes the default export of a filter file. Checks nothing: who loads it does, and says where the file is wrong. */
export function defineFilter<S extends ZodType<unknown, unknown> = ZodType<Record<string, never>>>(
  definition: UserFilterOptions<S>,
): UserFilterDefinition {
  return { kind: "user-filter", ...definition } as unknown as UserFilterDefinition;
}
