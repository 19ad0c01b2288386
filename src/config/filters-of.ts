import type { Config, UserFilter } from "./schema.ts";

/** All filters of a configuration, each version once. */
export function filtersOf({ inbound, outbound }: Config): UserFilter[] {
  const parts = [...inbound, ...outbound].flatMap((listener) => [listener, ...listener.routes]);
  const filters = parts.flatMap((part) => part.filters);
  return [...new Map(filters.map((filter) => [`${filter.source} ${filter.hash}`, filter])).values()];
}
