/** Answers of the listeners that are asked about the sidecar itself. */

/** JSON on one line, never kept by anybody on the way. */
export function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

/** 404, with what there is. */
export function nothingHere(paths: readonly string[]): Response {
  return json(404, { error: `nothing is here; there are ${paths.join(", ")}` });
}

/** 405, with the methods there are: `GET, HEAD`. */
export function useOther(allow: string): Response {
  return json(405, { error: `use ${allow}` }, { allow });
}
