/**
 * An app in a pod: serves, calls out, writes lines, and ends when it is told to, in its own time.
 * What it did, it says on stdout, a line each: `up`, `asked`, `got ID`, `called ok`, `called ECONNREFUSED`, `wrote TEXT`.
 */
import { appendFileSync } from "node:fs";

export interface AppWish {
  /** Where it serves; it serves nothing without. */
  readonly port?: number;
  /** After SIGTERM it goes on serving for so long, then answers what it has and ends. */
  readonly servesOnMs?: number;
  /** After SIGTERM it calls this every 100 ms for so long, each time on a new connection, before it ends; `afterMs` is a silence before. */
  readonly call?: { readonly url: string; readonly forMs: number; readonly afterMs?: number };
  /** After SIGTERM it writes a line to this every 100 ms for so long, before it ends. */
  readonly log?: { readonly path: string; readonly forMs: number };
  /** It keeps a socket to the end, as most do. */
  readonly holdsSocket?: boolean;
  /** It is a Job: does its calls and lines at once, and ends with 0. */
  readonly isJob?: boolean;
}

const wish: AppWish = JSON.parse(process.argv[2]!);
const lines: string[] = [];

function say(line: string): void {
  lines.push(line);
}

async function flush(): Promise<void> {
  if (lines.length > 0) await Bun.write(Bun.stdout, `${lines.splice(0).join("\n")}\n`);
}

const wait = (url: URL) => Bun.sleep(Number(url.searchParams.get("ms") ?? 0));

const server =
  wish.port === undefined
    ? undefined
    : Bun.serve({
        hostname: "127.0.0.1",
        port: wish.port,
        idleTimeout: 0,
        async fetch(request) {
          say("asked");
          const url = new URL(request.url);
          const body = await request.text();
          await wait(url);
          const id = request.headers.get("x-id");
          if (id !== null) say(`got ${id}`);
          return new Response(`${id} ${body.length}`);
        },
      });

async function call({ url, forMs, afterMs = 0 }: NonNullable<AppWish["call"]>): Promise<void> {
  await Bun.sleep(afterMs);
  for (const end = performance.now() + forMs; performance.now() < end; await Bun.sleep(100)) {
    try {
      const answer = await fetch(url, { headers: { connection: "close" }, keepalive: false });
      say(`called ${answer.ok ? "ok" : answer.status} ${await answer.text()}`);
    } catch (error) {
      say(`called ${(error as NodeJS.ErrnoException).code}`);
    }
  }
}

async function write({ path, forMs }: NonNullable<AppWish["log"]>): Promise<void> {
  let count = 0;
  for (const end = performance.now() + forMs; performance.now() < end; await Bun.sleep(100)) {
    const text = `line ${count++} ${"x".repeat(50)}`;
    appendFileSync(path, `${text}\n`);
    say(`wrote ${text}`);
  }
}

async function end(): Promise<void> {
  if (!wish.servesOnMs) void server?.stop();
  await Promise.all([
    wish.servesOnMs && Bun.sleep(wish.servesOnMs),
    wish.call && call(wish.call),
    wish.log && write(wish.log),
  ]);
  await server?.stop();
  await flush();
  process.exit(0);
}

if (wish.holdsSocket === true) Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
process.once("SIGTERM", () => void end());
setInterval(() => void flush(), 20);
say("up");
if (wish.isJob === true) void end();
