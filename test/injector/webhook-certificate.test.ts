/** The certificate that the webhook keeps itself: made, shared by replicas, renewed and replaced while reviews come in. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { certificatesIn, type Lifetimes, usualLifetimes } from "../../src/injector/certificate-material.ts";
import type { Webhook } from "../../src/injector/webhook.ts";
import { canMakeCertificates } from "../kit/certificates.ts";
import { program, run } from "../kit/commands.ts";
import { until } from "../kit/until.ts";
import { node, ReviewLoad } from "../kit/webhook-process.ts";
import {
  configurationPath,
  FakeCluster,
  healthUrl,
  metric,
  pod,
  ready,
  responseOf,
  review,
  secretPath,
  send,
  serviceName,
} from "../kit/webhook-run.ts";

const dayMs = 86_400_000;
const openssl = program("openssl", "apt-get install openssl");

describe.skipIf(!canMakeCertificates)("a certificate of its own", () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster();
  });
  afterEach(() => cluster.remove());

  const secret = (field: string): string => {
    const data = cluster.api.object(secretPath)?.data as Record<string, string> | undefined;
    return Buffer.from(data?.[field] ?? "", "base64").toString();
  };
  const asks = async ({ port }: Webhook, ca = cluster.caBundle): Promise<boolean> =>
    responseOf(await send(review(pod()), { port, ca })).allowed;

  test("is on P-256, 90 days of an authority of 10 years, for the Service's names, kept in the Secret", async () => {
    const webhook = await cluster.started({ certificate: { names: ["outrigger-webhook", "hook.example"] } });
    const leaf = new X509Certificate(secret("tls.crt"));
    const authority = new X509Certificate(secret("ca.crt"));
    const names = [serviceName, "outrigger-webhook.outrigger-system", `${serviceName}.cluster.local`, "hook.example"];
    expect(leaf.subjectAltName).toBe(names.map((name) => `DNS:${name}`).join(", "));
    expect(leaf.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: "prime256v1" });
    expect(authority.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: "prime256v1" });
    expect([leaf.ca, authority.ca]).toEqual([false, true]);
    const days = ({ validTo }: X509Certificate) => (Date.parse(validTo) - Date.now()) / dayMs;
    expect(days(leaf)).toBeWithin(89.9, 90.1);
    expect(days(authority)).toBeWithin(3651, 3653);
    expect(cluster.caBundle).toBe(secret("ca.crt"));
    const webhooks = cluster.api.object(configurationPath)!.webhooks as { clientConfig: { caBundle: string } }[];
    expect(webhooks[1]!.clientConfig.caBundle).toBe(webhooks[0]!.clientConfig.caBundle);
    expect(await asks(webhook)).toBe(true);
    const expiry = await metric(healthUrl(webhook), "outrigger_webhook_certificate_expiry_timestamp_seconds");
    expect(expiry).toBe(Date.parse(leaf.validTo) / 1000);
  });

  test.skipIf(openssl === undefined)("is one that OpenSSL takes without a complaint", async () => {
    await cluster.started();
    for (const name of ["ca.crt", "tls.crt"]) await Bun.write(`${cluster.folder}/${name}`, secret(name));
    const checks = ["-x509_strict", "-purpose", "sslserver", "-verify_hostname", serviceName];
    const verified = await run(openssl!, [
      "verify",
      ...checks,
      "-CAfile",
      `${cluster.folder}/ca.crt`,
      `${cluster.folder}/tls.crt`,
    ]);
    expect([verified.code, verified.err]).toEqual([0, ""]);
  });

  test("leaves what else is in the Secret, and makes the Secret where there is none", async () => {
    cluster.api.put(secretPath, { type: "Opaque", data: { other: "eA==" }, metadata: { labels: { a: "b" } } });
    await cluster.started();
    expect(cluster.api.object(secretPath)).toMatchObject({ data: { other: "eA==" }, metadata: { labels: { a: "b" } } });
    cluster.api.remove(secretPath);
    await cluster.started();
    expect(secret("tls.crt")).toContain("BEGIN CERTIFICATE");
  });

  test("is taken as it is by a replica that comes later, and by one that was restarted", async () => {
    await cluster.started();
    const before = secret("tls.crt");
    const [second, third] = await Promise.all([cluster.started(), cluster.started()]);
    expect(secret("tls.crt")).toBe(before);
    expect(cluster.api.count("update", "secrets")).toBe(1);
    expect([await asks(second), await asks(third)]).toEqual([true, true]);
  });

  test("is made once by replicas that start together: who comes late reads what the first one made", async () => {
    const replicas = Array.from({ length: 5 }, () => cluster.start());
    await Promise.all(replicas.map(ready));
    expect(cluster.api.count("update", "secrets")).toBeGreaterThan(1); // they raced, and all but one got 409
    expect(certificatesIn(cluster.caBundle)).toHaveLength(1);
    for (const replica of replicas) expect(await asks(replica)).toBe(true);
    expect(cluster.caBundle).toBe(secret("ca.crt"));
  });

  test("is patched into the configuration although somebody else changes it in between", async () => {
    let changes = 0;
    cluster.api.before = ({ verb, kind }) => {
      if (verb !== "patch" || kind !== "mutatingwebhookconfigurations" || changes++ >= 2) return;
      const { metadata, ...rest } = cluster.api.object(configurationPath)!;
      cluster.api.put(configurationPath, { ...rest, metadata: { labels: { touched: String(changes) } } });
    };
    const webhook = await cluster.started();
    expect(await asks(webhook)).toBe(true);
    const patches = (result: string) =>
      metric(healthUrl(webhook), `outrigger_webhook_ca_bundle_patches_total{result="${result}"}`);
    expect([await patches("conflict"), await patches("patched")]).toEqual([2, 1]);
    expect(cluster.api.object(configurationPath)!.metadata.labels).toEqual({ touched: "2" });
  });

  test("is patched in again when somebody applies the manifest without it", async () => {
    const webhook = await cluster.started({ certificate: { everyMs: 50 } });
    const { webhooks } = cluster.api.object(configurationPath)!;
    for (const one of webhooks as { clientConfig: { caBundle?: string } }[]) delete one.clientConfig.caBundle;
    expect(cluster.caBundle).toBe("");
    await until(() => cluster.caBundle !== "");
    expect(await asks(webhook)).toBe(true);
  });

  test("waits for a cluster that is not there yet, and says why it is not ready", async () => {
    cluster.api.failing = 503;
    const webhook = cluster.start();
    await until(() => webhook.readyReasons().some((reason) => reason.includes("503")));
    expect((await fetch(`${healthUrl(webhook)}/ready`)).status).toBe(503);
    expect((await fetch(`${healthUrl(webhook)}/live`)).status).toBe(200);
    cluster.api.failing = undefined;
    await ready(webhook);
    expect(await asks(webhook)).toBe(true);
  });

  test("without the rights it says which, and without the configuration what to create", async () => {
    cluster.api.forbidden.add("update secrets");
    const webhook = cluster.start();
    await until(() => webhook.readyReasons().some((reason) => reason.includes("403")));
    expect(webhook.readyReasons()[0]).toContain("give the service account the rights of docs/webhook.md");
    cluster.api.forbidden.clear();
    await ready(webhook);
    cluster.api.remove(configurationPath);
    const other = cluster.start();
    await until(() => other.readyReasons().some((reason) => reason.includes("404")));
    expect(other.readyReasons()[0]).toContain("create the webhook configuration");
  });

  test("is kept with a token that the kubelet has renewed", async () => {
    const webhook = await cluster.started({ certificate: { everyMs: 50 } });
    cluster.setToken("token-2");
    cluster.api.remove(secretPath);
    await until(() => secret("tls.crt") !== "");
    expect(await asks(webhook)).toBe(true);
  });

  test("gives way, an authority later: both are trusted, then only the new one", async () => {
    const lifetimes: Lifetimes = { ...usualLifetimes, overlapMs: 1500 };
    const webhook = await cluster.started({ certificate: { lifetimes, everyMs: 100, settleMs: 300 } });
    const old = cluster.caBundle;
    cluster.api.remove(secretPath);
    await until(() => certificatesIn(cluster.caBundle).length === 2);
    expect(await asks(webhook)).toBe(true);
    expect(await asks(webhook, old)).toBe(true); // served still: the API servers may not have heard of the new one
    const isSwapped = () => asks(webhook, secret("ca.crt")).catch(() => false);
    await until(isSwapped, { what: "the new authority's certificate" });
    await until(() => certificatesIn(cluster.caBundle).length === 1, { what: "the old authority is forgotten" });
    expect(cluster.caBundle).toBe(secret("ca.crt"));
    expect(cluster.caBundle).not.toBe(old);
  });

  test.skipIf(node === undefined)(
    "is renewed and replaced under load, in two replicas: no call is lost",
    async () => {
      // A leaf lives for a second or two, an authority for five: what takes years happens several times.
      const lifetimes: Lifetimes = {
        authorityMs: 100 * dayMs,
        authorityLeftMs: 100 * dayMs - 5000,
        leafMs: 90 * dayMs,
        renewLeafMs: 2000,
        overlapMs: 4000,
      };
      const certificate = { lifetimes, everyMs: 300, settleMs: 1000 };
      const replicas = await Promise.all([cluster.started({ certificate }), cluster.started({ certificate })]);
      const load = new ReviewLoad(cluster, 8);
      const seen = new Set<string>();
      const authorities = new Set<string>();
      const tell = () => {
        const ca = cluster.caBundle;
        for (const one of certificatesIn(ca)) authorities.add(one);
        if (!seen.has(ca)) load.tell({ ca, ports: replicas.map(({ port }) => port) });
        seen.add(ca);
      };
      const endsAt = performance.now() + 14_000;
      while (performance.now() < endsAt) {
        tell();
        await Bun.sleep(200); // an API server hears of a change a little later
      }
      const { ok, failures, serials } = await load.end();
      expect(failures).toEqual([]);
      expect(ok).toBeGreaterThan(50);
      expect(authorities.size).toBeGreaterThan(1);
      expect(serials.length).toBeGreaterThan(2);
    },
    60_000,
  );
});
