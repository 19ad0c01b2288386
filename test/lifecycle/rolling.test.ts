/**
 * Rolling restarts of two pods behind HAProxy, under load: no request fails, none is done twice. Everything is timed as
 * Kubernetes times it: see pod.ts; endpoints are taken out up to 5 s after a pod's end has begun.
 *
 * `LIFECYCLE_ROUNDS=40 npm test -- test/lifecycle/rolling` restarts more often.
 */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { freePort } from "../kit/free-port.ts";
import { type Seeded, seeded, seedOf } from "../kit/random.ts";
import { Pod } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";
import { Balancer, Endpoint } from "./balancer.ts";
import { Clients } from "./clients.ts";
import { type Form, PodProcesses } from "./pod.ts";

const rounds = Number(process.env.LIFECYCLE_ROUNDS ?? 4);
setDefaultTimeout(60_000 + rounds * 20_000);

/** As a Service's endpoints: how late everybody may learn of a pod's end. */
const latestDelistingMs = 5000;
/** The app's own part: it serves on until nobody can know it any more. HAProxy on a busy machine is a bit late, too. */
const servesOnMs = 7000;

/** One of the pods of a Deployment, and those that come after it in its place. */
class Replica {
  readonly endpoint = new Endpoint();
  readonly got: string[] = [];
  private readonly folder = new Pod();
  private readonly appPort = freePort();
  private readonly form: Form;
  private readonly random: Seeded;
  private pod: PodProcesses | undefined;
  private following: Promise<void> | undefined;

  constructor(form: Form, random: Seeded) {
    this.form = form;
    this.random = random;
  }

  async start(): Promise<void> {
    const config = `inbound:\n  - { listen: "127.0.0.1:${this.endpoint.port}", to: "http://127.0.0.1:${this.appPort}" }`;
    this.pod = await PodProcesses.start({ form: this.form, graceSeconds: 30, config }, this.folder);
    await this.pod.startApp({ port: this.appPort, servesOnMs });
    const { healthUrl } = this.pod.sidecar;
    await until(async () => (await fetch(`${healthUrl}/ready`)).ok, { what: "a ready sidecar" });
    this.following = this.endpoint.follow(healthUrl, this.lateMs());
  }

  /** A plain sidecar is told to stop at once, and so is tried with endpoints that are nearly as late as they may be. */
  private lateMs(): number {
    const { random } = this;
    return this.form === "plain" ? latestDelistingMs - random.whole(1000) : random.whole(latestDelistingMs);
  }

  async restart(): Promise<void> {
    const { pod } = this;
    const ending = await pod!.end();
    expect({ form: this.form, app: ending.app, sidecar: ending.sidecar }).toEqual({
      form: this.form,
      app: 0,
      sidecar: 0,
    });
    expect(ending.sidecarMs).toBeLessThan(20_000);
    expect(pod!.sidecar.count("exchanges_cut")).toBe(0);
    await this.following;
    await this.start();
    this.got.push(...pod!.got);
  }

  async close(): Promise<void> {
    this.got.push(...(this.pod?.got ?? []));
    await this.pod?.kill();
    await this.folder.remove();
    await this.endpoint.close();
    await this.following;
  }
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const hasBalancer = existsSync("/usr/sbin/haproxy");
if (!hasBalancer) process.stderr.write("SKIPPED: rolling restarts need HAProxy; apt-get install haproxy\n");

test.skipIf(!hasBalancer)("no request fails while pods of both forms are restarted one after the other", async () => {
  const random = seeded(seedOf("rolling restarts"));
  const replicas = [new Replica("native", random), new Replica("plain", random)];
  for (const replica of replicas) {
    cleanups.push(() => replica.close());
    await replica.start();
  }
  const balancer = new Balancer();
  cleanups.push(() => balancer.stop());
  await balancer.start(replicas.map(({ endpoint }) => endpoint));

  const clients = new Clients(random);
  clients.keepAlive(balancer.http1Port, 6);
  clients.newConnections(balancer.http1Port, 3);
  clients.http2(balancer.http2Port, 6);
  await Bun.sleep(500);
  for (let round = 0; round < rounds; round++) {
    clients.areCalm = round % 4 >= 2;
    await replicas[round % 2]!.restart();
  }
  await clients.stop();
  for (const clean of cleanups.splice(0).reverse()) await clean();

  process.stderr.write(`${clients.answered.length} requests during ${rounds} restarts\n`);
  expect(clients.failed).toEqual([]);
  expect(clients.answered.length).toBeGreaterThan(rounds * 100);
  const got = replicas.flatMap((replica) => replica.got);
  expect(new Set(got).size).toBe(got.length);
  expect(got.map(Number).sort((a, b) => a - b)).toEqual(clients.answered.map(Number).sort((a, b) => a - b));
});
