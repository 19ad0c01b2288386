import { afterEach, describe, expect, test } from "bun:test";
import { App, ok } from "../kit/app.ts";
import { Flow } from "../kit/flow.ts";
import { type Answer, type Head, readAnswer, readHead } from "../kit/message.ts";
import type { Wire } from "../kit/wire.ts";

let flow: Flow;
let app: App;
let heads: Head[];

afterEach(() => {
  flow.stop();
  app.stop();
});

async function start(): Promise<Wire> {
  heads = [];
  app = new App(async (wire) => {
    for (let head = await readHead(wire); head !== undefined; head = await readHead(wire)) {
      heads.push(head);
      await wire.send(ok("x"));
    }
  });
  flow = await Flow.start([{ to: app.port }]);
  return flow.connect();
}

async function ask(client: Wire, request: string): Promise<Answer> {
  await client.send(request);
  return readAnswer(client);
}

describe("OPTIONS", () => {
  test.each(["OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"])(
    "about the server itself goes on as such: %p",
    async (request) => {
      const client = await start();
      expect((await ask(client, request)).text).toBe("x");
      expect(heads[0]!.start).toBe("OPTIONS * HTTP/1.1");
    },
  );

  test("with Max-Forwards goes one step less far each time", async () => {
    const client = await start();
    for (const [given, sent] of [
      ["5", "4"],
      ["1", "0"],
      ["007", "6"],
      ["99999999999999999999", "2147483647"],
    ]) {
      expect((await ask(client, `OPTIONS /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${given}\r\n\r\n`)).text).toBe("x");
      expect(heads.at(-1)!.field("max-forwards")).toBe(sent);
    }
  });

  test("that was to come only this far is answered here", async () => {
    const client = await start();
    const answer = await ask(client, "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
    expect([answer.head.status, answer.head.field("content-length"), heads.length]).toEqual([200, "0", 0]);
    expect((await ask(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).text).toBe("x"); // the connection goes on
  });

  test.each(["-1", "1x", "0x1", "", "1, 2", "1.0"])("with Max-Forwards %p is refused", async (value) => {
    const client = await start();
    const answer = await ask(client, `OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`);
    expect([answer.head.status, heads.length]).toEqual([400, 0]);
  });

  test("alone counts Max-Forwards", async () => {
    const client = await start();
    await ask(client, "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
    expect(heads[0]!.field("max-forwards")).toBe("0");
  });
});

test("TRACE is refused, as it would hand out credentials, and says what is allowed", async () => {
  const client = await start();
  const answer = await ask(client, "TRACE / HTTP/1.1\r\nHost: a\r\nAuthorization: secret\r\n\r\n");
  expect([answer.head.status, JSON.parse(answer.text).code, answer.text.includes("secret")]).toEqual([
    405,
    "trace_refused",
    false,
  ]);
  expect(answer.head.field("allow")).toContain("GET");
  expect(heads).toEqual([]);
  expect((await ask(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).text).toBe("x");
});

describe("a circle", () => {
  test("ends with 508 instead of going on for ever", async () => {
    await start();
    const [one, two] = [await Flow.start([{ to: app.port }]), await Flow.start([{ to: app.port }])];
    await one.reload([{ to: two.port() }]);
    await two.reload([{ to: one.port() }]);
    const wire = await one.connect();
    const answer = await ask(wire, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect([answer.head.status, JSON.parse(answer.text).code]).toEqual([508, "loop"]);
    expect(one.failures("loop") + two.failures("loop")).toBe(1);
    one.stop();
    two.stop();
  });

  test.each([
    ["fifteen of our own", Array(15).fill("1.1 outrigger").join(", "), 200],
    ["sixteen of our own", Array(16).fill("HTTP/1.1 outrigger (x)").join(" ,"), 508],
    ["thirty of others", Array(30).fill("1.1 outrigger.example.com, 1.0 fred (outrigger)").join(", "), 200],
  ])("is not seen in, or seen in, a Via of %s", async (_, via, status) => {
    const client = await start();
    expect((await ask(client, `GET / HTTP/1.1\r\nHost: a\r\nVia: ${via}\r\n\r\n`)).head.status).toBe(status);
  });

  test("counts several lines as one list", async () => {
    const client = await start();
    const lines = "Via: 1.1 outrigger\r\n".repeat(16);
    expect((await ask(client, `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)).head.status).toBe(508);
  });
});
