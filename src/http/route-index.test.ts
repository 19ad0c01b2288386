import { expect, test } from "bun:test";
import { seeded, seedOf } from "../../test/kit/random.ts";
import type { Match } from "../config/schema.ts";
import type { HttpExchange } from "./exchange.ts";
import { compileMatch, routeFor } from "./match.ts";
import type { ListenerPlan, RoutePlan } from "./plan.ts";
import { RouteIndex } from "./route-index.ts";

const seed = seedOf("route index");

test("finds the route that asking each in turn finds", () => {
  const random = seeded(seed);
  const words = ["a", "b", "ab", "a/b", "a/", "b/a", ""];
  const path = () => `/${random.pick(words)}${random.chance(0.3) ? `/${random.pick(words)}` : ""}`;
  for (let round = 0; round < 300; round++) {
    const routes = Array.from({ length: 1 + random.whole(30) }, (_, number): RoutePlan => {
      const kind = random.whole(4);
      const at: Match["path"] = kind === 0 ? undefined : kind === 1 ? { exact: path() } : { prefix: path() };
      const match = { path: at, methods: random.chance(0.5) ? [random.pick(["GET", "PUT"])] : undefined, headers: [] };
      return { name: String(number), path: at, matches: compileMatch(match) } as unknown as RoutePlan;
    });
    const fallback = { name: "-" } as RoutePlan;
    const index = new RouteIndex(routes.map((route) => route.path));
    for (let i = 0; i < 50; i++) {
      const x = { method: random.pick(["GET", "PUT"]), target: path() + random.pick(["", "?a", "?"]) } as HttpExchange;
      const plain = routeFor(x, { routes, index: undefined, fallback } as unknown as ListenerPlan);
      const indexed = routeFor(x, { routes, index, fallback } as unknown as ListenerPlan);
      if (indexed.name !== plain.name) throw new Error(`${x.method} ${x.target}: ${indexed.name}, not ${plain.name}`);
    }
  }
  expect(seed).toBeNumber();
});
