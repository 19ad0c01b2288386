import { describe, expect, test } from "bun:test";
import { UserError } from "../errors.ts";
import { MetricsRegion, spineMetrics } from "../metrics.ts";
import type { Loaded, LoadResult } from "./load.ts";
import { applyConfig, type ConfiguredPart, keysThatNeedRestart, Reload } from "./reload.ts";
import type { Config } from "./schema.ts";

function config(changes: Partial<Config> = {}): Config {
  return {
    file: "/c.yaml",
    state: undefined,
    health: { host: undefined, port: 7411, text: "7411" },
    admin: "socket",
    shutdown: { graceMs: 25_000 },
    concurrency: 1,
    limits: { connections: undefined, headBytes: 1, headFields: 1, memory: { share: 0.7 } },
    logs: [],
    schedules: [],
    inbound: [],
    outbound: [],
    ...changes,
  };
}

function loaded(changes: Partial<Config> = {}): Loaded {
  const nothing = { filters: new Map(), logInputs: new Map(), logTransforms: new Map(), logOutputs: new Map() };
  return { ok: true, config: config(changes), text: "", files: [], dropIns: nothing };
}

const fault = { file: "/c.yaml", line: 2, column: 3, path: "health", problem: "is wrong", remedy: "right it" };

/** A part that writes down what is done to it. */
function part(name: string, done: string[], fails = false): ConfiguredPart {
  return {
    async prepare() {
      done.push(`prepare ${name}`);
      if (fails) throw new UserError(`${name} is taken`, 3);
      return { commit: () => void done.push(`commit ${name}`), abort: () => void done.push(`abort ${name}`) };
    },
  };
}

function reload(load: () => LoadResult | Promise<LoadResult>, apply = async () => {}) {
  const events: [string, Record<string, unknown> | undefined][] = [];
  const metrics = new MetricsRegion(spineMetrics, { strict: true });
  const kept: Loaded[] = [];
  const subject = new Reload({
    emit: (event, fields) => void events.push([event, fields]),
    metrics,
    load: async () => load(),
    apply,
    applied: async (next) => void kept.push(next),
    started: config(),
  });
  const successful = () => metrics.values[metrics.series[0]!.slot];
  return { subject, events, kept, successful };
}

describe("a config is applied", () => {
  test("by preparing every part before the first one commits", async () => {
    const done: string[] = [];
    await applyConfig([part("a", done), part("b", done)], config());
    expect(done).toEqual(["prepare a", "prepare b", "commit a", "commit b"]);
  });

  test("not at all when one part cannot: what was prepared is undone", async () => {
    const done: string[] = [];
    const parts = [part("a", done), part("b", done), part("c", done, true), part("d", done)];
    await expect(applyConfig(parts, config())).rejects.toThrow("c is taken");
    expect(done).toEqual(["prepare a", "prepare b", "prepare c", "prepare d", "abort a", "abort b", "abort d"]);
  });
});

describe("a reload", () => {
  test("says that it was applied, and keeps the text", async () => {
    const { subject, events, kept, successful } = reload(() => loaded());
    expect(await subject.request("SIGHUP")).toBe(true);
    expect(events).toEqual([["config_applied", { reason: "SIGHUP" }]]);
    expect(kept).toHaveLength(1);
    expect(successful()).toBe(1);
  });

  test("of a wrong file says every fault and keeps the old config", async () => {
    const { subject, events, kept, successful } = reload(() => ({
      ok: false,
      files: [],
      faults: [fault, { ...fault, line: 9 }],
    }));
    expect(await subject.request("file change")).toBe(false);
    expect(events).toEqual([
      [
        "config_rejected",
        {
          reason: "file change",
          faults: ["/c.yaml:2:3 health: is wrong; right it", "/c.yaml:9:3 health: is wrong; right it"],
        },
      ],
    ]);
    expect(kept).toHaveLength(0);
    expect(successful()).toBe(0);
  });

  test("that a part refuses says why", async () => {
    const { subject, events } = reload(
      () => loaded(),
      () => Promise.reject(new UserError("port 80 is taken", 3)),
    );
    expect(await subject.request("SIGHUP")).toBe(false);
    expect(events).toEqual([["config_rejected", { reason: "SIGHUP", faults: ["port 80 is taken"] }]]);
  });

  test("that comes while one runs waits for it, once for all who ask", async () => {
    let running = 0;
    let loads = 0;
    const { subject } = reload(async () => {
      expect(++running).toBe(1);
      loads++;
      await Bun.sleep(5);
      running--;
      return loaded();
    });
    const results = await Promise.all(["a", "b", "c", "d"].map((reason) => subject.request(reason)));
    expect(results).toEqual([true, true, true, true]);
    expect(loads).toBe(2);
    await subject.request("later");
    expect(loads).toBe(3);
  });

  test("is refused once the sidecar stops, the running one changes nothing more", async () => {
    const { subject, kept } = reload(async () => {
      await Bun.sleep(5);
      return loaded();
    });
    const running = subject.request("a");
    const queued = subject.request("b");
    await subject.close();
    expect(await Promise.all([running, queued, subject.request("c")])).toEqual([false, false, false]);
    expect(kept).toHaveLength(0);
  });

  test("names the keys that need a restart", async () => {
    const { subject, events } = reload(() => loaded({ state: "/s", health: { host: undefined, port: 1, text: "1" } }));
    await subject.request("SIGHUP");
    expect(events[1]).toEqual(["config_restart_needed", { keys: ["state", "health"] }]);
    const limits = { connections: 5, headBytes: 1, headFields: 1, memory: { bytes: 5 } };
    expect(keysThatNeedRestart(config(), config({ limits }))).toEqual(["limits.connections", "limits.memory"]);
    expect(keysThatNeedRestart(config(), config({ concurrency: "auto" }))).toEqual(["concurrency"]);
    expect(keysThatNeedRestart(config(), config({ shutdown: { graceMs: 1 } }))).toEqual([]);
  });
});
