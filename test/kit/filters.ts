/** Filters made for tests, and an engine that runs them. */
import * as z from "zod";
import { defineFilter, type Filter, type FilterContext, type FilterDefinition } from "../../src/contracts.ts";
import { forwardTo, type ListenerOptions, registryOf, TestEngine } from "./engine.ts";
import { type RawConnection, RawUpstream, rawClient, type Script } from "./raw.ts";
import { type StrictMessage, statusOf, strictAnswers, strictRequests } from "./strict.ts";
import { until } from "./until.ts";

export type Hooks = Filter | ((context: FilterContext) => Filter);

/** A filter with these hooks; of phase shape unless told otherwise. */
export function filterOf(
  name: string,
  hooks: Hooks,
  { phase = "shape", order = 100 }: Partial<Pick<FilterDefinition, "phase" | "order">> = {},
): FilterDefinition {
  return defineFilter<unknown>({
    name,
    doc: "Made for a test.",
    phase,
    order,
    directions: ["inbound", "outbound"],
    config: z.unknown(),
    create: (_, context) => (typeof hooks === "function" ? hooks(context) : hooks),
  });
}

/** Filters of phase attempt need no other setting. */
export function attemptOf(name: string, attempt: NonNullable<Filter["attempt"]>): FilterDefinition {
  return filterOf(name, { attempt }, { phase: "attempt" });
}

/** Policies that switch all of them on. */
export function policiesOf(filters: readonly FilterDefinition[]): Record<string, unknown> {
  return Object.fromEntries(filters.map(({ name }) => [name, {}]));
}

export interface Scene {
  readonly engine: TestEngine;
  readonly upstream: RawUpstream;
  readonly port: number;
}

const scenes: Scene[] = [];

/** An engine that forwards to an upstream through these filters. */
export async function sceneOf(
  filters: readonly FilterDefinition[],
  script: Script,
  options: Partial<ListenerOptions> = {},
): Promise<Scene> {
  const upstream = new RawUpstream(script);
  const engine = await TestEngine.start(
    { routes: forwardTo(upstream.port), policies: policiesOf(filters), ...options },
    { registry: registryOf(...filters) },
  );
  const scene = { engine, upstream, port: engine.port() };
  scenes.push(scene);
  return scene;
}

/** Stops what `sceneOf` started; for `afterEach`. */
export function closeScenes(): void {
  for (const { engine, upstream } of scenes.splice(0)) {
    engine.stop();
    upstream.stop();
  }
}

/** Does the next of these things for each whole request that comes, the last of them from then on. */
export function doing(...things: ((connection: RawConnection) => void)[]): Script {
  const done = new WeakMap<RawConnection, number>();
  return (connection) => {
    const { messages, fault } = strictRequests(connection.received);
    if (fault !== undefined) throw new Error(`the upstream was sent ${fault}`);
    const fresh = messages.length - (done.get(connection) ?? 0);
    done.set(connection, messages.length);
    for (let i = 0; i < fresh; i++) (things.length > 1 ? things.shift()! : things[0]!)(connection);
  };
}

export function saying(answer: string): (connection: RawConnection) => void {
  return (connection) => connection.send(answer);
}

export interface Exchanged {
  readonly status: number | undefined;
  readonly body: string | undefined;
  readonly message: StrictMessage | undefined;
}

/** Sends pieces on a connection of its own and waits for a whole answer, or for the end. */
export async function exchange(port: number, ...pieces: readonly string[]): Promise<Exchanged> {
  const client = await rawClient(port);
  await client.sendPieces(pieces);
  const first = () => strictAnswers(client.received, [], client.ended).messages[0];
  await until(() => client.closed || client.ended || first() !== undefined, { what: "an answer" });
  const message = first();
  client.close();
  return { status: message && statusOf(message), body: message?.body, message };
}
