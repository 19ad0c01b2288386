import { describe, expect, test } from "bun:test";
import { configOf } from "../test/kit/flow.ts";
import { AppPresence } from "./app-presence.ts";
import type { Config } from "./config/schema.ts";

type Form = Config["shutdown"]["form"];

/** A pod whose app listens on 8000 and calls out, seen every 100 ms. */
function pod(form: Form, change: (config: Config) => Config = (config) => config) {
  const listeners = configOf([{ to: 8000 }, { direction: "outbound", name: "out", routes: [] }]);
  const shutdown = { graceMs: 25_000, ...(form !== undefined && { form }) };
  const config = change({ ...listeners, shutdown });
  const app = { now: 0, running: 0, calls: 0, lines: 0, sockets: 0 as number | undefined, ports: new Set([8000]) };
  const presence = new AppPresence({
    clock: { now: () => app.now, wall: () => app.now },
    running: () => app.running,
    exchangesEnded: () => app.calls,
    linesRead: () => app.lines,
    ports: () => app.ports,
    sockets: () => app.sockets,
  });
  /** Milliseconds until it needs us no more, or undefined when it does to the end; `each` changes the app meanwhile. */
  const endsAfter = (limitMs: number, each: () => void = () => {}): number | undefined => {
    for (const start = app.now; app.now - start < limitMs; app.now += 100) {
      each();
      if (!presence.needsUs(config)) return app.now - start;
    }
    return undefined;
  };
  return { app, presence, config, endsAfter };
}

describe("beside a native sidecar, or one of which nobody said what it is", () => {
  test("an app whose port is closed needs a native one no more", () => {
    const { app, endsAfter } = pod("native");
    app.ports.clear();
    app.calls = 7;
    expect(endsAfter(1000)).toBe(0);
  });

  test("an app whose port is closed may still call: one that nobody told what it is waits for a second of quiet", () => {
    const { app, endsAfter } = pod(undefined);
    app.ports.clear();
    expect(endsAfter(5000, () => app.now < 2000 && app.calls++)).toBe(2900);
  });

  test("where no calls come through us, a closed port is enough", () => {
    const { app, endsAfter } = pod(undefined, (config) => ({ ...config, outbound: [] }));
    app.ports.clear();
    expect(endsAfter(1000)).toBe(0);
  });

  for (const form of ["native", undefined] as const) {
    test(`an app that is there needs it until it was quiet for a second (${form})`, () => {
      const { app, endsAfter } = pod(form);
      expect(endsAfter(5000, () => app.now < 2000 && app.calls++)).toBe(2900);
    });

    test(`a call that runs is a sign of life (${form})`, () => {
      const { app, endsAfter } = pod(form);
      app.running = 1;
      expect(endsAfter(30_000)).toBeUndefined();
    });
  }

  test("lines that are left to read are no sign of life", () => {
    const { app, endsAfter } = pod("native");
    expect(endsAfter(5000, () => app.lines++)).toBe(1000);
  });

  test("nothing is waited for where no traffic comes through us", () => {
    const { endsAfter } = pod("native", (config) => ({ ...config, inbound: [], outbound: [] }));
    expect(endsAfter(1000)).toBe(0);
  });
});

describe("beside a plain sidecar", () => {
  test("an app needs us while it has a socket, whatever its port says", () => {
    const { app, endsAfter } = pod("plain");
    app.ports.clear();
    app.sockets = 1;
    expect(endsAfter(30_000)).toBeUndefined();
    app.sockets = 0;
    expect(endsAfter(5000)).toBeLessThanOrEqual(700);
  });

  test("an app without sockets needs us for three seconds after its last call", () => {
    const { app, endsAfter } = pod("plain");
    expect(endsAfter(9000, () => app.now === 2000 && app.calls++)).toBe(5000);
  });

  test("lines are a sign of life, where they are collected", () => {
    const { app, endsAfter } = pod("plain");
    expect(endsAfter(20_000, () => app.now <= 10_000 && app.now % 2000 === 0 && app.lines++)).toBe(13_000);
  });

  test("nothing is waited for where nothing of the app comes through us", () => {
    const { app, endsAfter } = pod("plain", (config) => ({ ...config, inbound: [], outbound: [], logs: [] }));
    app.sockets = 3;
    expect(endsAfter(1000)).toBe(0);
  });

  test("a kernel that does not tell of sockets leaves calls and lines", () => {
    const { app, endsAfter } = pod("plain");
    app.sockets = undefined;
    expect(endsAfter(9000)).toBe(3000);
  });
});

describe("the app's ports", () => {
  const asking = (url: string): Config["schedules"] => [
    {
      name: "hello",
      when: { everyMs: 1000 },
      jitterMs: 0,
      timeoutMs: 1000,
      request: { url, method: "GET", headers: [], body: undefined },
      expect: { status: [], body: undefined },
      ready: false,
      print: "none",
    },
  ];

  test("are those that schedules ask where no request is forwarded", () => {
    for (const url of ["http://localhost:8000/", "http://[::1]:8000/"]) {
      const { app, presence, config } = pod("native", (all) => ({ ...all, inbound: [], schedules: asking(url) }));
      expect(presence.portsAreClosed(config)).toBe(false);
      app.ports.clear();
      expect(presence.portsAreClosed(config)).toBe(true);
    }
  });

  test("are unknown, and count as open, where schedules ask others", () => {
    const { app, presence, config } = pod("native", (all) => ({
      ...all,
      inbound: [],
      schedules: asking("http://example.com/"),
    }));
    app.ports.clear();
    expect(presence.portsAreClosed(config)).toBe(false);
  });
});
