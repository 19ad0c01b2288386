/** The command `outrigger webhook`: its signals under load, its flags, certificates in files. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Authority, canMakeCertificates } from "../kit/certificates.ts";
import { until } from "../kit/until.ts";
import { node, ReviewLoad, WebhookProcess } from "../kit/webhook-process.ts";
import { FakeCluster, metric, pod, responseOf, review, send, serviceName } from "../kit/webhook-run.ts";

describe.skipIf(!canMakeCertificates)("outrigger webhook", () => {
  let cluster: FakeCluster;
  const processes: WebhookProcess[] = [];
  const started = async (...more: string[]): Promise<WebhookProcess> => {
    const one = await WebhookProcess.inCluster(cluster, ...more);
    processes.push(one);
    return one;
  };
  beforeEach(() => {
    cluster = new FakeCluster();
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((one) => one.kill()));
    await cluster.remove();
  });

  test.skipIf(node === undefined)(
    "ended by SIGTERM under load, and replaced: no call is lost",
    async () => {
      const replicas = [await started("--grace", "6s"), await started("--grace", "6s")];
      const load = new ReviewLoad(cluster, 8);
      /** Endpoints follow readiness, somewhat later. */
      const readyPorts = async () => {
        const verdicts = await Promise.all(replicas.map(async (one) => ((await one.isReady()) ? one.port : 0)));
        return verdicts.filter((port) => port > 0);
      };
      const go = async (ms: number) => {
        for (const endsAt = performance.now() + ms; performance.now() < endsAt; await Bun.sleep(100))
          load.tell({ ca: cluster.caBundle, ports: await readyPorts() });
      };
      await go(1500);
      for (const leaving of [...replicas]) {
        replicas.push(await started("--grace", "6s"));
        await go(500);
        leaving.signal("SIGTERM");
        await until(async () => !(await leaving.isReady()), { what: "not ready any more" });
        await go(3000);
        expect(await leaving.exited).toBe(0);
        replicas.splice(replicas.indexOf(leaving), 1);
      }
      const { ok, failures } = await load.end();
      expect(failures).toEqual([]);
      expect(ok).toBeGreaterThan(50);
    },
    90_000,
  );

  test("answers what is under way when it is told to stop, and stops when that is done", async () => {
    const webhook = await started("--grace", "4s");
    const { port } = webhook;
    const ca = cluster.caBundle;
    webhook.signal("SIGTERM");
    await webhook.event("announcing");
    const answer = await send(review(pod()), { port, ca });
    expect(responseOf(answer).allowed).toBe(true);
    expect(answer.headers.connection).toBe("close");
    expect(await webhook.exited).toBe(0);
    expect(webhook.lines.at(-1)?.event).toBe("stopped");
    expect(webhook.complaints).toEqual([]);
  });

  test("stops at once when it is told twice", async () => {
    const webhook = await started("--grace", "30s");
    const startedAt = performance.now();
    webhook.signal("SIGTERM");
    await webhook.event("announcing");
    webhook.signal("SIGTERM");
    expect(await webhook.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });

  test("with a provided certificate reads it again when it changes, and leaves the caBundle alone", async () => {
    const authority = new Authority("provider");
    try {
      const place = (name: string) => join(cluster.folder, name);
      const provide = () => {
        const { cert, key } = authority.issue({ names: `DNS:${serviceName}` });
        for (const [from, to] of [
          [cert, "tls.crt"],
          [key, "tls.key"],
        ] as const) {
          copyFileSync(from, place(`${to}.new`));
          renameSync(place(`${to}.new`), place(to));
        }
      };
      provide();
      const files = ["--cert-file", place("tls.crt"), "--key-file", place("tls.key")];
      const webhook = await started("--certificate", "provided", ...files);
      const asks = async () => responseOf(await send(review(pod()), { port: webhook.port, ca: authority.pem })).allowed;
      expect(await asks()).toBe(true);
      const before = String((await webhook.event("webhook_certificate_serving")).serial);
      provide();
      const after = String((await webhook.event("webhook_certificate_serving", 1)).serial);
      expect(after).not.toBe(before);
      expect(await asks()).toBe(true);
      expect([cluster.caBundle, cluster.api.count("get", "secrets")]).toEqual(["", 0]);
    } finally {
      authority.remove();
    }
  });

  test("of cert-manager, whose files are not there yet, waits for them", async () => {
    const authority = new Authority("cert-manager");
    try {
      const file = (name: string) => join(cluster.folder, name);
      const files = ["--cert-file", file("tls.crt"), "--key-file", file("tls.key")];
      const own = ["--port", "127.0.0.1:0", "--health", "127.0.0.1:0", "--certificate", "cert-manager"];
      const webhook = new WebhookProcess([...own, ...files]);
      processes.push(webhook);
      await webhook.event("webhook_certificate_trouble");
      expect(await webhook.isReady()).toBe(false);
      const { cert, key } = authority.issue({ names: `DNS:${serviceName}` });
      copyFileSync(key, file("tls.key"));
      copyFileSync(cert, file("tls.crt"));
      await webhook.event("webhook_ready");
      // Outside a cluster, nothing is known of namespaces: who calls has decided.
      expect(responseOf(await send(review(pod()), { port: webhook.port, ca: authority.pem })).patch).toBeDefined();
      expect(await metric(webhook.healthUrl, "outrigger_webhook_certificate_expiry_timestamp_seconds")).toBeGreaterThan(
        1,
      );
    } finally {
      authority.remove();
    }
  });

  test("says every mistake of its command line at once", async () => {
    const webhook = new WebhookProcess([
      ...["--port", "99999", "--certificate", "magic", "--lifecycle", "sometimes", "--detect", "often"],
      ...["--default", "cpu-limit", "nope=1", "inbound=everywhere"],
    ]);
    expect(await webhook.exited).toBe(2);
    expect(webhook.complaints).toEqual([
      '--port: "99999" is not a port number; write a number from 1 to 65535',
      '--certificate: "magic" is not known; write self or cert-manager or provided',
      "--default cpu-limit: there is no =; write NAME=VALUE, such as cpu-limit=500m",
      "--default nope=1: there is no annotation outrigger.dev/nope; see docs/reference/annotations.md",
      expect.stringContaining('--default outrigger.dev/inbound: "everywhere" is not known'),
      '--lifecycle: "sometimes" is not known; write auto or native or plain',
      expect.stringContaining("--detect:"),
    ]);
  });

  test("outside a cluster says what it would need", async () => {
    const webhook = new WebhookProcess(["--port", "127.0.0.1:0", "--health", "127.0.0.1:0"]);
    expect(await webhook.exited).toBe(2);
    expect(webhook.complaints[0]).toContain("there is no cluster here (KUBERNETES_SERVICE_HOST is not set)");
    const files = new WebhookProcess(["--port", "127.0.0.1:0", "--health", "127.0.0.1:0", "--certificate", "provided"]);
    expect(await files.exited).toBe(1);
    expect(files.complaints[0]).toContain("/etc/outrigger/certificate/tls.crt cannot be read (ENOENT)");
    const taken = await started();
    const port = String(taken.port);
    const place = ["--api-server", cluster.api.url, "--service-account", cluster.account, "--health", "127.0.0.1:0"];
    const second = new WebhookProcess(["--port", `127.0.0.1:${port}`, ...place]);
    expect(await second.exited).toBe(3);
    expect(second.complaints[0]).toContain("the port is taken by another process");
  });
});
