/** Every sample: its pods are sound, its configuration passes `check`, and it does on this machine what its page says. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { main } from "../src/main.ts";
import { DevRun, freePort } from "./kit/dev-run.ts";

const root = join(import.meta.dirname, "..");
const samples = join(root, "samples");

interface Container {
  name: string;
  args?: string[];
  restartPolicy?: string;
  env?: { name: string; value: string }[];
  ports?: { name: string; containerPort: number }[];
  securityContext: Record<string, unknown> & { capabilities: { drop?: string[]; add?: string[] } };
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  lifecycle?: unknown;
  startupProbe?: unknown;
}

interface Pod {
  metadata: { name: string };
  spec: {
    securityContext: unknown;
    initContainers?: Container[];
    containers: Container[];
    volumes: { name: string; emptyDir?: unknown; configMap?: { name: string } }[];
  };
}

interface ConfigMap {
  metadata: { name: string };
  data: Record<string, string>;
}

function readPod(sample: string, file: string) {
  const [map, pod] = parseAllDocuments(readFileSync(join(samples, sample, file), "utf8")).map((d) => d.toJS());
  return { map: map as ConfigMap, pod: pod as Pod };
}

function environmentOf(container: Container): Record<string, string> {
  return Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
}

/** The tutorial's names: the pod, its app, its sidecar. */
const names = {
  "collect-logs": ["webserver", "nginx", "sidecar-container"],
  "forward-requests": ["webserver", "input-server", "input-sidecar"],
  "intercept-requests": ["output", "output-workload", "sidecar-output"],
  "mend-permissions": ["mended", "app", "sidecar-container"],
  "all-in-one": ["all-in-one", "app", "sidecar"],
} as const;
const sampleNames = Object.keys(names) as (keyof typeof names)[];

