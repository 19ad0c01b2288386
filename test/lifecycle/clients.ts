/** Clients of a Service that send requests without pause, count them all, and forgive nothing. */
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { readAnswer } from "../kit/message.ts";
import type { Seeded } from "../kit/random.ts";
import { Wire } from "../kit/wire.ts";

interface Wanted {
  readonly id: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body: string;
}

export class Clients {
  /** Ids of requests that were answered right. */
  readonly answered: string[] = [];
  /** What went wrong, with the id. */
  readonly failed: string[] = [];
  private readonly random: Seeded;
  private readonly loops: Promise<void>[] = [];
  private count = 0;
  private isOver = false;
  /** Few requests at a time, all of them quick, so that there are moments without any: only those on new connections. */
  areCalm = false;

  constructor(random: Seeded) {
    this.random = random;
  }

  /** HTTP/1.1, one request after the other on a connection as long as the other side keeps it. */
  keepAlive(port: number, count: number): void {
    let wires: (Wire | undefined)[] = [];
    this.loop(count, async (wanted, at) => {
      const wire = wires[at] ?? (await Wire.connect(port));
      wires[at] = undefined;
      if (await this.exchange(wire, wanted)) wires[at] = wire;
      else wire.close();
    });
    void this.whenOver(() => {
      for (const wire of wires) wire?.close();
      wires = [];
    });
  }

  /** HTTP/1.1, a connection for each request. */
  newConnections(port: number, count: number): void {
    const onNewOne = async (wanted: Wanted) => {
      const wire = await Wire.connect(port);
      await this.exchange(wire, wanted);
      wire.close();
    };
    this.loop(count, onNewOne, false);
  }

  /** HTTP/2, on one connection as long as the other side keeps it. */
  http2(port: number, count: number): void {
    let session: ClientHttp2Session | undefined;
    const open = (): ClientHttp2Session => {
      if (session !== undefined && !session.closed && !session.destroyed) return session;
      session = connectHttp2(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      return session;
    };
    this.loop(count, (wanted) => this.stream(open(), wanted));
    void this.whenOver(() => session?.destroy());
  }

  /** Ends all of them once their last requests are answered. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
  }

  private loop(count: number, one: (wanted: Wanted, at: number) => Promise<void>, restsInCalm = true): void {
    const run = async (at: number) => {
      while (!this.isOver) {
        if (restsInCalm && this.areCalm) {
          await Bun.sleep(50);
          continue;
        }
        const wanted = this.next();
        await one(wanted, at).catch((error: Error) => void this.failed.push(`${wanted.id} ${error.message}`));
        await Bun.sleep(10 + this.random.whole(20));
      }
    };
    for (let at = 0; at < count; at++) this.loops.push(run(at));
  }

  private async whenOver(then: () => void): Promise<void> {
    await Promise.all(this.loops);
    then();
  }

  /** Most are quick; some take up to two seconds; a third are POSTs with a body of up to 8 KiB. */
  private next(): Wanted {
    const { random } = this;
    const id = String(this.count++);
    const ms = !this.areCalm && random.chance(0.1) ? random.whole(2000) : 0;
    const isPost = random.chance(0.3);
    return {
      id,
      method: isPost ? "POST" : "GET",
      path: `/work?ms=${ms}`,
      body: isPost ? "x".repeat(random.whole(8192)) : "",
    };
  }

  /** True when the connection may be used again. */
  private async exchange(wire: Wire, { id, method, path, body }: Wanted): Promise<boolean> {
    const length = method === "POST" ? `Content-Length: ${body.length}\r\n` : "";
    await wire.send(`${method} ${path} HTTP/1.1\r\nHost: web\r\nX-Id: ${id}\r\n${length}\r\n${body}`);
    const { head, text, complete } = await readAnswer(wire);
    this.judge(id, body, head.status, complete ? text : "half an answer");
    return complete && head.field("connection") !== "close";
  }

  private stream(session: ClientHttp2Session, { id, method, path, body }: Wanted): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ":method": method, ":path": path, ":authority": "web", "x-id": id });
      let status = 0;
      let text = "";
      stream.on("response", (fields) => {
        status = Number(fields[":status"]);
      });
      stream.on("data", (bytes) => {
        text += bytes;
      });
      stream.on("error", reject);
      stream.on("close", () => {
        this.judge(id, body, status, text);
        resolve();
      });
      stream.end(body);
    });
  }

  private judge(id: string, body: string, status: number, text: string): void {
    if (status === 200 && text === `${id} ${body.length}`) this.answered.push(id);
    else this.failed.push(`${id} ${status} ${text.slice(0, 200)}`);
  }
}
