/** Filters made for tests, and an engine that runs them. */
import * as z from "zod";
import { defineFilter, type Filter, type FilterContext, type FilterDefinition } from "../../src/contracts.ts";
import { forwardTo, type ListenerOptions, registryOf, TestEngine } from "./engine.ts";
import { RawUpstream, type Script } from "./raw.ts";

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
