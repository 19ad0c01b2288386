/** Which route takes an exchange: path, method, fields. First match wins. */
import type { Match } from "../config/schema.ts";
import type { Exchange } from "../contracts.ts";
import type { HttpExchange } from "./exchange.ts";
import type { ListenerPlan, RoutePlan } from "./plan.ts";

type Test = (x: Exchange) => boolean;

/** Requests as a forward proxy gets them: the target is a whole URL. */
export function isAbsolute(x: HttpExchange): boolean {
  return x.head.absolute;
}

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

/** Whether a route takes the server name of a TLS client. `*.a` takes names below a, and no names takes a client that sent none. */
export function compileServerName(names: Match["sni"]): (serverName: string | undefined) => boolean {
  if (names === undefined) return () => true;
  return (serverName) => serverName !== undefined && names.some((name) => takesName(name, serverName));
}

function takesName(wanted: string, name: string): boolean {
  return wanted.startsWith("*.") ? name.length > wanted.length - 1 && name.endsWith(wanted.slice(1)) : name === wanted;
}

/** The first route that takes the exchange, else the one for those that none takes. */
export function routeFor(x: HttpExchange, { routes, index, fallback }: ListenerPlan): RoutePlan {
  if (index !== undefined) return index.find(x, routes) ?? fallback;
  for (let i = 0; i < routes.length; i++) if (routes[i]!.matches(x)) return routes[i]!;
  return fallback;
}
