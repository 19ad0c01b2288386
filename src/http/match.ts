/** Which route takes an exchange: path, method, fields. First match wins. */
import type { Match } from "../config/schema.ts";
import type { Exchange } from "../contracts.ts";
import type { ListenerPlan, RoutePlan } from "./plan.ts";

type Test = (x: Exchange) => boolean;

/** A route's conditions as one function; all must hold. */
export function compileMatch(match: Match): Test {
  const tests: Test[] = [];
  if (match.path !== undefined) tests.push(pathTest(match.path));
  if (match.methods !== undefined) tests.push(methodTest(match.methods));
  for (const header of match.headers) tests.push(headerTest(header));
  if (tests.length === 0) return always;
  if (tests.length === 1) return tests[0]!;
  return (x) => {
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(x)) return false;
    return true;
  };
}

const always: Test = () => true;

function pathTest(path: NonNullable<Match["path"]>): Test {
  if ("exact" in path) {
    const wanted = path.exact;
    return (x) => isPath(x.target, wanted);
  }
  const { prefix } = path;
  return (x) => x.target.startsWith(prefix);
}

/** Compares without cutting the query off, as that would make a string per request. */
function isPath(target: string, wanted: string): boolean {
  if (!target.startsWith(wanted)) return false;
  return target.length === wanted.length || target.charCodeAt(wanted.length) === 63;
}

function methodTest(methods: readonly string[]): Test {
  if (methods.length === 1) return (x) => x.method === methods[0];
  return (x) => methods.includes(x.method);
}

function headerTest(header: Match["headers"][number]): Test {
  const { name } = header;
  if ("present" in header) return (x) => (x.header(name) !== undefined) === header.present;
  if ("equals" in header) return (x) => x.header(name) === header.equals;
  return (x) => {
    const value = x.header(name);
    return value !== undefined && header.matches.test(value);
  };
}

/** The first route that takes the exchange, else the one for those that none takes. */
export function routeFor(x: Exchange, { routes, fallback }: ListenerPlan): RoutePlan {
  for (let i = 0; i < routes.length; i++) if (routes[i]!.matches(x)) return routes[i]!;
  return fallback;
}
