/**
 * HAProxy before two pods, as a Service with late endpoints: it goes by what the pods' readiness was a while ago, and
 * tries nothing twice, so that every failure of a pod is one for a client.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server, Subprocess } from "bun";
import { freePort } from "../kit/free-port.ts";
import { until } from "../kit/until.ts";

/** One pod's place behind the balancer: says to HAProxy whether it is an endpoint. */
export class Endpoint {
  readonly port = freePort();
  private isListed = false;
  private readonly answers: Server<undefined>;
  private isClosed = false;

  constructor() {
    this.answers = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(null, { status: this.isListed ? 200 : 503 }),
    });
  }

  get checkPort(): number {
    return this.answers.port ?? 0;
  }

  /** The pod is ready: it becomes an endpoint at once, and stays one until its `/ready` has said no so long ago. */
  async follow(healthUrl: string, lateMs: number): Promise<void> {
    this.isListed = true;
    while (!this.isClosed && (await isReady(healthUrl))) await Bun.sleep(50);
    await Bun.sleep(lateMs);
    this.isListed = false;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.answers.stop(true);
  }
}

function isReady(healthUrl: string): Promise<boolean> {
  return fetch(`${healthUrl}/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

export class Balancer {
  readonly http1Port = freePort();
  readonly http2Port = freePort();
  private readonly folder = mkdtempSync(join(tmpdir(), "haproxy-"));
  private process: Subprocess | undefined;

  async start(endpoints: readonly Endpoint[]): Promise<void> {
    const path = join(this.folder, "haproxy.cfg");
    writeFileSync(path, this.config(endpoints));
    this.process = Bun.spawn(["/usr/sbin/haproxy", "-db", "-f", path], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    const isUp = async () =>
      fetch(`http://127.0.0.1:${this.http1Port}/up`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isUp, { what: "HAProxy with an endpoint" });
  }

  private config(endpoints: readonly Endpoint[]): string {
    const servers = (more: (endpoint: Endpoint, at: number) => string) =>
      endpoints.map((one, at) => `  server pod${at} 127.0.0.1:${one.port} ${more(one, at)}`);
    return [
      "defaults",
      "  mode http",
      "  timeout connect 2s",
      "  timeout client 30s",
      "  timeout server 30s",
      // Else a check may take no longer than the pause between two, and a busy machine would look like a pod that is gone.
      "  timeout check 10s",
      "  retries 0",
      "frontend in1",
      `  bind 127.0.0.1:${this.http1Port}`,
      "  default_backend pods1",
      "frontend in2",
      `  bind 127.0.0.1:${this.http2Port} proto h2`,
      "  default_backend pods2",
      "backend pods1",
      "  balance roundrobin",
      "  option httpchk GET /ready",
      ...servers(({ checkPort }) => `check port ${checkPort} inter 100ms fall 1 rise 1`),
      "backend pods2",
      "  balance roundrobin",
      ...servers((_, at) => `proto h2 track pods1/pod${at}`),
      "",
    ].join("\n");
  }

  async stop(): Promise<void> {
    this.process?.kill("SIGKILL");
    await this.process?.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
