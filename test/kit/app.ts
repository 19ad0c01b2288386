/** The app behind the sidecar, as bad as a test wants it. */
import type { TCPSocketListener } from "bun";
import { type Body, type Head, readHead, readRequestBody } from "./message.ts";
import { Wire } from "./wire.ts";

export interface AppRequest extends Body {
  readonly head: Head;
  readonly wire: Wire;
}

/** What is written back: bytes, or whatever the function does with the connection. */
export type AppAnswer = string | Uint8Array | ((wire: Wire) => Promise<void> | void);

export class App {
  /** Every connection that was ever accepted. */
  readonly wires: Wire[] = [];
  /** Every request that was read completely, over all connections. */
  readonly requests: AppRequest[] = [];
  private readonly script: (wire: Wire, index: number) => Promise<void>;
  private listener: TCPSocketListener<Wire>;

  /** Each connection is given to `script`. */
  constructor(script: (wire: Wire, index: number) => Promise<void>, port = 0) {
    this.script = script;
    this.listener = this.listen(port);
  }

  /** Answers each request in turn on connections that stay open. */
  static answering(answer: (request: AppRequest, index: number) => AppAnswer | Promise<AppAnswer>, port?: number): App {
    const app: App = new App(async (wire) => {
      for (;;) {
        const head = await readHead(wire);
        if (head === undefined) break;
        const request = { head, wire, ...(await readRequestBody(wire, head)) };
        if (!request.complete) break;
        const index = app.requests.push(request) - 1;
        const given = await answer(request, index);
        if (typeof given === "function") await given(wire);
        else await wire.send(given);
      }
      wire.close();
    }, port);
    return app;
  }

  get port(): number {
    return this.listener.port;
  }

  get openConnections(): number {
    return this.wires.filter((wire) => !wire.closed).length;
  }

  /** Stops listening and breaks every connection. */
  stop(): void {
    this.listener.stop(true);
    for (const wire of this.wires) wire.reset();
  }

  /** Listens again where it did. */
  restart(): void {
    this.listener = this.listen(this.port);
  }

  private listen(port: number): TCPSocketListener<Wire> {
    return Bun.listen<Wire>({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: {
        ...Wire.events,
        open: (socket) => {
          const wire = Wire.over(socket);
          // A script that waits in vain says so by a broken connection, which the test will see.
          this.script(wire, this.wires.push(wire) - 1).catch(() => wire.reset());
        },
      },
    });
  }
}

/** A whole answer with a Content-Length. */
export function ok(body: string, fields = "", status = "200 OK"): string {
  return `HTTP/1.1 ${status}\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** The same under the chunked coding. */
export function chunkedOk(pieces: readonly string[], fields = "", trailers = ""): string {
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("");
  return `HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n${trailers}\r\n`;
}
