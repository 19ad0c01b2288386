import { describe, expect, test } from "bun:test";
import { move } from "./start.ts";

describe("the sample's copy", () => {
  test("listeners get ports of their own, and calls follow them", () => {
    let next = 100;
    const moved = move(
      {
        health: 7411,
        logs: [{ name: "app", files: ["./logs/*.log"] }],
        schedules: [
          { every: "15s", request: { url: "http://localhost:7878/x" } },
          { every: "1s", request: "http://127.0.0.1:8080/" },
        ],
        inbound: [{ listen: 8080, to: "http://127.0.0.1:7878" }],
        outbound: [{ listen: "127.0.0.1:7979", routes: [{ match: { path: "/hello" }, respond: { status: 200 } }] }],
      },
      { folder: "/copy", health: 50, origin: 60, port: () => next++ },
    );
    expect(moved.ports).toEqual([100, 101]);
    expect(moved.sample).toEqual({
      state: "/copy/state",
      health: "127.0.0.1:50",
      logs: [{ name: "app", files: ["./logs/*.log"] }],
      schedules: [
        { every: "15s", request: { url: "http://localhost:60/x" } },
        { every: "1s", request: "http://127.0.0.1:100/" },
      ],
      inbound: [{ listen: "127.0.0.1:100", to: "http://127.0.0.1:60" }],
      outbound: [{ listen: "127.0.0.1:101", routes: [{ match: { path: "/hello" }, respond: { status: 200 } }] }],
    });
  });
});
