/** The roles of `deploy/` beside the calls that the webhook makes: each is allowed, and nothing else is. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rights } from "../../src/injector/rights.ts";
import { canMakeCertificates } from "../kit/certificates.ts";
import { allowedTo, allowing, found, installObjects } from "../kit/deployment.ts";
import { until } from "../kit/until.ts";
import {
  configurationPath,
  FakeCluster,
  healthUrl,
  metric,
  pod,
  review,
  secretPath,
  send,
} from "../kit/webhook-run.ts";

const install = installObjects();
const allowed = allowedTo("outrigger-webhook", "outrigger-system", install);

test("the account may do what the list in code says", () => {
  const listed = rights.flatMap(({ group, resource, verbs, name, scope }) =>
    verbs.map((verb) => ({ group, resource, verb, name, namespace: scope === "own" ? "outrigger-system" : undefined })),
  );
  const sorted = (all: object[]) => all.map((one) => JSON.stringify(one)).sort();
  expect(sorted(allowed)).toEqual(sorted(listed));
});

test("a call that no role allows is seen as such", () => {
  const denied = [
    ["get", "/api/v1/namespaces/shop/secrets/outrigger-webhook-certificate"],
    ["get", "/api/v1/namespaces/outrigger-system/secrets/other"],
    ["list", "/api/v1/namespaces/outrigger-system/secrets"],
    ["delete", "/api/v1/namespaces/shop/pods/a"],
    ["patch", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/other"],
    ["list", "/apis/apps/v1/deployments"],
  ] as const;
  for (const [verb, path] of denied) expect(allowing(verb, path, allowed)).toBeUndefined();
  expect(allowing("list", "/api/v1/namespaces", allowed)).toBeDefined();
  expect(allowing("get", "/api/v1/namespaces/shop", allowed)).toBeDefined();
});

test("docs/webhook.md says the same", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/webhook.md"), "utf8");
  const rows = /\| rights \| on .*\n\|.*\n((?:\|.*\n)+)/.exec(page)![1]!.trim().split("\n");
  const told = rows.map((row) => {
    const [verbs, on] = row
      .split("|")
      .slice(1)
      .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word));
    return `${verbs!.join(",")} ${on![0]}`;
  });
  expect(told.sort()).toEqual(rights.map(({ verbs, resource }) => `${verbs.join(",")} ${resource}`).sort());
});

describe.skipIf(!canMakeCertificates)("the webhook at work", () => {
  test("does nothing it may not, and all it may", async () => {
    const cluster = new FakeCluster();
    try {
      const { api } = cluster;
      api.put(secretPath, found(install, "Secret outrigger-system/outrigger-webhook-certificate"));
      api.put(configurationPath, found(install, "MutatingWebhookConfiguration outrigger"));
      api.put("/api/v1/nodes/a", { status: { nodeInfo: { kubeletVersion: "v1.36.2" } }, spec: {} });
      const { metadata, ...others } = pod() as { metadata: object };
      api.put("/api/v1/namespaces/shop/pods/missed", {
        ...others,
        metadata: { ...metadata, namespace: "shop", name: "missed" },
      });
      const webhook = await cluster.started({ detectEveryMs: 100 });
      await send(review(pod(), { namespace: "elsewhere" }), { port: webhook.port, ca: cluster.caBundle });
      await send(review(pod()), { port: webhook.port, ca: cluster.caBundle });
      const used = () => api.calls.map(({ verb, path }) => ({ verb, path, by: allowing(verb, path, allowed) }));
      await until(() => allowed.every((one) => used().some(({ by }) => by === one)), {
        what: `every right is used: ${JSON.stringify(allowed.filter((one) => !used().some(({ by }) => by === one)))}`,
      });
      expect(used().filter(({ by }) => by === undefined)).toEqual([]);
      expect(await metric(healthUrl(webhook), 'outrigger_webhook_missed_pods{namespace="shop"}')).toBe(1);
    } finally {
      await cluster.remove();
    }
  });
});