describe.each(sampleNames)("samples/%s", (sample) => {
  const [podName, appName, sidecarName] = names[sample];
  const config = readFileSync(join(samples, sample, "outrigger.yaml"), "utf8");

  describe.each(["pod.yaml", "pod-plain.yaml"])("%s", (file) => {
    const { map, pod } = readPod(sample, file);
    const inits = pod.spec.initContainers ?? [];
    const all = [...inits, ...pod.spec.containers];
    const sidecar = all.find(({ name }) => name === sidecarName)!;

    test("has the tutorial's names, and the sidecar in its place", () => {
      expect(pod.metadata.name).toBe(podName);
      const isNative = file === "pod.yaml";
      expect(pod.spec.containers.map(({ name }) => name)).toEqual(isNative ? [appName] : [appName, sidecarName]);
      expect(inits.map(({ name }) => name).at(-1)).toBe(isNative ? sidecarName : inits.at(-1)?.name);
      expect(sidecar.restartPolicy).toBe(isNative ? "Always" : undefined);
    });

    test("carries the sample's configuration as it stands", () => {
      expect(map.data).toEqual({ "outrigger.yaml": config });
      const volume = pod.spec.volumes.find(({ configMap }) => configMap?.name === map.metadata.name);
      expect(sidecar.volumeMounts).toContainEqual({ name: volume!.name, mountPath: "/etc/outrigger", readOnly: true });
    });

    test("is restricted, but for the container that gives files away", () => {
      expect(pod.spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      for (const { name, securityContext } of all) {
        const common = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
        expect(securityContext).toMatchObject(common);
        expect(securityContext.capabilities.drop).toEqual(["ALL"]);
        const isMender = name === "mend-permissions";
        expect(securityContext.capabilities.add).toEqual(isMender ? ["CHOWN", "FOWNER"] : undefined);
        expect(securityContext.runAsUser === 0).toBe(isMender);
      }
      expect(sidecar.securityContext).toMatchObject({ runAsUser: 7411, runAsGroup: 7411 });
    });

    test("mounts only volumes it has, and everything it has", () => {
      const mounted = all.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
      expect([...new Set(mounted)].sort()).toEqual(pod.spec.volumes.map(({ name }) => name).sort());
    });

    test("asks the sidecar's health where it answers", () => {
      const probe = (path: string) => ({ httpGet: { path, port: "outrigger" } });
      expect(sidecar.ports).toContainEqual({ name: "outrigger", containerPort: 7411 });
      expect(sidecar).toMatchObject({
        args: ["run"],
        startupProbe: probe("/startup"),
        readinessProbe: probe("/ready"),
        livenessProbe: probe("/live"),
        lifecycle: { preStop: probe("/drain") },
      });
    });

    test("passes check with the pod's environment", async () => {
      let told = "";
      const tell = (text: string | Uint8Array) => {
        told += text;
      };
      const env = environmentOf(sidecar);
      const io = { env, clock: { now: () => 0, wall: () => 0 }, random: () => 0, colours: false, out: tell, err: tell };
      const code = await main(["check", "-c", join(samples, sample, "outrigger.yaml")], io);
      expect({ code, told }).toEqual({ code: 0, told });
    });
  });
});

describe("on this machine", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "outrigger-samples-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a sample beside its workload, on free ports and with short intervals instead of its own. */
  function run(sample: keyof typeof names, env: Record<string, string>, replaced: Record<string, string>): DevRun {
    const place = mkdtempSync(join(folder, `${sample}-`));
    let text = readFileSync(join(samples, sample, "outrigger.yaml"), "utf8");
    for (const [from, to] of Object.entries(replaced)) {
      expect(text).toContain(from);
      text = text.replaceAll(from, to);
    }
    const config = join(place, "outrigger.yaml");
    writeFileSync(config, `${text}\nhealth: 127.0.0.1:${freePort()}\n`);
    const app = [process.execPath, join(samples, sample, "workload.ts")];
    return new DevRun({ config, app, env: { OUTRIGGER_STATE_DIR: join(place, "state"), ...env } });
  }

  const akka =
    /app {6}\| HttpResponse\(200 OK,List\(.*Server: .*Date: \w{3}, .* GMT.*\),HttpEntity\.Strict\(text\/html; charset=UTF-8,31 bytes total\),HttpProtocol\(HTTP\/1\.1\)\)/;

  test("collect-logs prints the web server's lines and its pid", async () => {
    const logs = join(folder, "collect-logs");
    await using dev = run("collect-logs", { LOG_DIR: logs, INTERVAL: "50" }, {});
    await dev.shows(/sidecar {2}\| 127\.0\.0\.1 - - \[.*\] "GET \/ HTTP\/1\.1" 200 615 "-" "-"\n/);
    await dev.shows(/sidecar {2}\| \d{4}\/\d\d\/\d\d .* \[error\] .*No such file or directory\)\n/);
    await dev.shows(/sidecar {2}\| \d+\n/);
    expect(await dev.stop()).toBe(0);
  }, 30_000);

  test("forward-requests has the app receive requests, by the clock and from outside", async () => {
    const [app, inbound] = [freePort(), freePort()];
    const changes = { "15s": "100ms", "7878": String(app), "listen: 8080": `listen: 127.0.0.1:${inbound}` };
    await using dev = run("forward-requests", { PORT: String(app) }, changes);
    await dev.shows(/app {6}\| receive a request!\n/);
    await dev.shows(/sidecar {2}\| Hello\n/);
    expect(await (await fetch(`http://127.0.0.1:${inbound}/`)).text()).toBe("Hello");
    expect(await dev.stop()).toBe(0);
  }, 30_000);

  test("intercept-requests answers the app's call and logs it", async () => {
    const port = String(freePort());
    const env = { TARGET_URL: `http://localhost:${port}/hello`, INTERVAL: "100" };
    await using dev = run("intercept-requests", env, { "7979": port });
    await dev.shows(akka);
    await dev.shows(/sidecar {2}\| \{.*"\/hello".*\}\n/);
    expect(await dev.stop()).toBe(0);
  }, 30_000);

  test("mend-permissions lets the app start that refused before", async () => {
    const data = join(folder, "data");
    mkdirSync(data);
    chmodSync(data, 0o777);
    {
      await using dev = run("mend-permissions", { DATA_DIR: data, INTERVAL: "50" }, {});
      await dev.shows(/refusing to start: .*data has mode 777: others may write to it\n/);
      expect(await dev.ended).toBe(1);
    }
    const io = { env: {}, clock: { now: () => 0, wall: () => 0 }, random: () => 0, colours: false, out() {}, err() {} };
    expect(await main(["init", "--within", folder, "--chmod", "0750", data], io)).toBe(0);
    await using dev = run("mend-permissions", { DATA_DIR: data, INTERVAL: "50" }, {});
    await dev.shows(/app {6}\| .*data is mine alone: starting\n/);
    await dev.shows(/sidecar {2}\| record 3 is safe\n/);
    expect(await dev.stop()).toBe(0);
  }, 30_000);

  test("all-in-one shows all three scenes", async () => {
    const [app, calls] = [String(freePort()), String(freePort())];
    const env = {
      PORT: app,
      TARGET_URL: `http://localhost:${calls}/hello`,
      LOG_DIR: join(folder, "all"),
      INTERVAL: "200ms",
    };
    await using dev = run("all-in-one", env, { "7878": app, "7979": calls });
    await dev.shows(/app {6}\| receive a request!\n/);
    await dev.shows(/sidecar {2}\| Hello\n/);
    await dev.shows(/sidecar {2}\| 127\.0\.0\.1 - - \[.*\] "GET \/ HTTP\/1\.1" 200 5 "-" "-"\n/);
    await dev.shows(akka);
    expect(await dev.stop()).toBe(0);
  }, 30_000);
});
