import { afterEach, describe, expect, test } from "bun:test";
import { Admission } from "../../src/http/admission.ts";
import { App } from "../kit/app.ts";
import { Flow } from "../kit/flow.ts";
import { readHead } from "../kit/message.ts";
import { type Framing, framingField, sendPayload } from "../kit/payload.ts";
import { until } from "../kit/until.ts";
import type { Wire } from "../kit/wire.ts";

const bytes = 256 * 1024 * 1024;
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
let app: App;
let flow: Flow;

afterEach(() => {
  app.stop();
  flow.stop();
});

describe("a connection whose other side stalls", () => {
  const bar = 256 * 1024;

  /** Bytes that wait in this process for either side of an exchange. */
  function waiting(): number {
    const admission: unknown = Reflect.get(flow.traffic, "admission");
    if (!(admission instanceof Admission)) throw new Error("admission is elsewhere");
    let most = 0;
    for (const session of admission.sessions) most = Math.max(most, session.heldBytes);
    return most;
  }

  /** Reads a little again and again, so that whole kernel buffers come in at once. */
  async function sip(wire: Wire): Promise<number> {
    let most = 0;
    for (let i = 0; i < 30; i++) {
      wire.read();
      await wire.some();
      wire.stall();
      await Bun.sleep(5);
      most = Math.max(most, waiting());
    }
    return most;
  }

  test.each(["length", "chunked"] as const)(
    "keeps at most 256 KiB of the answer, framing %s",
    async (framing: Framing) => {
      app = new App(async (wire) => {
        await readHead(wire);
        await wire.send(`HTTP/1.1 200 OK\r\n${framingField(framing, bytes)}\r\n`);
        await sendPayload(wire, bytes, framing);
      });
      flow = await Flow.start([{ to: app.port }]);
      const client = await flow.connect();
      await client.send(get);
      const most = await sip(client);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(bar);
    },
  );

  test.each(["length", "chunked"] as const)(
    "keeps at most 256 KiB of the request, framing %s",
    async (framing: Framing) => {
      let upstream: Wire | undefined;
      app = new App(async (wire) => {
        await readHead(wire);
        upstream = wire;
      });
      flow = await Flow.start([{ to: app.port }]);
      const client = await flow.connect();
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framingField(framing, bytes)}\r\n`);
      const sending = sendPayload(client, bytes, framing);
      await until(() => upstream !== undefined);
      const most = await sip(upstream!);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(bar - 64 * 1024); // the client waits from the first byte that must be kept on
      client.reset();
      await sending;
    },
  );
});
