import { afterEach, describe, expect, test } from "bun:test";
import { clientFrame, Echoes, serverFrame } from "./echoes.ts";
import { closedLoop } from "./load.ts";

let stop: (() => void) | undefined;

afterEach(() => stop?.());

describe("WebSocket frames", () => {
  test("are those of RFC 6455 section 5.7", () => {
    const hello = Buffer.from("Hello");
    const masked = clientFrame(hello, Buffer.from("37fa213d", "hex"));
    // The example is a text frame; ours are binary.
    expect(masked.toString("hex")).toBe("828537fa213d7f9f4d5158");
    expect(serverFrame(Buffer.alloc(256)).subarray(0, 4).toString("hex")).toBe("827e0100");
  });
});

describe("clients of an echo", () => {
  test("count echoes of a real WebSocket server", async () => {
    let messages = 0;
    const server = Bun.serve({
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 426 })),
      websocket: {
        message(socket, message) {
          messages++;
          socket.send(message);
        },
      },
    });
    stop = () => server.stop(true);
    const echoes = await Echoes.connect({ port: server.port!, connections: 3, payload: Buffer.alloc(4096, "ab") });
    await closedLoop(echoes, 10, 50, () => {});
    echoes.close();
    expect(echoes.failed).toBe(0);
    expect(echoes.answered).toBe(messages);
    expect(messages).toBeGreaterThan(3);
  });

  test("an echo of something else is a failure that is named", async () => {
    const server = Bun.serve({
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 426 })),
      websocket: { message: (socket) => void socket.send(Buffer.from("fourteen bytes")) },
    });
    stop = () => server.stop(true);
    const echoes = await Echoes.connect({ port: server.port!, connections: 1, payload: Buffer.alloc(14) });
    await closedLoop(echoes, 1, 20, () => {});
    echoes.close();
    expect(echoes.failed).toBe(echoes.answered);
    expect(echoes.firstFailure).toBe("an echo was not what was sent");
  });

  test("a refused upgrade is told with its answer", async () => {
    const server = Bun.serve({ port: 0, fetch: () => new Response("no", { status: 403 }) });
    stop = () => server.stop(true);
    const connecting = Echoes.connect({ port: server.port!, connections: 1, payload: Buffer.alloc(1) });
    await expect(connecting).rejects.toThrow("HTTP/1.1 403");
  });
});
