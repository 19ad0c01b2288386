import { describe, expect, test } from "bun:test";
import { fill } from "./contenders.ts";
import { points } from "./points.ts";

function named(name: string) {
  return points.find((point) => point.name === name)!;
}

describe("points", () => {
  test("the browser-like head has sixteen fields and a thousand distinct request lines", () => {
    const requests = named("browser-head")
      .requests()
      .map((request) => request.toString());
    expect(new Set(requests.map((request) => request.split("\r\n")[0])).size).toBe(1000);
    for (const request of requests) expect(request.trimEnd().split("\r\n").length).toBe(17);
  });

  test("every point but the base differs from it in one factor", () => {
    const factors = (name: string) => {
      const { connections, bodyBytes, sameFields, requests } = named(name);
      const head = requests()[0]!
        .toString()
        .replace(/\/_body\/\d+/, "/hello");
      return [connections, bodyBytes, sameFields, head];
    };
    const base = factors("base");
    for (const point of points.slice(1)) {
      const differing = factors(point.name).filter((factor, i) => factor !== base[i]);
      expect([point.name, differing.length]).toEqual([point.name, 1]);
    }
  });
});

describe("configs", () => {
  const places = { port: 1111, origin: 2222, sameFields: false };

  test.each(["outrigger.yaml", "haproxy.cfg", "nginx.conf"])("%s has no place left open", async (config) => {
    const text = await fill(config, "/folder", places);
    expect(text).toContain("127.0.0.1:1111");
    expect(text).toContain("127.0.0.1:2222");
    expect(text).not.toMatch(/\{\{|\}\}/);
  });

  test.each(["haproxy.cfg", "nginx.conf"])("%s writes the same fields only where that is the point", async (config) => {
    expect(await fill(config, "/folder", places)).not.toContain("X-Request-Id");
    expect(await fill(config, "/folder", { ...places, sameFields: true })).toContain("X-Request-Id");
  });
});
