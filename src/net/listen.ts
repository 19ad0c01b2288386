/**
 * Binds an address and hands each accepted connection to whoever owns the listener at that moment.
 * A listener is never replaced while its address stays: reload swaps `accept`, nothing else.
 */
import type { TCPSocketListener } from "bun";
import { errorCode, UserError } from "../errors.ts";
import { Connection, connectionEvents, isLoopback, type RawSocket } from "./connection.ts";
import { boundReceiveBuffer } from "./socket-options.ts";

/** Where to listen. An absent host means all addresses, IPv6 and IPv4. */
export interface ListenAddress {
  readonly host?: string | undefined;
  readonly port: number;
}

export function addressText(address: ListenAddress): string {
  const host = address.host ?? "";
  return `${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

export interface ListenOptions {
  /**
   * Other threads of this process bind the same address, and the kernel spreads connections over all of them
   * (SO_REUSEPORT, socket(7)). Whoever shares has made sure before that nobody else has the address: so does every other
   * process of this user that asks for the same.
   */
  readonly shared?: boolean;
}

export class Listener {
  /** As configured; the key by which a reload recognises it. */
  readonly address: ListenAddress;
  /** Called for each accepted connection. */
  accept: (connection: Connection) => void;
  private readonly server: TCPSocketListener<Connection>;

  private constructor(address: ListenAddress, accept: (connection: Connection) => void, isShared: boolean) {
    this.address = address;
    this.accept = accept;
    this.server = bind(address, isShared, (socket) => {
      const connection = new Connection(socket);
      socket.data = connection;
      this.accept(connection);
    });
    if (isLoopback(address.host ?? "")) boundReceiveBuffer(descriptorOf(this.server));
  }

  /** @throws UserError (exit 3) that names the address and what stands in the way */
  static open(
    address: ListenAddress,
    accept: (connection: Connection) => void,
    { shared = false }: ListenOptions = {},
  ): Listener {
    try {
      return new Listener(address, accept, shared);
    } catch (error) {
      throw new UserError(`cannot listen on ${addressText(address)}: ${reason(error, address)}`, 3);
    }
  }

  /** The port that was really bound: differs from the configured one only for port 0. */
  get port(): number {
    return this.server.port;
  }

  /** Stops accepting; accepted connections live on. */
  close(): void {
    this.server.stop(false);
  }
}

function bind(
  address: ListenAddress,
  reusePort: boolean,
  open: (socket: RawSocket) => void,
): TCPSocketListener<Connection> {
  const listen = (hostname: string) => {
    // The runtime knows reusePort here, its types do not (Bun 1.4).
    const options = {
      hostname,
      port: address.port,
      reusePort,
      allowHalfOpen: true,
      socket: { ...connectionEvents, open },
    };
    return Bun.listen<Connection>(options);
  };
  if (address.host !== undefined) return listen(address.host);
  try {
    return listen("::");
  } catch (error) {
    if (errorCode(error) === "EADDRINUSE" || errorCode(error) === "EACCES") throw error;
    return listen("0.0.0.0"); // a machine without IPv6
  }
}

/** The runtime has it, its types do not (Bun 1.4). */
export function descriptorOf(socket: object): number {
  return "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
}

function reason(error: unknown, address: ListenAddress): string {
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return "the port is taken by another process; choose another port or stop that process";
    case "EACCES":
      return `permission denied; ports below 1024 need NET_BIND_SERVICE, so use a port such as ${address.port + 8000}`;
    case "EADDRNOTAVAIL":
      return "this machine has no such address; use one of its own, or only a port for all of them";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
