/**
 * The Unix socket a sidecar is asked on. Only its user may connect (mode 0600). A socket whose process is gone, as after
 * a SIGKILL, is replaced; one that still answers belongs to another sidecar.
 */
import { lstatSync, unlinkSync } from "node:fs";
import type { Server } from "bun";
import { errorCode } from "../errors.ts";

export class SocketTaken extends Error {}

/** Binds the socket by `serve`, which must be synchronous. Rejects with `SocketTaken` when another process has it. */
export async function bindSocket(path: string, serve: () => Server<undefined>): Promise<Server<undefined>> {
  try {
    return bindPrivately(serve);
  } catch (error) {
    if (errorCode(error) !== "EADDRINUSE") throw error;
  }
  if (!lstatSync(path).isSocket() || (await isAnswered(path))) {
    throw new SocketTaken("another sidecar has it; give each its own `state:`");
  }
  unlinkSync(path);
  return bindPrivately(serve);
}

/** The mask, not a later change of mode: there is no moment at which others may connect. */
function bindPrivately(serve: () => Server<undefined>): Server<undefined> {
  const before = process.umask(0o177);
  try {
    return serve();
  } finally {
    process.umask(before);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  try {
    const peer = await Bun.connect({ unix: path, socket: { data() {}, error() {} } });
    peer.end();
    return true;
  } catch (error) {
    return !["ECONNREFUSED", "ENOENT"].includes(errorCode(error) ?? "");
  }
}
