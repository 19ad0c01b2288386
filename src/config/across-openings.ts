/** Faults across the options of how connections begin: what has no effect, or keeps everybody out. */
import type { Finding } from "./faults.ts";
import { isMap, itemsOf, memberOf, type Path } from "./raw.ts";

/** All findings about one listener. */
export function openingFindings(listener: unknown, path: Path): Finding[] {
  const routes = itemsOf(listener, "routes").map((value, at) => ({ value, path: [...path, "routes", at] }));
  const targets = [listener, ...routes.map(({ value }) => value)].map((value) => memberOf(value, "to"));
  return [
    ...nobodyTrusted(listener, path),
    ...tlsWithoutHttps(listener, path, targets),
    ...routes.flatMap((route) =>
      tlsWithoutHttps(route.value, route.path, [memberOf(route.value, "to") ?? memberOf(listener, "to")]),
    ),
  ];
}

function nobodyTrusted(listener: unknown, path: Path): Finding[] {
  const trust = memberOf(listener, "trust");
  const trustsNobody = trust === undefined || (Array.isArray(trust) && trust.length === 0);
  if (memberOf(listener, "proxyProtocol") !== true || !trustsNobody) return [];
  const problem =
    "every connection is turned away: PROXY headers are taken only from peers in trust, and there are none";
  return [
    {
      path: [...path, "proxyProtocol"],
      problem,
      remedy: "add trust: with the addresses of the proxies, such as [10.0.0.0/8]",
    },
  ];
}

/** @param targets where requests may go under these options */
function tlsWithoutHttps(holder: unknown, path: Path, targets: readonly unknown[]): Finding[] {
  const tls = memberOf(memberOf(holder, "upstream"), "tls");
  const known = targets.filter((to) => typeof to === "string");
  if (!isMap(tls) || known.length === 0 || known.some((to) => !/^((http|unix|tcp):|original$)/i.test(to))) return [];
  const problem = "this has no effect: no address here is https:// or tls://";
  return [{ path: [...path, "upstream", "tls"], atKey: true, problem, remedy: "write to: https://…, or remove it" }];
}
