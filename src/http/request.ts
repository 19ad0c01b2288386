/** One request of our own, through the same door as everybody's: for schedules. */
import type { Field } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import { type Target, type TargetOptions, tcpTarget } from "../net/target.ts";
import { Timed } from "../net/wheel.ts";
import type { Engine } from "./engine.ts";
import { fieldLines } from "./field-lines.ts";
import { checkField } from "./fields.ts";
import { trimmed } from "./grammar.ts";
import type { Pool } from "./pool.ts";
import type { ResponseHead } from "./response-head.ts";
import type { Upstream, UpstreamUser } from "./upstream.ts";

export interface OwnRequest {
  /** Absolute http or https URL. */
  readonly url: string;
  readonly method: string;
  readonly headers: readonly Field[];
  readonly body?: Uint8Array;
  /** For everything from connecting to the last byte. */
  readonly timeoutMs: number;
  /** What is kept of the answer's body; the rest is read and dropped. */
  readonly maxBodyBytes: number;
}

export interface OwnAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly Field[];
  readonly body: Uint8Array;
  /** True when the body was longer than `maxBodyBytes`. */
  readonly truncated: boolean;
}

export interface OwnFailure {
  readonly failure: FailureCode;
  readonly detail: string;
}

/** Never rejects. @throws TypeError at once for a header that may not stand on the wire */
export function request(engine: Engine, wanted: OwnRequest): Promise<OwnAnswer | OwnFailure> {
  const url = new URL(wanted.url);
  if (url.protocol === "https:") return requestOverTls(engine, url, wanted);
  return ask(engine, engine.pool(targetOf(url, 80)), url, wanted);
}

/** TLS is loaded by who asks for it. */
async function requestOverTls(engine: Engine, url: URL, wanted: OwnRequest): Promise<OwnAnswer | OwnFailure> {
  const { ClientTls, machineTrust } = await import("../net/client-tls.ts");
  const tls = ClientTls.read(machineTrust, hostOf(url), ["http/1.1"]);
  return ask(engine, engine.pool(targetOf(url, 443, tls)), url, wanted);
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function targetOf(url: URL, port: number, tls?: TargetOptions["tls"]): Target {
  return tcpTarget(hostOf(url), url.port === "" ? port : Number(url.port), { tls });
}

function ask(engine: Engine, pool: Pool, url: URL, wanted: OwnRequest): Promise<OwnAnswer | OwnFailure> {
  const text = requestText(url, pool, wanted);
  return new Promise((resolve) => new OwnExchange(engine, pool, wanted, text, resolve).start());
}

function requestText(url: URL, pool: Pool, { method, headers, body }: OwnRequest): string {
  let text = `${method} ${url.pathname}${url.search} HTTP/1.1\r\n`;
  if (!headers.some((field) => field[0].toLowerCase() === "host")) text += `Host: ${pool.authority}\r\n`;
  for (const [name, value] of headers) {
    checkField(name, value);
    text += `${name}: ${value}\r\n`;
  }
  if (!headers.some((field) => field[0].toLowerCase() === "user-agent")) text += "User-Agent: outrigger\r\n";
  if (body !== undefined || !/^(?:GET|HEAD|OPTIONS|TRACE|DELETE)$/.test(method))
    text += `Content-Length: ${body?.length ?? 0}\r\n`;
  return `${text}\r\n`;
}

class OwnExchange extends Timed implements UpstreamUser {
  readonly requestMethod: string;
  private readonly engine: Engine;
  private readonly pool: Pool;
  private readonly wanted: OwnRequest;
  private readonly text: string;
  private readonly settle: (outcome: OwnAnswer | OwnFailure) => void;
  private up: Upstream | null = null;
  private connected = false;
  private head: ResponseHead | undefined;
  private readonly pieces: Uint8Array[] = [];
  private kept = 0;
  private truncated = false;

  constructor(
    engine: Engine,
    pool: Pool,
    wanted: OwnRequest,
    text: string,
    settle: (outcome: OwnAnswer | OwnFailure) => void,
  ) {
    super();
    this.engine = engine;
    this.pool = pool;
    this.wanted = wanted;
    this.text = text;
    this.settle = settle;
    this.requestMethod = wanted.method;
  }

  /** Always on a new connection: what is asked once in a while would find a pooled one stale. */
  start(): void {
    this.engine.wheel.set(this, this.wanted.timeoutMs);
    this.up = this.pool.connect(this, 0);
  }

  onConnected(up: Upstream): void {
    this.connected = true;
    up.form = "content";
    up.sendHead(this.text, this.wanted.body);
    if (up.version === "http2") up.endBody("");
  }

  onInformation(): void {}

  onUpstreamDrain(): void {}

  onResponse(head: ResponseHead, input: Buffer | undefined, up: Upstream): void {
    head.settle();
    this.head = head;
    up.form = "content";
    up.readBody(input === undefined ? up.unhold() : input.subarray(head.length));
  }

  onBody(pieces: Uint8Array[], done: boolean, up: Upstream): void {
    for (const piece of pieces) this.keep(piece);
    if (!done) return;
    up.abandon();
    this.end({
      status: this.head!.status,
      reason: this.head!.reason,
      headers: fieldsOf(this.head!),
      body: Buffer.concat(this.pieces),
      truncated: this.truncated,
    });
  }

  private keep(piece: Uint8Array): void {
    const room = this.wanted.maxBodyBytes - this.kept;
    if (piece.length > room) this.truncated = true;
    if (room <= 0) return;
    const taken = piece.subarray(0, room);
    this.kept += taken.length;
    this.pieces.push(taken);
  }

  onUpstreamFailure(code: FailureCode, detail: string): void {
    this.end({ failure: code, detail });
  }

  override onDeadline(): void {
    const { connected } = this;
    this.up?.abandon();
    const detail = `${this.pool.name}: nothing complete within ${this.wanted.timeoutMs} ms`;
    this.end({ failure: connected ? "upstream_timeout" : "upstream_connect_timeout", detail });
  }

  private end(outcome: OwnAnswer | OwnFailure): void {
    this.engine.wheel.clear(this);
    this.settle(outcome);
  }
}

function fieldsOf(head: ResponseHead): Field[] {
  return [...fieldLines(head)].map(
    (line): Field => [
      head.text.slice(line.start, line.nameEnd),
      trimmed(head.text.slice(line.nameEnd + 1, line.end - 2)),
    ],
  );
}
