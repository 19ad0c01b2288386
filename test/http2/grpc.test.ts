/** gRPC end to end, both ends being @grpc/grpc-js under Node: every kind of call, with trailers, deadlines and cancels. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { program } from "../kit/commands.ts";
import { type ListenerOptions, TestEngine } from "../kit/engine.ts";

const node = program("node", "install Node 20 or later");

interface Seen {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly string[];
  readonly trailer?: readonly string[];
}

type Results = Readonly<Record<"unary" | "large" | "fail" | "down" | "up" | "both" | "deadline" | "cancel", Seen>> & {
  readonly many: readonly Seen[];
  readonly cancelledAtServer: number;
};

class GrpcEnds {
  readonly child = Bun.spawn([node!, `${import.meta.dir}/grpc-ends.mjs`], { stdin: "pipe", stdout: "pipe" });
  private readonly lines = linesOf(this.child.stdout);

  async line(): Promise<string> {
    return (await this.lines.next()).value ?? "";
  }

  async call(port: number): Promise<Results> {
    this.child.stdin.write(`call ${port}\n`);
    return JSON.parse(await this.line());
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const bytes of stream) {
    text += new TextDecoder().decode(bytes);
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
  return undefined;
}

function check(results: Results): void {
  expect(results.unary).toMatchObject({ code: 0, messages: ["hello"], trailer: ["end"] });
  expect(results.large).toMatchObject({ code: 0, messages: ["same"] });
  expect(results.fail).toMatchObject({ code: 9, details: "not now: ünready" });
  expect(results.down.code).toBe(0);
  expect(results.down.messages).toEqual(Array.from({ length: 500 }, (_, at) => `message ${at}`));
  expect(results.up).toMatchObject({ code: 0, messages: ["1000000"] });
  expect(results.both.messages).toEqual(Array.from({ length: 20 }, (_, at) => `ping ${at}`));
  expect(results.both.code).toBe(0);
  expect(results.deadline).toMatchObject({ code: 4, messages: ["first"] });
  expect(results.cancel).toMatchObject({ code: 1, messages: ["first"] });
  expect(results.many.map(({ messages }) => messages[0])).toEqual(Array.from({ length: 300 }, (_, at) => `call ${at}`));
  expect(results.cancelledAtServer).toBe(2); // the deadline's, and the cancelled one
}

describe.skipIf(node === undefined)("gRPC", () => {
  let ends: GrpcEnds;
  let port: number;
  beforeAll(async () => {
    ends = new GrpcEnds();
    port = Number(await ends.line());
  });
  afterAll(() => ends.child.kill());

  const to = (scheme: "http" | "h2c", at: number): ListenerOptions["routes"] => {
    const authority = `127.0.0.1:${at}`;
    return {
      kind: "forward",
      to: { scheme, host: "127.0.0.1", port: at, authority, text: `${scheme}://${authority}` },
    };
  };

  test("without a sidecar, to know the ends", async () => check(await ends.call(port)), 30_000);

  test("over h2c in and out", async () => {
    const engine = await TestEngine.start({ routes: to("h2c", port) });
    check(await ends.call(engine.port()));
    engine.stop();
  }, 30_000);

  test("through two sidecars that speak HTTP/1.1 to each other: trailers go in chunks", async () => {
    const inner = await TestEngine.start({ routes: to("h2c", port) });
    const outer = await TestEngine.start({ routes: to("http", inner.port()) });
    check(await ends.call(outer.port()));
    outer.stop();
    inner.stop();
  }, 30_000);

  test("a server that cannot be reached is UNAVAILABLE, by trailers only", async () => {
    const engine = await TestEngine.start({ routes: to("h2c", 1) });
    const { unary, down } = await ends.call(engine.port());
    expect(unary.code).toBe(14);
    expect(down.code).toBe(14);
    engine.stop();
  }, 30_000);
});
