/**
 * An explicit forward proxy (`HTTP_PROXY`, `HTTPS_PROXY`): a call goes to the authority that it names, if that is
 * allowed. Names are matched before anything is resolved; the address is judged again once there is a connection,
 * because what a name resolves to is not for us to say.
 */
import { isIpv4, isIpv6 } from "../config/address.ts";
import { inRanges } from "../config/cidr.ts";
import { type Destination, endsInNumber } from "../config/forward-proxy.ts";
import type { Engine } from "../http/engine.ts";
import { Pool } from "../http/pool.ts";
import { PoolCache } from "../http/pool-cache.ts";
import type { RequestHead } from "../http/request-head.ts";
import { type Connection, isLoopback } from "../net/connection.ts";
import { tcpTarget } from "../net/target.ts";
import { isGuarded, isWithinGuarded } from "./guarded.ts";

export class ForwardProxy {
  private readonly engine: Engine;
  private readonly allowed: readonly Destination[];
  private readonly pools = new PoolCache();

  constructor(engine: Engine, allowed: readonly Destination[]) {
    this.engine = engine;
    this.allowed = allowed;
  }

  /** The way to the authority a request names, or why there is none. */
  find(head: RequestHead): Pool | string {
    const match = /^(?:\[([^\]]+)\]|([^:]+)):?(\d*)$/.exec(head.authority);
    const host = (match?.[1] ?? match?.[2] ?? "").toLowerCase().replace(/\.$/, "");
    const port = match?.[3] === "" ? 80 : Number(match?.[3]);
    if (!/^[a-z0-9._:-]+$/.test(host) || !(port >= 1 && port <= 65535)) return `${head.authority} is no host and port`;
    return this.refusal(host, port) ?? this.pool(host, port);
  }

  /** Closes idle connections. */
  close(): void {
    this.pools.close();
  }

  private refusal(host: string, port: number): string | undefined {
    const place = `${host}:${port}`;
    if (isIpv4(host) || isIpv6(host)) {
      if (!this.allowed.some((entry) => takesAddress(entry, host, port))) return `${place} is not allowed`;
      return isGuarded(host) && !this.isNamed(host, port) ? `${place} must be allowed as an address` : undefined;
    }
    if (host.includes(":") || endsInNumber(host)) return `${place} is neither a name nor an address`;
    return this.allowed.some((entry) => takesName(entry, host, port)) ? undefined : `${place} is not allowed`;
  }

  private pool(host: string, port: number): Pool {
    const make = () => new Pool(tcpTarget(host, port), this.engine, (at) => this.misled(at, port));
    return this.pools.get(`${host} ${port}`, make);
  }

  /** Why a connection must not be used, although its name was allowed. */
  private misled(connection: Connection, port: number): string | undefined {
    const { address } = connection;
    const isOwn = isLoopback(address) || address === connection.localAddress;
    if (isOwn && this.engine.ownPorts.has(port)) {
      const named = this.allowed.some((entry) => entry.port === port && namesOne(entry, address));
      return named ? undefined : `${address}:${port} is this sidecar itself`;
    }
    return isGuarded(address) && !this.isNamed(address, port)
      ? `${address}:${port} must be allowed as an address`
      : undefined;
  }

  /** True when an entry means this guarded address, and not only happens to take it in. */
  private isNamed(address: string, port: number): boolean {
    return this.allowed.some(({ host, port: wanted }) => {
      if (wanted !== undefined && wanted !== port) return false;
      if (host.kind === "name") return host.name === "localhost" && isLoopback(address);
      return host.kind === "range" && isWithinGuarded(host.range) && inRanges(address, [host.range]);
    });
  }
}

function takesName({ host, port: wanted }: Destination, name: string, port: number): boolean {
  if (wanted !== undefined && wanted !== port) return false;
  if (host.kind === "name") return host.name === name;
  if (host.kind === "below") return name.length > host.suffix.length && name.endsWith(host.suffix);
  return host.kind === "any";
}

function takesAddress({ host, port: wanted }: Destination, address: string, port: number): boolean {
  return host.kind === "range" && (wanted === undefined || wanted === port) && inRanges(address, [host.range]);
}

function namesOne({ host }: Destination, address: string): boolean {
  if (host.kind === "name") return host.name === "localhost" && isLoopback(address);
  return host.kind === "range" && host.range.bits === 128 && inRanges(address, [host.range]);
}
