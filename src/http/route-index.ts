/**
 * Finds the routes whose path may fit without asking each: a listener may have a thousand of them.
 *
 *   exact paths   a map
 *   prefixes      a map for each length there is
 *   the rest      asked one after the other
 *
 * First match wins all the same: of those that fit, the one with the smallest number is taken.
 */
import type { Match } from "../config/schema.ts";
import type { HttpExchange } from "./exchange.ts";
import type { RoutePlan } from "./plan.ts";

/** Numbers of routes, ascending. */
type Numbers = number[];

export class RouteIndex {
  private readonly exact = new Map<string, Numbers>();
  private readonly prefixes = new Map<number, Map<string, Numbers>>();
  private readonly rest: Numbers = [];

  /** @param paths the path condition of each route, in order */
  constructor(paths: readonly Match["path"][]) {
    for (const [number, path] of paths.entries()) this.listFor(path).push(number);
  }

  private listFor(path: Match["path"]): Numbers {
    if (path === undefined) return this.rest;
    if ("exact" in path) return listIn(this.exact, path.exact);
    let sameLength = this.prefixes.get(path.prefix.length);
    if (sameLength === undefined) {
      sameLength = new Map();
      this.prefixes.set(path.prefix.length, sameLength);
    }
    return listIn(sameLength, path.prefix);
  }

  /** The first of `routes`, which are those it was made for, that takes the exchange. */
  find(x: HttpExchange, routes: readonly RoutePlan[]): RoutePlan | undefined {
    const { target } = x;
    let best = firstOf(this.rest, x, routes, routes.length);
    const exact = this.exact.get(pathOf(target));
    if (exact !== undefined) best = firstOf(exact, x, routes, best);
    for (const [length, known] of this.prefixes) {
      if (length > target.length) continue;
      const numbers = known.get(target.slice(0, length));
      if (numbers !== undefined) best = firstOf(numbers, x, routes, best);
    }
    return routes[best];
  }
}

/** The first of these numbers, below `limit`, whose route takes the exchange; else `limit`. */
function firstOf(numbers: Numbers, x: HttpExchange, routes: readonly RoutePlan[], limit: number): number {
  for (let i = 0; i < numbers.length && numbers[i]! < limit; i++)
    if (routes[numbers[i]!]!.matches(x)) return numbers[i]!;
  return limit;
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}

function listIn(map: Map<string, Numbers>, key: string): Numbers {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}
