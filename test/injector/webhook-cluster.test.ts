/** What the webhook learns of the cluster and tells it: pods that were missed, events, the nodes' versions. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Webhook } from "../../src/injector/webhook.ts";
import { canMakeCertificates } from "../kit/certificates.ts";
import { until } from "../kit/until.ts";
import { FakeCluster, healthUrl, metric, patchOf, pod, responseOf, review, send } from "../kit/webhook-run.ts";

describe.skipIf(!canMakeCertificates)("the webhook in its cluster", () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster();
  });
  afterEach(() => cluster.remove());

  const putPod = (namespace: string, name: string, changes: Parameters<typeof pod>[0] & { status?: object } = {}) => {
    const { metadata, ...others } = pod(changes) as { metadata: object };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    cluster.api.put(path, { ...others, metadata: { ...metadata, namespace, name }, status: changes.status ?? {} });
  };
  const missed = (webhook: Webhook, namespace: string) =>
    metric(healthUrl(webhook), `outrigger_webhook_missed_pods{namespace="${namespace}"}`);
  const lookedAfter = async (webhook: Webhook, moment: number) => {
    const last = () => metric(healthUrl(webhook), "outrigger_webhook_last_look_timestamp_seconds");
    await until(async () => (await last()) * 1000 > moment, { what: "another look" });
  };
  /** As of a look that began after this was called. */
  const looked = async (webhook: Webhook) => {
    await lookedAfter(webhook, Date.now());
    await lookedAfter(webhook, Date.now());
  };
  const eventsOf = (namespace: string, reason: string) =>
    cluster.api.under(`/api/v1/namespaces/${namespace}/events`).filter((event) => event.reason === reason);

  test("finds pods that should have the sidecar and have none, and no others", async () => {
    cluster.api.put("/api/v1/namespaces/plain", {});
    putPod("shop", "missed-1");
    putPod("shop", "missed-2");
    putPod("plain", "missed-3", { metadata: { labels: { "outrigger.dev/inject": "true" } } });
    putPod("plain", "never-asked");
    putPod("shop", "injected", { metadata: { labels: { "outrigger.dev/injected": "true" } } });
    putPod("shop", "opted-out", { metadata: { labels: { "outrigger.dev/inject": "false" } } });
    putPod("shop", "node-network", { spec: { hostNetwork: true, containers: [{ name: "a", image: "a" }] } });
    putPod("shop", "mirror", { metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } });
    putPod("shop", "done", { status: { phase: "Succeeded" } });
    putPod("shop", "leaving", { metadata: { deletionTimestamp: "2026-11-26T00:00:00Z" } });
    const webhook = await cluster.started({ detectEveryMs: 100 });
    await looked(webhook);
    expect([await missed(webhook, "shop"), await missed(webhook, "plain")]).toEqual([2, 1]);
    const told = [...eventsOf("shop", "InjectionMissed"), ...eventsOf("plain", "InjectionMissed")];
    const subjects = told.map(({ involvedObject }) => (involvedObject as { name: string }).name);
    expect(subjects.sort()).toEqual(["missed-1", "missed-2", "missed-3"]);
    expect(told[0]).toMatchObject({ type: "Warning", involvedObject: { kind: "Pod", apiVersion: "v1" } });
    cluster.api.remove("/api/v1/namespaces/shop/pods/missed-1");
    cluster.api.remove("/api/v1/namespaces/shop/pods/missed-2");
    await looked(webhook);
    expect([await missed(webhook, "shop"), await missed(webhook, "plain")]).toEqual([0, 1]);
    expect(eventsOf("shop", "InjectionMissed")).toHaveLength(2);
  });

  test("reads lists of many pages, and begins anew with one that grew old meanwhile (410)", async () => {
    for (let i = 0; i < 250; i++) putPod("shop", `pod-${i}`);
    let aged = 0;
    cluster.api.before = ({ verb, path }) => {
      if (verb === "list" && path === "/api/v1/namespaces/shop/pods" && aged++ === 1) cluster.api.growOld();
    };
    const webhook = await cluster.started({ detectEveryMs: 60_000 });
    await lookedAfter(webhook, 0);
    expect(await missed(webhook, "shop")).toBe(250);
    expect(aged).toBe(1 + 1 + 3); // a page, one too old, and three from the start
    const gone = 'outrigger_webhook_kubernetes_failures_total{call="pods",status="410"}';
    expect(await metric(healthUrl(webhook), gone)).toBe(1);
  });

  test("without the right to list goes on injecting, and counts what it could not see", async () => {
    cluster.api.forbidden.add("list pods");
    const webhook = await cluster.started({ detectEveryMs: 100 });
    const counted = 'outrigger_webhook_kubernetes_failures_total{call="pods",status="403"}';
    await until(async () => (await metric(healthUrl(webhook), counted)) > 1);
    expect(await metric(healthUrl(webhook), "outrigger_webhook_last_look_timestamp_seconds")).toBe(0);
    const response = responseOf(await send(review(pod()), { port: webhook.port, ca: cluster.caBundle }));
    expect(response.patch).toBeDefined();
  });

  test("two replicas say of a pod once that it was missed", async () => {
    putPod("shop", "missed-1");
    const replicas = await Promise.all([
      cluster.started({ detectEveryMs: 100 }),
      cluster.started({ detectEveryMs: 100 }),
    ]);
    for (const replica of replicas) await looked(replica);
    expect(await Promise.all(replicas.map((replica) => missed(replica, "shop")))).toEqual([1, 1]);
    expect(eventsOf("shop", "InjectionMissed")).toHaveLength(1);
  });

  test("injects although nothing answers when it asks for the namespace", async () => {
    const webhook = await cluster.started();
    cluster.api.failing = 500;
    const ask = async () => responseOf(await send(review(pod()), { port: webhook.port, ca: cluster.caBundle }));
    expect((await ask()).patch).toBeDefined();
    cluster.api.failing = undefined;
    const asked = cluster.api.count("get", "namespaces");
    expect((await ask()).patch).toBeDefined();
    expect(cluster.api.count("get", "namespaces")).toBe(asked); // it does not make the next pods wait for it
  });

  test("takes the native form where all nodes know it, else the plain one, unless it was told", async () => {
    const node = (name: string, kubeletVersion: string, spec: object = {}) =>
      cluster.api.put(`/api/v1/nodes/${name}`, { status: { nodeInfo: { kubeletVersion } }, spec });
    const form = async (webhook: Webhook) => {
      const response = responseOf(await send(review(pod()), { port: webhook.port, ca: cluster.caBundle }));
      return patchOf(response).some(({ path }) => path.startsWith("/spec/initContainers")) ? "native" : "plain";
    };
    const listed = () => cluster.api.count("list", "nodes");
    const started = async (lifecycle: "auto" | "native") => {
      const before = listed();
      const webhook = await cluster.started({ lifecycle });
      if (lifecycle === "auto") await until(() => listed() > before);
      await Bun.sleep(50);
      return webhook;
    };
    node("new", "v1.36.2");
    node("least", "v1.29.0+k3s1");
    node("odd", "virtual-kubelet");
    node("cordoned", "v1.27.4", { unschedulable: true });
    expect(await form(await started("auto"))).toBe("native");
    node("old", "v1.28.9-eks-1234");
    expect(await form(await started("auto"))).toBe("plain");
    expect(await form(await started("native"))).toBe("native");
    cluster.api.forbidden.add("list nodes");
    expect(await form(await started("auto"))).toBe("native");
  });

  test("tells owners of what is refused and skipped, and drops no more than it says", async () => {
    const webhook = await cluster.started();
    const ask = (object: unknown) => send(review(object), { port: webhook.port, ca: cluster.caBundle });
    await ask(pod({ metadata: { annotations: { "outrigger.dev/inbound": "everywhere" } } }));
    await ask(pod({ spec: { hostNetwork: true, containers: [{ name: "a", image: "a" }] } }));
    const bare = pod();
    delete (bare.metadata as Record<string, unknown>).ownerReferences;
    await ask(bare); // nobody made it but the user, who has the warnings
    await until(() => eventsOf("shop", "InjectionSkipped").length === 1);
    expect(eventsOf("shop", "InjectionRefused")[0]).toMatchObject({
      type: "Warning",
      message: expect.stringContaining('outrigger.dev/inbound: "everywhere" is not known'),
      involvedObject: { kind: "ReplicaSet", name: "web-7c9f5", uid: "rs-uid" },
    });
    expect(cluster.api.under("/api/v1/namespaces/shop/events")).toHaveLength(2);
    expect(await metric(healthUrl(webhook), 'outrigger_webhook_events_total{result="written"}')).toBe(2);
    cluster.api.forbidden.add("create events");
    const owner = { apiVersion: "batch/v1", kind: "Job", name: "job", uid: "job-uid", controller: true };
    await ask(pod({ metadata: { ownerReferences: [owner] } }));
    await until(
      async () => (await metric(healthUrl(webhook), 'outrigger_webhook_events_total{result="failed"}')) === 1,
    );
  });
});
