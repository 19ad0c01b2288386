/** A webhook, the fake of a cluster around it, and clients that ask it as an API server does. */
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import type { AnnotationName } from "../../src/injector/annotations.ts";
import type { inject } from "../../src/injector/inject.ts";
import { startWebhook, type Webhook } from "../../src/injector/webhook.ts";
import type { WebhookSettings } from "../../src/injector/webhook-options.ts";
import { Authority } from "./certificates.ts";
import { FakeKubernetes } from "./fake-kubernetes.ts";
import { until } from "./until.ts";

export const serviceName = "outrigger-webhook.outrigger-system.svc";
export const configurationPath = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/outrigger";
export const secretPath = "/api/v1/namespaces/outrigger-system/secrets/outrigger-webhook-certificate";

/** A folder as a pod's account, and an API server that knows its token. */
export class FakeCluster {
  readonly folder = mkdtempSync(join(tmpdir(), "cluster-"));
  readonly account = join(this.folder, "account");
  readonly api: FakeKubernetes;
  private readonly authority = new Authority("fake cluster");
  private readonly webhooks: Webhook[] = [];

  constructor() {
    const { pem } = this.authority.issue({ names: "IP:127.0.0.1,DNS:kubernetes.default.svc" });
    this.api = new FakeKubernetes({ ...pem, token: "token-1" });
    mkdirSync(this.account);
    writeFileSync(join(this.account, "ca.crt"), this.authority.pem);
    writeFileSync(join(this.account, "namespace"), "outrigger-system");
    this.setToken("token-1");
    this.api.put("/api/v1/namespaces/outrigger-system", {});
    this.api.put("/api/v1/namespaces/shop", { metadata: { labels: { "outrigger.dev/inject": "enabled" } } });
    this.api.put(secretPath, { apiVersion: "v1", kind: "Secret", type: "Opaque" });
    this.api.put(configurationPath, {
      webhooks: ["a.outrigger.dev", "b.outrigger.dev"].map((name) => ({
        name,
        clientConfig: { service: { name: "outrigger-webhook", namespace: "outrigger-system", path: "/inject" } },
      })),
    });
  }

  setToken(token: string): void {
    writeFileSync(join(this.account, "token"), `${token}\n`);
    this.api.token = token;
  }

  /** What API servers trust, as the webhook configuration has it now. */
  get caBundle(): string {
    const webhooks = this.api.object(configurationPath)!.webhooks as { clientConfig: { caBundle?: string } }[];
    return Buffer.from(webhooks[0]!.clientConfig.caBundle ?? "", "base64").toString();
  }

  /** Starts one that keeps its certificate itself. */
  start(
    changes: Partial<Omit<WebhookSettings, "certificate">> & { certificate?: object } = {},
    parts: { inject?: typeof inject } = {},
  ): Webhook {
    const { certificate = {}, ...others } = changes;
    const own = {
      kind: "own",
      names: ["outrigger-webhook"],
      secret: "outrigger-webhook-certificate",
      configuration: "outrigger",
    } as const;
    const settings: WebhookSettings = {
      ...webhookSettings,
      certificate: { ...own, ...certificate },
      api: { server: this.api.url, account: this.account },
      ...others,
    };
    const webhook = startForTest(settings, parts);
    this.webhooks.push(webhook);
    return webhook;
  }

  async started(...options: Parameters<FakeCluster["start"]>): Promise<Webhook> {
    const webhook = this.start(...options);
    await ready(webhook);
    return webhook;
  }

  async remove(): Promise<void> {
    await Promise.all(this.webhooks.map((webhook) => webhook.drain("SIGINT")));
    this.api.stop();
    this.authority.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const loopback = { host: "127.0.0.1", port: 0, text: "127.0.0.1:0" };

export const webhookSettings: Omit<WebhookSettings, "certificate"> = {
  address: loopback,
  health: loopback,
  api: undefined,
  namespace: undefined,
  defaults: { "config-map": "shop-config" } satisfies Partial<Record<AnnotationName, string>>,
  lifecycle: "auto",
  onError: "allow",
  detectEveryMs: undefined,
  graceMs: 2000,
  logFormat: "json",
};

const nowhere = openSync("/dev/null", "w");

/** In this process, its own log thrown away. */
export function startForTest(settings: WebhookSettings, parts: { inject?: typeof inject } = {}): Webhook {
  return startWebhook({
    settings,
    clock: systemClock,
    random: Math.random,
    strict: true,
    logFd: nowhere,
    survivesUnexpected: false,
    ...parts,
  });
}

export async function ready(webhook: Webhook): Promise<void> {
  await until(() => webhook.readyReasons().length === 0, { what: `ready (${webhook.readyReasons()})` });
}

/** The value of a series of a scrape; 0 when absent. */
export async function metric(healthUrl: string, series: string): Promise<number> {
  const text = await (await fetch(`${healthUrl}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

export function healthUrl({ health }: Webhook): string {
  return `http://127.0.0.1:${health.port}`;
}

export interface Sent {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Sending {
  readonly port: number;
  /** Whom the client trusts. */
  readonly ca: string;
  readonly method?: string;
  readonly path?: string;
  readonly type?: string | undefined;
  readonly headers?: Record<string, string>;
}

/** One request on a connection of its own; the certificate is checked by the client for the Service's name. */
export function send(body: string | Uint8Array, { port, ca, method, path, type, headers }: Sending): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port,
      ca,
      servername: serviceName,
      method: method ?? "POST",
      path: path ?? "/inject",
      agent: false as const,
      headers: { ...(type !== "" && { "content-type": type ?? "application/json" }), ...headers },
    };
    const asked = request(options, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({ status: answer.statusCode!, text: Buffer.concat(pieces).toString(), headers: answer.headers }),
      );
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

export interface ReviewResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patch?: string;
  readonly patchType?: string;
  readonly warnings?: readonly string[];
  readonly status?: { readonly message: string; readonly code: number; readonly reason: string };
}

/** The response of a review that was answered. */
export function responseOf({ status, text }: Sent): ReviewResponse {
  if (status !== 200) throw new Error(`${status}: ${text}`);
  const { apiVersion, kind, response } = JSON.parse(text);
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview") throw new Error(text);
  return response;
}

export function patchOf({ patch }: ReviewResponse): { op: string; path: string; value?: unknown }[] {
  return JSON.parse(Buffer.from(patch ?? "W10=", "base64").toString());
}

/** A pod of the usual kind, as a ReplicaSet makes it. */
export function pod(changes: { metadata?: object; spec?: object } = {}): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: "web-7c9f5-",
      namespace: "shop",
      labels: { app: "web" },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-7c9f5", uid: "rs-uid", controller: true },
      ],
      ...changes.metadata,
    },
    spec: {
      containers: [
        {
          name: "web",
          image: "nginx:1.29",
          ports: [{ containerPort: 80 }],
          volumeMounts: [{ name: "token", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }],
        },
      ],
      volumes: [{ name: "token", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } }],
      ...changes.spec,
    },
  };
}

/** The body of a review, as API servers send it. */
export function review(object: unknown, changes: object = {}, apiVersion = "admission.k8s.io/v1"): string {
  const pods = { group: "", version: "v1", resource: "pods" };
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion,
    request: {
      uid: "5b1a5ab2-4a2b-4d6e-9d52-b1f1f0a0c0de",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: pods,
      requestKind: { group: "", version: "v1", kind: "Pod" },
      requestResource: pods,
      namespace: "shop",
      operation: "CREATE",
      userInfo: { username: "system:serviceaccount:kube-system:replicaset-controller" },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
      ...changes,
    },
  });
}
