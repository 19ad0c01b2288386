/** Reviews of `outrigger webhook`, sent by Node over TLS on kept connections: how long an API server waits for one. */
import { ReviewLoad, WebhookProcess } from "../test/kit/webhook-process.ts";
import { FakeCluster, pod, review } from "../test/kit/webhook-run.ts";
import { LOAD_CORE, PROXY_CORE } from "./layout.ts";
import { cpuNs, family, memory, pinned } from "./linux.ts";
import { conditions } from "./machine.ts";
import { table } from "./page.ts";

export interface WebhookPlan {
  /** Of each point. */
  readonly seconds: number;
  readonly say: (line: string) => void;
}

interface Point {
  readonly what: string;
  readonly body: string;
  readonly connections: number;
}

interface Result {
  readonly point: Point;
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
  readonly ms: { readonly p50: number; readonly p90: number; readonly p99: number; readonly most: number };
}

const warmUpMs = 2000;

/** As an API server sends it: defaults filled in, and who owns which field. */
function usualPod(padding = 0): object {
  const probe = { httpGet: { path: "/ready", port: "http", scheme: "HTTP" }, timeoutSeconds: 1, periodSeconds: 10 };
  const env = Array.from({ length: 20 }, (_, i) => ({ name: `SETTING_${i}`, value: `value of the setting ${i}` }));
  const container = (name: string) => ({
    name,
    image: `registry.example/shop/${name}:1.4.2`,
    ports: [{ name: "http", containerPort: name === "web" ? 8080 : 9090, protocol: "TCP" }],
    env,
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "1", memory: "256Mi" } },
    volumeMounts: [{ name: "logs", mountPath: `/var/log/${name}` }],
    readinessProbe: probe,
    livenessProbe: probe,
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  });
  const owned = Object.fromEntries(
    env.map(({ name }) => [`k:{"name":"${name}"}`, { ".": {}, "f:name": {}, "f:value": {} }]),
  );
  const managedFields = [
    {
      manager: "kube-controller-manager",
      operation: "Update",
      fieldsType: "FieldsV1",
      fieldsV1: { "f:spec": { "f:env": owned } },
    },
  ];
  const annotations = {
    "outrigger.dev/config-map": "web-sidecar",
    "outrigger.dev/log-path": "/var/log/web",
    ...(padding > 0 && { "example.com/padding": "x".repeat(padding) }),
  };
  return pod({
    metadata: { annotations, managedFields },
    spec: { containers: ["web", "worker"].map(container), volumes: [{ name: "logs", emptyDir: {} }] },
  });
}

function pointsOf(): Point[] {
  const usual = review(usualPod());
  const large = review(usualPod(3 * 1024 * 1024 - usual.length));
  return [
    { what: "usual pod, one at a time", body: usual, connections: 1 },
    { what: "usual pod, 8 at once", body: usual, connections: 8 },
    { what: "usual pod, 200 at once", body: usual, connections: 200 },
    { what: "pod of 3 MiB, one at a time", body: large, connections: 1 },
  ];
}

/** Runs it and returns the section of the page. */
export async function measureWebhook(program: readonly string[], plan: WebhookPlan): Promise<string> {
  const cluster = new FakeCluster();
  const webhook = pinned(PROXY_CORE, LOAD_CORE, () => WebhookProcess.spawnIn(cluster, [], program));
  try {
    await webhook.event("webhook_ready");
    const results: Result[] = [];
    for (const point of pointsOf()) {
      plan.say(`webhook: ${point.what}`);
      results.push(await measured(cluster, webhook, point, plan));
    }
    return sectionOf(results, plan);
  } finally {
    await webhook.kill();
    await cluster.remove();
  }
}

async function measured(
  cluster: FakeCluster,
  webhook: WebhookProcess,
  point: Point,
  { seconds }: WebhookPlan,
): Promise<Result> {
  const pids = () => family(webhook.pid);
  const cpuMs = () => Number(pids().reduce((sum, pid) => sum + cpuNs(pid), 0n)) / 1e6;
  const load = new ReviewLoad(cluster, point.connections, [point.body]);
  load.tell({ ca: cluster.caBundle, ports: [webhook.port] });
  await Bun.sleep(warmUpMs);
  load.tell({ reset: true });
  const [cpuBefore, startedAt] = [cpuMs(), performance.now()];
  await Bun.sleep(seconds * 1000);
  const cpu = cpuMs() - cpuBefore;
  const tookMs = performance.now() - startedAt;
  const rssMiB = memory(pids()).rssKiB / 1024;
  const { ok, failures, ...ms } = await load.end();
  if (failures.length > 0) throw new Error(`${point.what}: ${failures.length} reviews failed, ${failures[0]}`);
  return { point, perSecond: (ok * 1000) / tookMs, cpuMs: cpu / ok, rssMiB, ms };
}

function sectionOf(results: readonly Result[], { seconds }: WebhookPlan): string {
  const rows = results.map(({ point, perSecond, cpuMs, rssMiB, ms }) => [
    `${point.what} (${size(point.body.length)})`,
    ...[ms.p50, ms.p90, ms.p99, ms.most].map((one) => one.toFixed(1)),
    perSecond.toFixed(0),
    cpuMs.toFixed(2),
    rssMiB.toFixed(0),
  ]);
  const head = [
    "ms from request to answer",
    "median",
    "90 %",
    "99 %",
    "largest",
    "reviews/s",
    "CPU ms each",
    "RSS MiB",
  ];
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- The webhook on one core, its clients on the other: Node over TLS 1.3, connections kept, each asking again when it has its answer. ${seconds} s a point after ${warmUpMs / 1000} s that are not counted; every answer is checked for its patch.`,
    "- With several at once the time is that of the queue: one core answers one after the other, and the clients' own core is full as well. An API server waits 5 s with the webhook configuration of `deploy/`.",
    "",
    table(head, rows),
  ].join("\n");
}

function size(bytes: number): string {
  return bytes > 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 1024).toFixed(1)} KiB`;
}
