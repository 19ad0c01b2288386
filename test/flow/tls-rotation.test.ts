/** Certificates replaced while a real sidecar serves: nobody notices, and what is half-written is not taken. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, canMakeCertificates, type Issued } from "../kit/certificates.ts";
import { Flow } from "../kit/flow.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { tlsOf } from "../kit/tls-flow.ts";
import { until } from "../kit/until.ts";
import { Wire } from "../kit/wire.ts";

setDefaultTimeout(120_000);

const given = describe.skipIf(!canMakeCertificates);
let authority: Authority;
const issued: Issued[] = [];
beforeAll(() => {
  if (!canMakeCertificates) return;
  authority = new Authority();
  for (let i = 0; i < 4; i++) issued.push(authority.issue({ subject: `/CN=v${i}`, names: "DNS:a.test" }));
});
afterAll(() => authority?.remove());

function connect(port: number): Promise<Wire> {
  return Wire.connectTls(port, { ca: authority.pem, serverName: "a.test" });
}

async function subjectAt(port: number): Promise<string> {
  const wire = await connect(port);
  const { peer } = wire.tls;
  wire.close();
  return peer;
}

/** Asks over new connections, as many at once as `width`, until it is told to stop; gives back what went wrong. */
function load(port: number, width: number): () => Promise<{ asked: number; failures: string[] }> {
  let [asked, stopped] = [0, false];
  const failures: string[] = [];
  const one = async () => {
    while (!stopped) {
      asked++;
      try {
        const wire = await connect(port);
        await wire.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        const answer = await wire.rest();
        if (!answer.startsWith("HTTP/1.1 200")) failures.push(answer.slice(0, 80));
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const all = Array.from({ length: width }, one);
  return async () => {
    stopped = true;
    await Promise.all(all);
    return { asked, failures };
  };
}

given("certificates of an engine", () => {
  test("are replaced 200 times under load without a failed handshake or a lost connection", async () => {
    const respond = { status: 200, headers: [], body: { text: "hi" } };
    const wish = (version: number) => ({ arrival: tlsOf([issued[version % 4]!]), routes: [{ respond }] });
    const flow = await Flow.start([wish(0)]);
    const kept = await connect(flow.port());
    const stop = load(flow.port(), 8);
    const before = process.memoryUsage.rss();
    for (let version = 1; version <= 200; version++) {
      await flow.reload([wish(version)]);
      await Bun.sleep(5);
    }
    const { asked, failures } = await stop();
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    await kept.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    expect(await kept.through("hi")).toContain("200 OK");
    expect(kept.tls.peer).toBe("CN=v0");
    expect(await subjectAt(flow.port())).toBe("CN=v0"); // 200 is a multiple of 4
    expect(flow.named("connection_refused")).toEqual([]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    kept.close();
    flow.stop();
  });
});

given("the certificate files of a sidecar", () => {
  let pod: Pod;
  beforeEach(() => {
    pod = new Pod();
  });
  afterEach(() => pod.remove());

  const config = (folder: string) => `inbound:
  - name: web
    listen: 127.0.0.1:0
    tls: { certificates: [{ cert: ${folder}/tls.crt, key: ${folder}/tls.key }] }
    routes: [{ respond: { body: hi } }]`;

  function put(folder: string, { cert, key }: Issued): void {
    mkdirSync(folder, { recursive: true });
    copyFileSync(cert, join(folder, "tls.crt"));
    copyFileSync(key, join(folder, "tls.key"));
  }

  function portOf(sidecar: SidecarProcess): number {
    return Number(sidecar.address("web").split(":").at(-1));
  }

  async function shows(sidecar: SidecarProcess, subject: string): Promise<void> {
    await until(async () => (await subjectAt(portOf(sidecar))) === subject, { what: `the certificate ${subject}` });
  }

  test("are taken over when they change, and kept while they do not fit together", async () => {
    const folder = join(pod.folder, "certs");
    put(folder, issued[0]!);
    const sidecar = await pod.start(config(folder));
    const stop = load(portOf(sidecar), 2);
    await shows(sidecar, "CN=v0");
    put(folder, issued[1]!);
    await shows(sidecar, "CN=v1");

    writeFileSync(join(folder, "tls.crt"), issued[2]!.pem.cert.slice(0, 200));
    const cut = await sidecar.event("config_rejected");
    expect(cut.message).toContain("tls.crt holds a certificate that is cut off");
    copyFileSync(issued[2]!.cert, join(folder, "tls.crt"));
    const mismatch = await sidecar.event("config_rejected", { after: 1 });
    expect(mismatch.message).toContain("tls.key is not the key of the certificate in");
    await shows(sidecar, "CN=v1");
    copyFileSync(issued[2]!.key, join(folder, "tls.key"));
    await shows(sidecar, "CN=v2");
    const { asked, failures } = await stop();
    expect({ failures, many: asked > 20 }).toEqual({ failures: [], many: true });
    const expiry = await sidecar.metric(`outrigger_certificate_expiry_timestamp_seconds{file="${folder}/tls.crt"}`);
    expect(expiry).toBeGreaterThan(Date.now() / 1000);
  });

  test("are taken over when the ..data symlink of their Secret is swapped", async () => {
    const mount = join(pod.folder, "secret");
    const swap = (version: number) => {
      put(join(mount, `..v${version}`), issued[version]!);
      symlinkSync(`..v${version}`, join(mount, "..next"));
      renameSync(join(mount, "..next"), join(mount, "..data"));
      rmSync(join(mount, `..v${version - 1}`), { recursive: true, force: true });
    };
    swap(0);
    for (const file of ["tls.crt", "tls.key"]) symlinkSync(`..data/${file}`, join(mount, file));
    const sidecar = await pod.start(config(mount));
    const stop = load(portOf(sidecar), 2);
    for (let version = 1; version < 4; version++) {
      swap(version);
      await shows(sidecar, `CN=v${version}`);
    }
    expect((await stop()).failures).toEqual([]);
    expect(sidecar.count("config_rejected")).toBe(0);
    expect(sidecar.count("listener_bound")).toBe(1);
  });

  test("that have expired are said to be", async () => {
    const folder = join(pod.folder, "certs");
    put(folder, authority.issue({ names: "DNS:a.test", days: -1 }));
    const sidecar = await pod.start(config(folder));
    expect((await sidecar.event("certificate_expired")).message).toContain(
      `the certificate ${folder}/tls.crt expired on`,
    );
  });
});
