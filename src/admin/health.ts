/**
 * What the kubelet and Prometheus ask: `/startup`, `/ready`, `/live`, `/metrics` and `GET /drain`.
 * Served by Bun itself, not by our engine: it must answer when the engine is at its limits, and it costs
 * 0.2 MB of anonymous memory.
 */
import type { Server } from "bun";
import { UserError } from "../errors.ts";
import { json, nothingHere, useOther } from "./answers.ts";
import { expositionType } from "./metrics.ts";

/** What the listener asks the sidecar. Reasons are sentences; none means yes. */
export interface HealthSource {
  /** Why starting has not ended: the config is valid and every listener bound when it has. Never asks the app. */
  startupReasons(): readonly string[];
  /** Why no traffic should come here. */
  readyReasons(): readonly string[];
  /** Announces that the sidecar leaves; it stays when no signal follows. Returns for how many milliseconds. */
  announceTo(by: "kubelet" | "anyone"): number;
  /** The text of a scrape. */
  scrape(): string;
}

/** Where to listen. An absent host means all addresses, IPv6 and IPv4. */
export interface HealthAddress {
  readonly host?: string | undefined;
  readonly port: number;
}

type Answer = (source: HealthSource, request: Request) => Response;

/** Whether HEAD is answered too: not where the request changes something. */
const paths: Readonly<Record<string, { answer: Answer; head: boolean }>> = {
  "/startup": { answer: (source) => verdict("started", source.startupReasons()), head: true },
  "/ready": { answer: (source) => verdict("ready", source.readyReasons()), head: true },
  "/live": { answer: () => verdict("live", []), head: true },
  "/metrics": { answer: scrape, head: true },
  "/drain": { answer: drain, head: false },
};

export class HealthListener {
  private readonly server: Server<undefined>;

  private constructor(server: Server<undefined>) {
    this.server = server;
  }

  /** @throws UserError (exit 3) when the address cannot be bound */
  static open(address: HealthAddress, source: HealthSource): HealthListener {
    try {
      return new HealthListener(bind(address, (request) => respond(request, source)));
    } catch (error) {
      throw new UserError(`health: cannot listen on ${addressText(address)}: ${remedy(error, address)}`, 3);
    }
  }

  /** The bound port; differs from the configured one only for port 0. */
  get port(): number {
    return this.server.port ?? 0;
  }

  /** `[::]:7411`, `127.0.0.1:7411`. */
  get address(): string {
    return addressText({ host: this.server.hostname ?? "::", port: this.port });
  }

  /** Closes the listener and its connections at once. */
  async stop(): Promise<void> {
    await this.server.stop(true);
  }
}

function bind(address: HealthAddress, answer: (request: Request) => Response): Server<undefined> {
  const listen = (hostname: string) =>
    Bun.serve({
      hostname,
      port: address.port,
      // A probe or a scrape is short; nothing here reads a body.
      idleTimeout: 10,
      maxRequestBodySize: 1024,
      development: false,
      // Not the default when development is false: without it a taken port would be shared in silence.
      reusePort: false,
      fetch: answer,
    });
  if (address.host !== undefined) return listen(address.host);
  try {
    return listen("::");
  } catch (error) {
    if (isTaken(error) || codeOf(error) === "EACCES") throw error;
    return listen("0.0.0.0"); // a machine without IPv6
  }
}

function respond(request: Request, source: HealthSource): Response {
  const path = paths[new URL(request.url).pathname];
  if (path === undefined) return nothingHere(Object.keys(paths));
  const isAllowed = request.method === "GET" || (request.method === "HEAD" && path.head);
  return isAllowed ? path.answer(source, request) : useOther(path.head ? "GET, HEAD" : "GET");
}

function verdict(status: string, reasons: readonly string[]): Response {
  return reasons.length === 0 ? json(200, { status }) : json(503, { status: `not ${status}`, reasons });
}

function scrape(source: HealthSource): Response {
  return new Response(source.scrape(), { headers: { "content-type": expositionType } });
}

/** The kubelet calls itself `kube-lifecycle/1.33` when it runs a hook (pkg/kubelet/lifecycle/handlers.go). */
function drain(source: HealthSource, request: Request): Response {
  const isKubelet = request.headers.get("user-agent")?.startsWith("kube-lifecycle/") === true;
  const leaseMs = source.announceTo(isKubelet ? "kubelet" : "anyone");
  return json(200, { status: "announcing", leaseSeconds: Math.round(leaseMs / 1000) });
}

function addressText({ host = "", port }: HealthAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function isTaken(error: unknown): boolean {
  return codeOf(error) === "EADDRINUSE";
}

function remedy(error: unknown, { port }: HealthAddress): string {
  if (isTaken(error)) {
    return `the port is taken by another process; set the key "health" to a free one, such as health: ${port + 1}, or stop that process`;
  }
  if (codeOf(error) === "EACCES") return `permission denied; set the key "health" to a port above 1023`;
  return `${error instanceof Error ? error.message : String(error)}; set the key "health" to an address of this machine`;
}
