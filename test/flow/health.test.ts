import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Pod } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

let pod: Pod;
beforeEach(() => {
  pod = new Pod();
});
afterEach(() => pod.remove());

const answers = `
outbound:
  - listen: 127.0.0.1:0
    routes:
      - respond: { status: 200, body: "ok" }
`;

describe("a sidecar that starts", () => {
  test("says when it is ready, answers its probes, and ends with 0", async () => {
    const sidecar = await pod.start(answers);
    for (const path of ["/startup", "/ready", "/live"]) {
      expect((await fetch(sidecar.healthUrl + path)).status).toBe(200);
    }
    expect(await sidecar.metric("outrigger_config_last_reload_successful")).toBe(1);
    expect(await sidecar.metric("process_open_fds")).toBeGreaterThan(3);
    expect(await sidecar.stop()).toBe(0);
    expect(sidecar.complaints).toEqual([]);
    expect(sidecar.entries.at(-1)?.event).toBe("stopped");
  });

  test("whose health port is taken ends with 3 and says which key to change", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const sidecar = pod.spawn(`health: 127.0.0.1:${taken.port}`);
    expect(await sidecar.exited).toBe(3);
    expect(sidecar.complaints).toEqual([
      `health: cannot listen on 127.0.0.1:${taken.port}: the port is taken by another process; ` +
        `set the key "health" to a free one, such as health: ${taken.port + 1}, or stop that process`,
    ]);
    taken.stop(true);
  });

  test("one of whose listeners cannot be bound ends with 3 and leaves no other one behind", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const sidecar = pod.spawn(`${answers}  - { listen: "127.0.0.1:${taken.port}", to: "http://127.0.0.1:1" }`);
    expect(await sidecar.exited).toBe(3);
    expect(sidecar.errorText).toContain(`127.0.0.1:${taken.port}: the port is taken by another process`);
    expect(sidecar.count("listener_bound")).toBe(0);
    expect(sidecar.errorText).not.toContain("    at ");
    taken.stop(true);
  });

  test("for the first time with a wrong config ends with 1 and says every fault", async () => {
    const sidecar = pod.spawn("inbuond: []\nshutdown: { grace: soon }");
    expect(await sidecar.exited).toBe(1);
    expect(sidecar.complaints).toHaveLength(2);
    expect(sidecar.errorText).toContain(`${pod.configPath}:3:1 inbuond`);
    expect(sidecar.errorText).toContain(`${pod.configPath}:4:`);
    expect(sidecar.entries).toEqual([]);
  });
});

describe("a sidecar that is started again with a config that has become wrong", () => {
  test("runs on the last good text, says so with every fault, and takes the mended file", async () => {
    const first = await pod.start(answers);
    await until(() => existsSync(join(pod.folder, "state", "last-good.json")), { what: "the last good text" });
    await first.stop();
    const second = await pod.start(`${answers}wrong: 1`);
    const said = await second.event("config_last_good_used");
    expect(said.level).toBe("error");
    expect(String(said.faults)).toContain("wrong");
    expect(await (await fetch(`http://${second.address()}/`)).text()).toBe("ok");
    expect((await fetch(`${second.healthUrl}/ready`)).status).toBe(200);
    pod.write(answers.replace("ok", "mended"));
    await second.event("config_applied");
    expect(await (await fetch(`http://${second.address()}/`)).text()).toBe("mended");
  });
});

describe("GET /drain", () => {
  test("of the kubelet announces until the pod is gone", async () => {
    const sidecar = await pod.start(answers, { env: { OUTRIGGER_GRACE_SECONDS: "60" } });
    const asked = await fetch(`${sidecar.healthUrl}/drain`, { headers: { "user-agent": "kube-lifecycle/1.33" } });
    expect(await asked.json()).toEqual({ status: "announcing", leaseSeconds: 65 });
  });

  test("makes the sidecar unready and its answers the last of their connections, but stops nothing", async () => {
    const sidecar = await pod.start(answers.replace("outbound", "inbound"));
    expect(await (await fetch(`${sidecar.healthUrl}/drain`)).json()).toEqual({
      status: "announcing",
      leaseSeconds: 10,
    });
    const ready = await fetch(`${sidecar.healthUrl}/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: "not ready", reasons: ["announcing that it leaves"] },
    ]);
    expect(await sidecar.metric("outrigger_draining")).toBe(1);
    const answer = await fetch(`http://${sidecar.address()}/`);
    expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
    expect((await fetch(`${sidecar.healthUrl}/live`)).status).toBe(200);
    expect((await fetch(`${sidecar.healthUrl}/startup`)).status).toBe(200);
    expect(sidecar.hasEnded).toBe(false);
  });
});
