/** Asks a running sidecar. */
import type { AdminEnd } from "../config/find-admin.ts";
import { errorCode, UserError } from "../errors.ts";

/** GETs the page. @throws UserError (exit 3) when nobody answers, (exit 1) with the sidecar's own sentence otherwise */
export async function ask(end: AdminEnd, page: string, signal?: AbortSignal): Promise<Response> {
  const response = await reach(end, page, signal);
  if (response.ok) return response;
  const { error } = (await response.json()) as { error?: string };
  throw new UserError(`the sidecar answers: ${error ?? response.status}`, 1);
}

async function reach(end: AdminEnd, page: string, signal: AbortSignal | undefined): Promise<Response> {
  const where = "unix" in end ? end.unix : end.address;
  const host = "unix" in end ? "localhost" : end.address;
  // What the environment says of proxies is for others: `unix` and loopback go straight.
  const way = { ...("unix" in end ? { unix: end.unix } : {}), ...(signal === undefined ? {} : { signal }), proxy: "" };
  try {
    return await fetch(`http://${host}${page}`, way);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new UserError(`nobody answers on ${where}: ${remedy(error)}`, 3);
  }
}

function remedy(error: unknown): string {
  const code = errorCode(error) ?? "";
  if (["EACCES", "EPERM"].includes(code)) return "only the user the sidecar runs as may ask it";
  const isGone = ["ConnectionRefused", "FailedToOpenSocket", "ECONNREFUSED", "ENOENT"].includes(code);
  return isGone ? "the sidecar has ended, or was not started yet" : String(error);
}
