/** Reviews asked of a running webhook over TLS. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyPatch, type Operation } from "rfc6902";
import { inject } from "../../src/injector/inject.ts";
import type { Webhook } from "../../src/injector/webhook.ts";
import { canMakeCertificates } from "../kit/certificates.ts";
import { program, run } from "../kit/commands.ts";
import { until } from "../kit/until.ts";
import {
  FakeCluster,
  healthUrl,
  metric,
  patchOf,
  pod,
  responseOf,
  review,
  type Sending,
  type Sent,
  send,
  serviceName,
} from "../kit/webhook-run.ts";

const curl = program("curl", "apt-get install curl");

describe.skipIf(!canMakeCertificates)("a review", () => {
  let cluster: FakeCluster;
  let webhook: Webhook;
  const ask = (body: string | Uint8Array, more: Partial<Sending> = {}): Promise<Sent> =>
    send(body, { port: webhook.port, ca: cluster.caBundle, ...more });
  const total = (outcome: string, reason = "-") =>
    metric(healthUrl(webhook), `outrigger_webhook_requests_total{outcome="${outcome}",reason="${reason}"}`);

  beforeAll(async () => {
    cluster = new FakeCluster();
    webhook = await cluster.started();
  });
  afterAll(() => cluster.remove());

  test("of a new pod is answered with the patch that the pure function makes", async () => {
    const response = responseOf(await ask(review(pod())));
    expect(response).toMatchObject({ allowed: true, patchType: "JSONPatch" });
    expect(response.uid).toBe("5b1a5ab2-4a2b-4d6e-9d52-b1f1f0a0c0de");
    const defaults = { lifecycle: "native", "config-map": "shop-config" };
    const { patch, pod: wanted } = inject(pod(), {
      namespace: "shop",
      namespaceLabels: { "outrigger.dev/inject": "enabled" },
      requireOptIn: true,
      defaults,
    });
    expect(patchOf(response)).toEqual(JSON.parse(JSON.stringify(patch)));
    const patched = pod();
    expect(applyPatch(patched, patchOf(response) as Operation[]).every((failure) => failure === null)).toBe(true);
    expect(patched).toEqual(wanted as typeof patched);
    expect(JSON.stringify(patched)).toContain('"restartPolicy":"Always"');
  });

  test("of a pod that is injected already, as a reinvocation sends it, has no patch", async () => {
    const before = await total("unchanged", "already_injected");
    const patched = pod();
    applyPatch(patched, patchOf(responseOf(await ask(review(patched)))) as Operation[]);
    const again = responseOf(await ask(review(patched)));
    expect(again.allowed).toBe(true);
    expect(again.patch).toBeUndefined();
    expect(again.patchType).toBeUndefined();
    expect(await total("unchanged", "already_injected")).toBe(before + 1);
  });

  test("keeps fields nobody here knows, and takes reviews with fields nobody here knows", async () => {
    const odd = pod({ spec: { containers: [{ name: "web", image: "x", futureField: { a: [1, 2] } }], newThing: 7 } });
    const body = JSON.parse(review(odd, { futureRequest: { x: 1 } }));
    const response = responseOf(await ask(JSON.stringify({ ...body, futureReview: true })));
    const patched = structuredClone(odd);
    applyPatch(patched, patchOf(response) as Operation[]);
    expect(JSON.stringify(patched)).toContain('"futureField":{"a":[1,2]}');
    expect((patched.spec as { newThing: number }).newThing).toBe(7);
  });

  test("of a dry run is answered alike, and nobody is told", async () => {
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "dry", uid: "dry-uid", controller: true };
    const dry = pod({ metadata: { ownerReferences: [owner] } });
    expect(responseOf(await ask(review(dry, { dryRun: true }))).patch).toBeDefined();
    responseOf(await ask(review(dry)));
    const said = () =>
      cluster.api.under("/api/v1/namespaces/shop/events").filter(({ metadata }) => metadata.name.startsWith("dry."));
    await until(() => said().length === 1);
    await Bun.sleep(100);
    expect(said()).toHaveLength(1);
    expect(said()[0]).toMatchObject({ reason: "Injected", involvedObject: { uid: "dry-uid", namespace: "shop" } });
  });

  test("of the same workload is told its owner once", async () => {
    for (let i = 0; i < 5; i++) responseOf(await ask(review(pod())));
    await Bun.sleep(100);
    const said = cluster.api
      .under("/api/v1/namespaces/shop/events")
      .filter(({ metadata }) => metadata.name.startsWith("web-7c9f5."));
    expect(said.filter(({ reason }) => reason === "Injected")).toHaveLength(1);
  });

  test("with a wrong annotation is refused, with every fault", async () => {
    const annotations = { "outrigger.dev/inbuond": "off", "outrigger.dev/lifecycle": "sometimes" };
    const response = responseOf(await ask(review(pod({ metadata: { annotations } }))));
    expect(response.allowed).toBe(false);
    expect(response.patch).toBeUndefined();
    expect(response.status).toMatchObject({ code: 422, reason: "Invalid" });
    expect(response.status!.message).toContain(
      "outrigger.dev/inbuond: there is no such annotation; did you mean outrigger.dev/inbound?",
    );
    expect(response.status!.message).toContain(
      'outrigger.dev/lifecycle: "sometimes" is not known; allowed are native or plain',
    );
  });

  test("of a pod on the node's network is admitted as it is, and its user is told", async () => {
    const response = responseOf(
      await ask(review(pod({ spec: { containers: [{ name: "a", image: "a" }], hostNetwork: true } }))),
    );
    expect(response).toMatchObject({ allowed: true });
    expect(response.patch).toBeUndefined();
    expect(response.warnings?.[0]).toContain("outrigger: the pod gets no sidecar: it uses the node's network");
  });

  test("of a pod that opted out is admitted in silence", async () => {
    const labels = { "outrigger.dev/inject": "false" };
    const response = responseOf(await ask(review(pod({ metadata: { labels } }))));
    expect(response).toEqual({ uid: response.uid, allowed: true });
  });

  test("of a namespace that did not ask is admitted in silence; one that was labelled a moment ago is injected", async () => {
    cluster.api.put("/api/v1/namespaces/late", {});
    const late = pod({ metadata: { namespace: "late" } });
    const ask2 = async () => responseOf(await ask(review(late, { namespace: "late" })));
    expect((await ask2()).patch).toBeUndefined();
    cluster.api.put("/api/v1/namespaces/late", { metadata: { labels: { "outrigger.dev/inject": "enabled" } } });
    expect((await ask2()).patch).toBeDefined();
  });

  test("of something else than a new pod is admitted as it is", async () => {
    const before = await total("ignored", "not_a_new_pod");
    const others = [
      { operation: "UPDATE" },
      { operation: "DELETE", object: null },
      { subResource: "ephemeralcontainers" },
      { resource: { group: "apps", version: "v1", resource: "deployments" } },
    ];
    for (const one of others) {
      const response = responseOf(await ask(review(pod(), one)));
      expect(response).toEqual({ uid: response.uid, allowed: true });
    }
    expect(await total("ignored", "not_a_new_pod")).toBe(before + others.length);
  });

  test("of 3 MiB, its predecessor beside it, is injected", async () => {
    const annotations = { "example.com/big": "x".repeat(3 * 1024 * 1024) };
    const big = pod({ metadata: { annotations } });
    const response = responseOf(await ask(review(big, { oldObject: big })));
    expect(response.patch).toBeDefined();
    expect(response.patch!.length).toBeLessThan(20_000);
  });

  test("of more than 8 MiB is refused with 413, whether its length is declared or not", async () => {
    const body = review(pod({ metadata: { annotations: { a: "x".repeat(9 * 1024 * 1024) } } }));
    const chunked = { "transfer-encoding": "chunked" };
    for (const headers of [{ "content-length": String(Buffer.byteLength(body)) }, chunked]) {
      const { status, text } = await ask(body, { headers });
      expect([status, text]).toEqual([413, '{"error":"the body has more than 8388608 bytes"}\n']);
    }
    expect(await total("turned_away", "too_large")).toBe(2);
  });

  test("of v1beta1 is refused with words", async () => {
    const { status, text } = await ask(review(pod(), {}, "admission.k8s.io/v1beta1"));
    expect(status).toBe(400);
    expect(text).toContain(
      'apiVersion \\"admission.k8s.io/v1beta1\\" is not spoken; this webhook speaks admission.k8s.io/v1',
    );
  });

  test("that is none is refused with words", async () => {
    const cases: [string, Partial<Sending>, number, string][] = [
      ["{", {}, 400, "the body is not JSON"],
      ["", {}, 400, "the body is not JSON"],
      ["[1]", {}, 400, "the body is not an AdmissionReview"],
      ['{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', {}, 400, "request.uid is missing"],
      [review(null), {}, 400, "request.object is missing"],
      [review(pod()), { type: "text/plain" }, 415, "content-type is text/plain; send application/json"],
      [review(pod()), { type: "" }, 415, "content-type is missing"],
      [review(pod()), { headers: { "content-encoding": "gzip" } }, 415, "content-encoding gzip is not read"],
      [review(pod()), { method: "PUT" }, 405, "use POST, not PUT"],
      [review(pod()), { path: "/mutate" }, 404, "nothing is at /mutate; reviews are posted to /inject"],
    ];
    for (const [body, more, status, words] of cases) {
      const sent = await ask(body, more);
      expect([sent.status, sent.text]).toEqual([status, expect.stringContaining(words)]);
    }
    expect((await ask("", { method: "GET" })).headers.allow).toBe("POST");
  });

  test("with a charset in its type, and an object that is no pod, are taken", async () => {
    expect(responseOf(await ask(review(pod()), { type: "application/json; charset=utf-8" })).patch).toBeDefined();
    const response = responseOf(await ask(review({ spec: { containers: "none" } })));
    expect(response).toMatchObject({ allowed: false });
    expect(response.status!.message).toContain("spec.containers: there is no container; give a pod");
  });

  test("of which there are 200 at once are all answered", async () => {
    const body = review(pod());
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(body)));
    expect(answers.map((one) => responseOf(one).patch !== undefined)).toEqual(new Array(200).fill(true));
  });

  test.skipIf(curl === undefined)(
    "can be asked by curl, which checks the certificate against the caBundle",
    async () => {
      const file = (name: string, text: string) => {
        writeFileSync(join(cluster.folder, name), text);
        return join(cluster.folder, name);
      };
      const ask3 = (ca: string, name: string) =>
        run(curl!, [
          "-sS",
          "--fail-with-body",
          "--cacert",
          file("ca.pem", ca),
          "--resolve",
          `${name}:${webhook.port}:127.0.0.1`,
          "-H",
          "Content-Type: application/json",
          "--data-binary",
          `@${file("review.json", review(pod()))}`,
          `https://${name}:${webhook.port}/inject`,
        ]);
      expect(JSON.parse((await ask3(cluster.caBundle, serviceName)).out).response.allowed).toBe(true);
      const wrongName = await ask3(cluster.caBundle, "other.outrigger-system.svc");
      expect([wrongName.code, wrongName.err]).toEqual([
        60,
        expect.stringContaining("no alternative certificate subject name matches"),
      ]);
      const wrongCa = await ask3(readFileSync(join(cluster.account, "ca.crt"), "utf8"), serviceName);
      expect(wrongCa.code).toBe(60);
      const isCounted = async () =>
        (await metric(healthUrl(webhook), 'outrigger_webhook_connections_failed_total{reason="tls_failed"}')) >= 1;
      await until(isCounted, { what: "the failed handshake was counted" });
    },
  );
});

describe.skipIf(!canMakeCertificates)("a fault of ours", () => {
  const broken: typeof inject = () => {
    throw new Error("broken on purpose");
  };
  for (const onError of ["allow", "refuse"] as const) {
    test(`${onError}s the pod, says so, and is counted`, async () => {
      const cluster = new FakeCluster();
      try {
        const webhook = await cluster.started({ onError }, { inject: broken });
        const response = responseOf(await send(review(pod()), { port: webhook.port, ca: cluster.caBundle }));
        expect(response.allowed).toBe(onError === "allow");
        const words = onError === "allow" ? response.warnings![0] : response.status!.message;
        expect(words).toContain("a fault of outrigger's webhook kept it from injecting the sidecar");
        expect(await metric(healthUrl(webhook), 'outrigger_webhook_requests_total{outcome="error",reason="-"}')).toBe(
          1,
        );
      } finally {
        await cluster.remove();
      }
    });
  }
});
