import { describe, expect, test } from "bun:test";
import { http2Points, type Point, points, tcpPoints, tlsPoints, websocketPoints } from "./points.ts";

function named(name: string): Point {
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

  /** What a point fixes; the path belongs to the body or to the routes it asks for. */
  function factors({ connections, bodyBytes, switches, requests }: Point): string[] {
    const head = requests()[0]!
      .toString()
      .replace(/\/_body\/\d+|\/route-\d+\/hello/, "/hello");
    return [String(connections), String(bodyBytes), JSON.stringify(switches), head];
  }

  test.each([
    ["http", points],
    ["http2", http2Points],
    ["tls", tlsPoints],
    ["websocket", websocketPoints],
  ])("every point of %s but the base differs from it in one factor", (_name, all) => {
    const [base, ...others] = all;
    const fixed = factors(base!);
    expect(base!.name).toBe("base");
    for (const point of others) {
      const differing = factors(point).filter((factor, i) => factor !== fixed[i]);
      expect([point.name, differing.length]).toEqual([point.name, 1]);
    }
  });

  test("routes lead to the last of as many as there are", () => {
    for (const count of [10, 1000]) {
      const point = named(`routes-${count}`);
      expect(point.switches.routes).toBe(count);
      expect(point.requests()[0]!.toString()).toStartWith(`GET /route-${count}/`);
    }
  });

  test("a ping has 64 bytes", () => {
    expect(tcpPoints[0]!.requests()[0]!.length).toBe(64);
  });

  test("names are unique within a command, and the base is measured unasked", () => {
    for (const all of [points, http2Points, tlsPoints, websocketPoints, tcpPoints]) {
      expect(new Set(all.map((point) => point.name)).size).toBe(all.length);
      expect(all[0]!.usual).toBe(true);
    }
  });
});
