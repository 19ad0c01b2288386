import { afterEach, describe, expect, test } from "bun:test";
import { closedLoop, fixedRate, Load } from "./load.ts";

const REQUESTS = ["/a", "/b", "/c"].map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));

let server: Bun.TCPSocketListener<undefined> | undefined;
let load: Load | undefined;

afterEach(() => {
  load?.close();
  server?.stop(true);
});

/** Answers every request with `pieces`, one after the other in packets of their own. */
async function answering(pieces: (asked: string) => string[], connections = 2): Promise<Load> {
  server = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async data(socket, chunk) {
        for (const piece of pieces(chunk.toString())) {
          socket.write(piece);
          socket.flush();
          await Bun.sleep(1);
        }
      },
    },
  });
  load = await Load.connect({ port: server.port, connections, requests: REQUESTS });
  return load;
}

describe("closed loop", () => {
  test("answers are counted once, however they are cut", async () => {
    let asked = 0;
    const clients = await answering(() => {
      asked++;
      return asked % 2 === 0
        ? ["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nhe", "llo"]
        : ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"];
    });
    const counted = await closedLoop(clients, 20, 100, () => {});
    expect(clients.failed).toBe(0);
    expect(clients.answered).toBe(asked);
    expect(counted).toBeGreaterThan(0);
    expect(counted).toBeLessThanOrEqual(clients.answered);
  });

  test("requests are taken in turn", async () => {
    const asked: string[] = [];
    const answers = ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"];
    const clients = await answering((request) => {
      asked.push(request.split(" ")[1]!);
      return answers;
    }, 1);
    await closedLoop(clients, 5, 100, () => {});
    expect(asked.slice(0, 4)).toEqual(["/a", "/b", "/c", "/a"]);
  });

  test("other statuses and surplus bytes are failures", async () => {
    const clients = await answering((asked) =>
      asked.startsWith("GET /a")
        ? ["HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"]
        : ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"],
    );
    await closedLoop(clients, 1, 20, () => {});
    expect(clients.failed).toBe(clients.answered);
  });

  test("an answer without a length ends the run with what it was", async () => {
    const clients = await answering(() => ["HTTP/1.1 200 OK\r\nX: y\r\n\r\n"]);
    await expect(closedLoop(clients, 1, 5, () => {})).rejects.toThrow(
      "without Content-Length:\nHTTP/1.1 200 OK\r\nX: y",
    );
  });
});

describe("fixed rate", () => {
  test("as many requests fall due as the rate says, and waiting for a free connection counts", async () => {
    const clients = await answering(() => ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], 1);
    const latenciesMs = await fixedRate(clients, 500, 200);
    expect(latenciesMs.length).toBe(100);
    expect(clients.answered).toBe(100);
    expect(Math.min(...latenciesMs)).toBeGreaterThan(0);
  });

  test("a slow answer delays those behind it on the clock they were due by", async () => {
    let asked = 0;
    const clients = await answering(() => {
      asked++;
      const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      return asked === 1
        ? ["HTTP/1.1 200 OK\r\n", ...Array.from({ length: 150 }, () => "X: y\r\n"), "Content-Length: 0\r\n\r\n"]
        : [answer];
    }, 1);
    const latenciesMs = await fixedRate(clients, 500, 50);
    expect(latenciesMs[0]).toBeGreaterThan(125);
    expect(latenciesMs[1]).toBeGreaterThan(50);
  });
});
