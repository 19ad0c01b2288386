import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

let pod: Pod;
beforeEach(() => {
  pod = new Pod();
});
afterEach(() => pod.remove());

/** Writes the volume as the kubelet does: a folder of its own for every version, and one symlink that is swapped. */
function writeVolume(version: string, labels: string): void {
  const volume = join(pod.folder, "podinfo");
  mkdirSync(join(volume, version), { recursive: true });
  writeFileSync(join(volume, version, "labels"), labels);
  symlinkSync(version, join(volume, "..data_tmp"));
  renameSync(join(volume, "..data_tmp"), join(volume, "..data"));
  if (version === "..v1") symlinkSync(join("..data", "labels"), join(volume, "labels"));
}

function config(): string {
  return `
logs:
  - name: app
    files: [${pod.folder}/log/*.log]
    fields: { app: shop, shard: 3, node: "\${NODE}" }
    pod: { volume: ${pod.folder}/podinfo }
    transform: [{ parse: json }]
`;
}

const env = { POD_NAME: "p-1", POD_NAMESPACE: "shop", NODE_NAME: "ignored", NODE: "mine", POD_IP: "10.0.0.7" };

async function shows(sidecar: SidecarProcess, log: string, text: string): Promise<Record<string, unknown>> {
  const count = sidecar.records.length;
  appendFileSync(log, `${text}\n`);
  await until(() => sidecar.records.length > count, { what: `the line ${text}` });
  return JSON.parse(sidecar.records.at(-1)!);
}

describe("fields of an entry", () => {
  test("are in every record: static ones, and those of the pod, read again when its labels change", async () => {
    writeVolume("..v1", 'tier="one"\n');
    const log = pod.file("log/a.log");
    const sidecar = await pod.start(config(), { env });
    const common = { pod: "p-1", namespace: "shop", pod_ip: "10.0.0.7", app: "shop", shard: 3, node: "mine" };
    expect(await shows(sidecar, log, '{"n":1}')).toEqual({ ...common, label_tier: "one", n: 1 });

    writeVolume("..v2", 'tier="two"\nextra="x"\n');
    await sidecar.event("config_applied");
    expect(await shows(sidecar, log, '{"n":2}')).toEqual({ ...common, label_tier: "two", label_extra: "x", n: 2 });
    expect(await shows(sidecar, log, '{"app":"own"}')).toMatchObject({ app: "own" });
    expect(sidecar.records).toHaveLength(3);
    expect(await sidecar.stop()).toBe(0);
  });

  test("that are wrong are a fault", async () => {
    const sidecar = pod.spawn("logs:\n  - files: [/x/*.log]\n    fields: { a: [1] }\n    pod: { label: [a] }\n");
    expect(await sidecar.exited).toBe(1);
    expect(sidecar.errorText).toContain("logs[0].fields.a");
    expect(sidecar.errorText).toContain('unknown key "label"; did you mean "labels"?');
  });
});
