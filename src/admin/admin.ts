/**
 * What people and `outrigger logs` ask a running sidecar: a Unix socket in the state folder, or a port of loopback.
 * Served by Bun itself, as health is; what answers a path is loaded when it is asked for the first time.
 */
import { join } from "node:path";
import type { Server } from "bun";
import { adminSocketName } from "../config/admin.ts";
import type { Address, AdminPlace } from "../config/schema.ts";
import type { Awaitable, Emit } from "../contracts.ts";
import { errorCode, UserError } from "../errors.ts";
import { bindSocket, SocketTaken } from "./admin-socket.ts";
import { json, nothingHere, useOther } from "./answers.ts";
import type { LogWatch } from "./log-pages.ts";
import { pageRefusal } from "./rebinding.ts";

/** What the listener asks the sidecar. */
export interface AdminSource extends LogWatch {
  /** Stops, as at a signal; false where the configuration does not allow that (`shutdown.quit`). */
  quit(): boolean;
}

export interface AdminOptions {
  readonly place: AdminPlace;
  readonly stateDir: string;
  readonly source: AdminSource;
  readonly emit: Emit;
}

/** Answers a GET; what changes something is a POST. */
export type Page = (query: URLSearchParams, source: AdminSource) => Awaitable<Response>;

const pages: Readonly<Record<string, () => Promise<Page>>> = {
  "/logs/files": async () => (await import("./log-pages.ts")).logFiles,
  "/logs/tail": async () => (await import("./log-pages.ts")).logTail,
};

const allowed = "GET";
const quitPath = "/quit";

export class AdminListener {
  /** `unix:/var/lib/outrigger/admin.sock`, `127.0.0.1:7410`. */
  readonly address: string;
  private readonly server: Server<undefined>;

  private constructor(server: Server<undefined>, address: string) {
    this.server = server;
    this.address = address;
  }

  /**
   * Undefined where it is off, where the state folder takes no socket, or another sidecar has it there: nothing that
   * flows depends on it, and two on one laptop share a state folder. A port that cannot be bound is a UserError (exit 3).
   */
  static async open({ place, stateDir, source, emit }: AdminOptions): Promise<AdminListener | undefined> {
    if (place === "off") return undefined;
    if (place !== "socket") return openPort(place, source);
    const path = join(stateDir, adminSocketName);
    try {
      const server = await bindSocket(path, () =>
        Bun.serve({ unix: path, ...common, ...patient, fetch: (request) => answer(request, source) }),
      );
      return new AdminListener(server, `unix:${path}`);
    } catch (error) {
      const why = error instanceof SocketTaken ? error.message : (errorCode(error) ?? String(error));
      emit("admin_unavailable", { path, error: why });
      return undefined;
    }
  }

  static at(server: Server<undefined>, address: string): AdminListener {
    return new AdminListener(server, address);
  }

  /** Closes the listener and its connections at once. */
  async stop(): Promise<void> {
    await this.server.stop(true);
  }
}

const common = { maxRequestBodySize: 1024, development: false } as const;
/**
 * A person may stop looking at a tail for an hour: that is no reason to end it. Its type says nothing because the
 * runtime's types know `idleTimeout` for ports only, while its default of 10 s holds for Unix sockets as well.
 */
const patient: object = { idleTimeout: 0 };

function openPort({ host, port, text }: Address, source: AdminSource): AdminListener {
  try {
    const server = Bun.serve({
      hostname: host ?? "127.0.0.1",
      port,
      ...common,
      ...patient,
      // Not the default when development is false: without it a taken port would be shared in silence.
      reusePort: false,
      fetch: (request, { port: bound = 0 }) => {
        const refusal = pageRefusal(request, bound);
        return refusal === undefined ? answer(request, source) : json(403, { error: refusal });
      },
    });
    return AdminListener.at(server, `${text.replace(/:\d+$/, "")}:${server.port}`);
  } catch (error) {
    const why = errorCode(error) === "EADDRINUSE" ? "the port is taken by another process" : String(error);
    throw new UserError(`admin: cannot listen on ${text}: ${why}; set the key "admin" to a free one, or to off`, 3);
  }
}

async function answer(request: Request, source: AdminSource): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === quitPath) return request.method === "POST" ? quit(source) : useOther("POST");
  const page = pages[pathname];
  if (page === undefined) return nothingHere([...Object.keys(pages), quitPath]);
  if (request.method !== allowed) return useOther(allowed);
  return (await page())(searchParams, source);
}

function quit(source: AdminSource): Response {
  if (source.quit()) return json(202, { status: "stopping" });
  return json(403, { error: 'nobody may stop this sidecar here; its configuration has no "shutdown: { quit: true }"' });
}
