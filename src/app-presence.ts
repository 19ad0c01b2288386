/**
 * Whether the app still needs the sidecar while the pod ends. Nothing tells us when the app has exited, so we go by
 * what can be seen of it: its ports, its sockets, its calls, its lines.
 */
import type { Config } from "./config/schema.ts";
import type { Clock } from "./contracts.ts";
import { isLoopbackHost, listeningPorts } from "./local-ports.ts";
import { foreignSockets } from "./pod-sockets.ts";

/** What can be seen of the app. */
export interface AppSigns {
  readonly clock: Clock;
  /** Exchanges that run now. */
  running(): number;
  /** Exchanges that have ended since the start. */
  exchangesEnded(): number;
  /** Lines that were read since the start. */
  linesRead(): number;
  /** Ports with a listener in this pod. Default: the kernel's table. */
  readonly ports?: () => ReadonlySet<number> | undefined;
  /** Sockets in this pod that are not ours. Default: the kernel's tables. */
  readonly sockets?: () => number | undefined;
}

/** An app that makes no call for so long is taken to have no more to make. */
const quietMs = 1000;
/** The same beside a plain sidecar, which is stopped together with the app, where the app never had a socket. */
const quietWithoutSocketsMs = 3000;
/** After its last socket has gone: a process closes its sockets one by one, and may open others. */
const quietAfterSocketsMs = 500;
/** The kernel's tables are long where there are many connections. */
const socketsEveryMs = 200;

export class AppPresence {
  private readonly signs: AppSigns;
  private quietSince: number;
  private movedBefore = -1;
  private hadSockets = false;
  private hasSockets = false;
  private lookedAt = Number.NEGATIVE_INFINITY;

  /** To be made when a stop begins. */
  constructor(signs: AppSigns) {
    this.signs = signs;
    this.quietSince = signs.clock.now();
  }

  /** True when nobody listens any more where we send requests in this pod; unknown ports count as listened on. */
  portsAreClosed(config: Config): boolean {
    const ports = appPorts(config);
    const open = ports.length === 0 ? undefined : (this.signs.ports ?? listeningPorts)();
    return open !== undefined && !ports.some((port) => open.has(port));
  }

  /** Has to be called every now and then: what happened since the last call counts as of now. */
  needsUs(config: Config): boolean {
    const now = this.signs.clock.now();
    const isPlain = config.shutdown.form === "plain";
    const moved = this.moved(isPlain);
    if (this.signs.running() > 0 || moved !== this.movedBefore) this.quietSince = now;
    this.movedBefore = moved;
    return isPlain ? this.needsPlain(config, now) : this.needsNative(config, now);
  }

  /** Calls and lines come as long as the app lives; so do requests to it. */
  private needsPlain({ inbound, outbound, logs }: Config, now: number): boolean {
    if (inbound.length + outbound.length + logs.length === 0) return false;
    if (now - this.lookedAt >= socketsEveryMs) this.lookForSockets(now);
    if (this.hasSockets) this.quietSince = now;
    return now - this.quietSince < (this.hadSockets ? quietAfterSocketsMs : quietWithoutSocketsMs);
  }

  private lookForSockets(now: number): void {
    this.lookedAt = now;
    this.hasSockets = ((this.signs.sockets ?? foreignSockets)() ?? 0) > 0;
    this.hadSockets ||= this.hasSockets;
  }

  /** Also where nobody said what we are: an app that was stopped together with us may have closed its ports and still call. */
  private needsNative(config: Config, now: number): boolean {
    const { inbound, outbound, shutdown } = config;
    if (inbound.length + outbound.length === 0) return false;
    const mayCall = outbound.length > 0 && shutdown.form !== "native";
    return (mayCall || !this.portsAreClosed(config)) && now - this.quietSince < quietMs;
  }

  /** Lines say little of an app that has ended: others may be left of it to read, which is done while we stop. */
  private moved(withLines: boolean): number {
    return this.signs.exchangesEnded() + (withLines ? this.signs.linesRead() : 0);
  }
}

/** The ports of this pod that requests are sent to: the app's, as far as the configuration names them. */
function appPorts(config: Config): number[] {
  const actions = config.inbound.flatMap(({ routes }) => routes.map(({ action }) => action));
  const upstreams = actions.flatMap((action) => (action.kind === "forward" ? [action.to] : []));
  const ports = upstreams.filter(({ host, port }) => port > 0 && isLoopbackHost(host)).map(({ port }) => port);
  return ports.length > 0 ? ports : askedPorts(config);
}

/** Those that schedules ask, but for our own. */
function askedPorts({ inbound, outbound, schedules }: Config): number[] {
  const own = new Set([...inbound, ...outbound].map(({ listen }) => listen.port));
  const urls = schedules.map(({ request }) => new URL(request.url));
  const local = urls.filter(({ hostname }) => isLoopbackHost(hostname.replace(/^\[|\]$/g, "")));
  return local
    .map(({ port, protocol }) => Number(port || (protocol === "https:" ? 443 : 80)))
    .filter((port) => !own.has(port));
}
