/**
 * CONNECT (RFC 9110 section 9.3.6): a connection to the authority that the request names, and a tunnel to it.
 *
 *   connecting -> filters see the 200 -> tunnel        a failure to connect is an ordinary answer
 */
import type { Reply } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import { runResponse } from "./chain.ts";
import type { HttpExchange } from "./exchange.ts";
import type { Pool } from "./pool.ts";
import { ResponseFields } from "./response-fields.ts";
import type { Upstream, UpstreamUser } from "./upstream.ts";
import type { Way } from "./way.ts";

const reason = "Connection established";
const nothing = new Uint8Array(0);

export class Connect implements UpstreamUser, Way {
  readonly requestMethod = "CONNECT";
  /** What the client sends behind the head is the tunnel's, and waits until there is one. */
  readonly takesBody = false;
  readonly requestForm = "wire";
  readonly heldBytes = 0;
  private readonly x: HttpExchange;
  private readonly pool: Pool;
  private up: Upstream | null = null;

  constructor(x: HttpExchange, pool: Pool) {
    this.x = x;
    this.pool = pool;
  }

  start(): void {
    this.x.attempts++;
    this.up = this.pool.connect(this, this.x.plan.timeouts.connect);
  }

  onConnected(up: Upstream): void {
    const { x } = this;
    this.up = up;
    up.pause(); // a server that speaks first waits until the client knows
    x.upstream = this.pool.name;
    x.status = 200;
    x.answer = new ResponseFields(200, reason, undefined, []);
    x.responseSeen = true;
    if (x.plan.chain.response.length === 0) this.open(x.answer);
    else runResponse(x, (_, instead) => this.settled(instead));
  }

  private settled(instead: Reply | undefined): void {
    const { x } = this;
    if (x.stage !== "forwarding") return;
    if (instead === undefined) this.open(x.answer!);
    else {
      this.abandon();
      x.reply(instead);
    }
  }

  private open(fields: ResponseFields): void {
    const { x, up } = this;
    this.up = null;
    x.stage = "answering";
    x.client.openTunnel!(`HTTP/1.1 200 ${reason}\r\n${fields.fieldText()}\r\n`, up!.surrender!(), nothing);
  }

  onUpstreamFailure(code: FailureCode, detail: string): void {
    this.up = null;
    this.x.fail(code, detail);
  }

  abandon(): void {
    this.up?.abandon();
    this.up = null;
  }

  // Nothing of HTTP comes on that connection, and nothing is sent before the tunnel is.
  sendBody(): void {}
  onClientDrain(): void {}
  onInformation(): void {}
  onResponse(): void {}
  onBody(): void {}
  onUpstreamDrain(): void {}
}
