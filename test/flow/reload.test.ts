import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../kit/free-port.ts";
import { HeldApp } from "../kit/held-app.ts";
import { type Entry, Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

let pod: Pod;
beforeEach(() => {
  pod = new Pod();
});
afterEach(() => pod.remove());

const responding = (body: string, port: number | string = 0) =>
  `outbound:\n  - { name: web, listen: "127.0.0.1:${port}", routes: [{ respond: { body: ${body} } }] }`;

const ask = async (sidecar: SidecarProcess) => (await fetch(`http://${sidecar.address("web")}/`)).text();

describe("a new config is taken", () => {
  test("on SIGHUP, and when the file is written", async () => {
    const sidecar = await pod.start(responding("one"));
    expect(await ask(sidecar)).toBe("one");
    pod.write(responding("two"));
    sidecar.signal("SIGHUP");
    // The watch may have been faster.
    const isAsked = ({ event, reason }: Entry) => event === "config_applied" && reason === "SIGHUP";
    await until(() => sidecar.entries.some(isAsked), { what: "a reload on SIGHUP" });
    expect(await ask(sidecar)).toBe("two");
    pod.write(responding("three"));
    await until(async () => (await ask(sidecar)) === "three", { what: "the third config" });
    expect(sidecar.count("listener_bound")).toBe(1);
  });

  test("when the ..data symlink of its ConfigMap is swapped", async () => {
    const mount = (version: string, body: string) => {
      mkdirSync(join(pod.folder, version));
      pod.write(responding(body));
      renameSync(pod.configPath, join(pod.folder, version, "outrigger.yaml"));
      symlinkSync(version, join(pod.folder, "..next"));
      renameSync(join(pod.folder, "..next"), join(pod.folder, "..data"));
    };
    mount("..v1", "one");
    symlinkSync("..data/outrigger.yaml", join(pod.folder, "link"));
    renameSync(join(pod.folder, "link"), pod.configPath);
    const sidecar = await pod.start();
    expect(await ask(sidecar)).toBe("one");
    // The file of the new version must not go through the link.
    rmSync(pod.configPath);
    mount("..v2", "two");
    symlinkSync("..data/outrigger.yaml", pod.configPath);
    await sidecar.event("config_applied");
    expect(await ask(sidecar)).toBe("two");
  });

  test("when a file it refers to changes", async () => {
    const secret = pod.file("secrets/body", "one");
    const sidecar = await pod.start(responding(`"\${file:${secret}}"`));
    expect(await ask(sidecar)).toBe("one");
    writeFileSync(secret, "changed");
    await sidecar.event("config_applied");
    expect(await ask(sidecar)).toBe("changed");
  });
});

describe("a new config is refused as a whole", () => {
  test("when it is wrong: every fault is said, the old one stays, and the mended one is taken", async () => {
    const sidecar = await pod.start(responding("one"));
    pod.write(`${responding("two")}\nnonsense: 1\nshutdown: { grace: soon }`);
    sidecar.signal("SIGHUP");
    const said = await sidecar.event("config_rejected");
    expect(said.faults).toHaveLength(2);
    expect(said.message).toContain("nonsense");
    expect(await ask(sidecar)).toBe("one");
    expect(await sidecar.metric("outrigger_config_last_reload_successful")).toBe(0);
    expect(await sidecar.metric('outrigger_config_reloads_total{result="rejected"}')).toBeGreaterThan(0);
    pod.write(responding("three"));
    await sidecar.event("config_applied");
    expect(await ask(sidecar)).toBe("three");
    expect(await sidecar.metric("outrigger_config_last_reload_successful")).toBe(1);
  });

  test("when one of its ports is taken: none of its other ports is bound, none of the old ones let go", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const fresh = freePort();
    const sidecar = await pod.start(responding("one"));
    const listener = (name: string, port: number) =>
      `  - { name: ${name}, listen: "127.0.0.1:${port}", to: "http://127.0.0.1:1" }`;
    pod.write([responding("two"), listener("fresh", fresh), listener("taken", taken.port)].join("\n"));
    sidecar.signal("SIGHUP");
    const said = await sidecar.event("config_rejected");
    expect(said.message).toContain(`127.0.0.1:${taken.port}: the port is taken by another process`);
    expect(await ask(sidecar)).toBe("one");
    await expect(fetch(`http://127.0.0.1:${fresh}/`)).rejects.toThrow();
    taken.stop(true);
    sidecar.signal("SIGHUP");
    await sidecar.event("config_applied");
    expect(await ask(sidecar)).toBe("two");
    expect((await fetch(`http://127.0.0.1:${fresh}/`)).status).toBe(502);
  });
});

test("logs that a reload adds are collected, those it takes away are not", async () => {
  const sidecar = await pod.start(responding("one"));
  const log = pod.file("logs/a.log", "before\n");
  const reload = async (config: string, times: number) => {
    pod.write(config);
    sidecar.signal("SIGHUP");
    await sidecar.event("config_applied", { after: times - 1 });
  };
  await reload(`${responding("one")}\nlogs:\n  - files: [${log}]`, 1);
  await until(() => sidecar.records.length === 1, { what: "the line that was there" });
  appendFileSync(log, "after\n");
  await until(() => sidecar.records.length === 2, { what: "the line that was added" });
  await reload(responding("two"), 2);
  appendFileSync(log, "unseen\n");
  expect(await sidecar.stop()).toBe(0);
  expect(sidecar.records).toEqual(["before", "after"]);
});

test("keys that are read only once are named", async () => {
  const sidecar = await pod.start(responding("one"));
  pod.write(`${responding("two")}\nhealth: 127.0.0.1:1\nlimits: { connections: 5 }`);
  sidecar.signal("SIGHUP");
  expect(await sidecar.event("config_restart_needed")).toMatchObject({ keys: ["health", "limits.connections"] });
  expect(await ask(sidecar)).toBe("two");
  expect((await fetch(`${sidecar.healthUrl}/live`)).status).toBe(200);
});

test("1,000 reloads while requests flow drop none of them", async () => {
  const app = new HeldApp();
  const port = freePort();
  // Two configs by turns: the one has a route and a listener more than the other.
  const config = (turn: number) =>
    [
      `inbound:\n  - { name: web, listen: "127.0.0.1:0", to: "${app.url}" }`,
      turn % 2 === 0
        ? ""
        : `  - { name: other, listen: "127.0.0.1:${port}", to: "${app.url}", routes: [{ match: { path: /x }, respond: { status: 204 } }] }`,
    ].join("\n");
  const sidecar = await pod.start(config(0));
  const address = `http://${sidecar.address("web")}/`;
  let flowing = true;
  let answered = 0;
  const failures: string[] = [];
  const client = async () => {
    while (flowing) {
      const outcome = await fetch(address).then(
        async (answer) => `${answer.status} ${await answer.text()}`,
        (error) => String(error),
      );
      if (outcome === "200 Hello") answered++;
      else failures.push(outcome);
    }
  };
  const clients = [client(), client()];
  for (let turn = 1; turn <= 1000; turn++) {
    pod.write(config(turn));
    sidecar.signal("SIGHUP");
    await sidecar.event("config_applied", { after: turn - 1 });
  }
  flowing = false;
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(1000);
  expect(sidecar.count("config_rejected")).toBe(0);
  await app.stop();
});
