import type { Address } from "../config/schema.ts";

/** Where we reach the health listener ourselves: "every address" has no name, loopback is one of them. */
export function healthUrl({ host, port }: Address): string {
  const reachable = host === undefined || host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
