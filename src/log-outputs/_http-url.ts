/** Addresses of destinations. */

/** The address with a path, where it has none of its own; its query stays. */
export function withPath(address: string, path: string): string {
  const url = new URL(address);
  if (url.pathname === "/") url.pathname = path;
  return url.href;
}

/** The address with `path` behind its own, for those that stand under a prefix. */
export function underPath(address: string, path: string): string {
  const url = new URL(address);
  url.pathname = `${url.pathname.replace(/\/$/, "")}${path}`;
  return url.href;
}
