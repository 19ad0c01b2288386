/**
 * The way of a batch to a destination over HTTP: encoded and compressed once, sent as often as it takes.
 */
import type { Batch, Counter, Delivery, LogOutputContext, RetryCause } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { type Answer, Caller, type CallFailure } from "../net/call.ts";
import { Authorization } from "../net/call-secrets.ts";
import { retryAfterMs } from "../net/retry-after.ts";
import { version } from "../version.ts";
import type { Compression, HttpOptions } from "./_http-options.ts";

/** Longer waits are asked again after this. */
const mostRetryAfterMs = 5 * 60_000;
const mostAnswerBytes = 4 * 1024 * 1024;
/** Up to here a body is compressed at once, which takes 10 ms; more would keep other outputs waiting. */
const mostAtOnceBytes = 4 * 1024 * 1024;

export interface HttpRequest {
  readonly method?: string;
  /** Absolute; default: the output's `url`. */
  readonly url?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Makes the body, once for each batch. Its parts must not change until the batch is settled. */
  readonly encode: () => readonly Uint8Array[];
}

export class HttpSender {
  private readonly options: HttpOptions;
  private readonly context: LogOutputContext;
  private readonly caller: Caller;
  private readonly authorization: Authorization;
  private readonly sent: Counter;
  private readonly bodies = new WeakMap<Batch, Promise<readonly Uint8Array[]>>();

  private constructor(options: HttpOptions, context: LogOutputContext) {
    const { tls, proxy, timeouts } = options;
    const { connect: connectMs, request: timeoutMs } = timeouts;
    this.options = options;
    this.context = context;
    this.caller = new Caller({ tls, proxy, connectMs, timeoutMs, mostBytes: mostAnswerBytes });
    this.authorization = new Authorization(options.auth);
    this.sent = context.metrics.counter("outrigger_log_output_sent_bytes_total", { output: context.name });
  }

  /** @throws UserError for certificates that cannot be used */
  static async open(options: HttpOptions, context: LogOutputContext): Promise<HttpSender> {
    const { tls, url } = options;
    if (tls !== undefined && url.startsWith("https:")) {
      const { ClientTls } = await import("../net/client-tls.ts");
      try {
        ClientTls.read(tls, new URL(url).hostname, ["http/1.1"]);
      } catch (error) {
        throw new UserError(`logs: output ${context.name}: ${error instanceof Error ? error.message : error}`, 1);
      }
    }
    return new HttpSender(options, context);
  }

  /** Sends a batch; a retry sends the same bytes. */
  async send(batch: Batch, request: HttpRequest): Promise<Answer | CallFailure> {
    const { compress, url, headers } = this.options;
    let body = this.bodies.get(batch);
    if (body === undefined) {
      body = compressed(request.encode(), compress);
      this.bodies.set(batch, body);
    }
    const parts = await body;
    const own = compress === "none" ? [] : [["Content-Encoding", compress] as const];
    this.sent.add(parts.reduce((sum, { length }) => sum + length, 0));
    const answer = await this.caller.call(
      {
        method: request.method ?? "POST",
        url: request.url ?? url,
        headers: combined(
          [["User-Agent", `outrigger/${version}`], ...(request.headers ?? []), ...own],
          [...this.authorization.fields(), ...headers],
        ),
        body: parts,
        repeatable: true, // what a retry would do, without its pause
      },
      this.context.signal,
    );
    const status = "failure" in answer ? "none" : String(answer.status);
    this.context.metrics.counter("outrigger_log_output_answers_total", { output: this.context.name, status }).add(1);
    return answer;
  }

  /** Comes again, when the destination wants it to. */
  later(answer: Answer | CallFailure): Delivery {
    if ("failure" in answer) {
      const cause = answer.failure.includes("timeout") ? "timeout" : "unreachable";
      return { outcome: "retry", reason: answer.detail, cause };
    }
    const afterMs = retryAfterMs(answer.field("retry-after"), this.context.clock.wall());
    const retry = { outcome: "retry", reason: reasonOf(answer), cause: causeOf(answer) } as const;
    return afterMs === undefined ? retry : { ...retry, afterMs: Math.min(afterMs, mostRetryAfterMs) };
  }

  /** No batch is taken until somebody changes something here or there: nothing is given up, and the event says why. */
  hold(answer: Answer): Delivery {
    return { outcome: "retry", reason: `${reasonOf(answer)} (${remedyFor(answer)})`, cause: causeOf(answer) };
  }

  close(): void {
    this.caller.close();
  }
}

/** Statuses of a destination, an address or a right that is wrong: no line is to blame. */
const misplaced = new Set([401, 402, 403, 404, 405, 407, 415, 421, 426]);

/** True for statuses that say nothing about the lines: redirects as well. */
export function isMisplaced({ status }: Answer): boolean {
  return (status >= 300 && status < 400) || misplaced.has(status);
}

function causeOf({ status }: Answer): RetryCause {
  if (status === 429) return "throttled";
  if (status === 408) return "timeout";
  if (status === 401 || status === 403 || status === 407) return "forbidden";
  return status >= 500 ? "unavailable" : "other";
}

function remedyFor(answer: Answer): string {
  const { status } = answer;
  if (status === 401 || status === 403) return "check auth, and what it may do there";
  if (status >= 300 && status < 400)
    return `it points to ${answer.field("location") ?? "another place"}: write that as url`;
  if (status === 407) return "the proxy wants a user and password";
  if (status === 415) return "it does not take this content type or compression";
  return "check url";
}

/** `400 Bad Request: what it says`, on one line. */
export function reasonOf({ statusText, body }: Answer): string {
  const words = body.subarray(0, 1000).toString("utf8").replace(/\s+/g, " ").trim();
  return words === "" ? statusText : `${statusText}: ${words.length > 300 ? `${words.slice(0, 300)}…` : words}`;
}

/** `over` wins over fields of the same name. */
function combined(fields: readonly (readonly [string, string])[], over: readonly (readonly [string, string])[]) {
  const names = new Set(over.map(([name]) => name.toLowerCase()));
  return [...fields.filter(([name]) => !names.has(name.toLowerCase())), ...over];
}

/**
 * In the runtime's own functions: `node:zlib` takes 7 MB of memory and a third more time (Bun 1.4), and what it does
 * beside the turn is only worth it for large bodies.
 */
async function compressed(parts: readonly Uint8Array[], how: Compression): Promise<readonly Uint8Array[]> {
  if (how === "none") return parts;
  const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  if (how === "zstd") return [await Bun.zstdCompress(whole, { level: 1 })];
  if (whole.length <= mostAtOnceBytes) return [Bun.gzipSync(whole as Uint8Array<ArrayBuffer>, { level: 1 })];
  const { gzip } = await import("node:zlib");
  return new Promise((resolve, reject) =>
    gzip(whole, { level: 1, chunkSize: 256 * 1024 }, (error, bytes) =>
      error === null ? resolve([bytes]) : reject(error),
    ),
  );
}
