/** Reviews as they may be cut, joined and broken on the wire. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type TLSSocket } from "node:tls";
import type { Webhook } from "../../src/injector/webhook.ts";
import { canMakeCertificates } from "../kit/certificates.ts";
import { until } from "../kit/until.ts";
import { FakeCluster, healthUrl, metric, pod, review, serviceName } from "../kit/webhook-run.ts";

const body = review(pod());
const start = (version = "1.1") =>
  `POST /inject HTTP/${version}\r\nHost: ${serviceName}\r\nContent-Type: application/json\r\n`;
const head = (more = "", version = "1.1") =>
  `${start(version)}Content-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n`;

/** A client that says exactly what it is told, and keeps what it hears. */
class RawClient {
  heard = "";
  isEnded = false;
  readonly socket: TLSSocket;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.heard += bytes;
    });
    socket.on("end", () => {
      this.isEnded = true;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isEnded = true;
    });
  }

  static open(port: number, ca: string, more: object = {}): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, ca, servername: serviceName, ...more }, () =>
        resolve(new RawClient(socket)),
      );
      socket.on("error", reject);
    });
  }

  async answers(count: number): Promise<string[]> {
    const heads = () => this.heard.split(/(?=HTTP\/1\.1 \d)/).filter(Boolean);
    const isWhole = (one: string) => {
      const [headText = "", bodyText] = one.split("\r\n\r\n");
      const length = /^Content-Length: (\d+)/im.exec(headText)?.[1];
      return bodyText !== undefined && (length === undefined || bodyText.length >= Number(length));
    };
    await until(() => heads().filter(isWhole).length >= count, {
      what: `${count} answers in ${this.heard.slice(0, 200)}`,
    });
    return heads();
  }
}

describe.skipIf(!canMakeCertificates)("on the wire", () => {
  let cluster: FakeCluster;
  let webhook: Webhook;
  const open = (more: object = {}) => RawClient.open(webhook.port, cluster.caBundle, more);
  beforeAll(async () => {
    cluster = new FakeCluster();
    webhook = await cluster.started();
  });
  afterAll(() => cluster.remove());

  test("reviews that come together are answered one after the other, on one connection", async () => {
    const client = await open();
    client.socket.write((head() + body).repeat(3));
    const answers = await client.answers(3);
    expect(answers.map((one) => one.startsWith("HTTP/1.1 200 OK"))).toEqual([true, true, true]);
    expect(client.isEnded).toBe(false);
    client.socket.destroy();
  });

  test("a review in small pieces is the same review", async () => {
    const client = await open();
    const text = head() + body;
    for (let at = 0; at < text.length; at += 37) {
      client.socket.write(text.slice(at, at + 37));
      if (at % 5 === 0) await Bun.sleep(1);
    }
    expect((await client.answers(1))[0]).toContain('"allowed":true');
    client.socket.destroy();
  });

  test("a client that asks before it sends (100-continue), and one of HTTP/1.0, are served", async () => {
    const asking = await open();
    asking.socket.write(head("Expect: 100-continue\r\n"));
    await until(() => asking.heard === "HTTP/1.1 100 Continue\r\n\r\n");
    asking.socket.write(body);
    expect((await asking.answers(2))[1]).toContain("200 OK");
    asking.socket.destroy();
    const old = await open();
    old.socket.write(head("", "1.0") + body);
    expect((await old.answers(1))[0]).toContain("Connection: close");
    await until(() => old.isEnded);
  });

  test("chunks are joined; broken chunks and an ambiguous length are refused", async () => {
    const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
    const chunked = `${start()}Transfer-Encoding: chunked\r\n\r\n`;
    const client = await open();
    client.socket.write([chunked, chunk(body.slice(0, 10)), chunk(body.slice(10)), "0\r\n\r\n"].join(""));
    expect((await client.answers(1))[0]).toContain('"allowed":true');
    client.socket.destroy();
    for (const wrong of [
      `${chunked}zz\r\n`,
      head("Transfer-Encoding: chunked\r\n"),
      head("Content-Length: 3\r\n"),
      "\x00\x01",
    ]) {
      const broken = await open();
      broken.socket.write(wrong + (wrong === "\x00\x01" ? "\r\n\r\n" : ""));
      expect((await broken.answers(1))[0]).toStartWith("HTTP/1.1 400 Bad Request");
      await until(() => broken.isEnded);
    }
    expect(
      await metric(healthUrl(webhook), 'outrigger_webhook_requests_total{outcome="turned_away",reason="bad_http"}'),
    ).toBe(4);
  });

  test("clients that leave in the middle leave nothing behind", async () => {
    for (const text of ["", "POST /inj", head(), head() + body.slice(0, 100), head() + body]) {
      const client = await open();
      if (text !== "") client.socket.write(text);
      await Bun.sleep(20);
      client.socket.destroy();
    }
    await until(async () => (await metric(healthUrl(webhook), "outrigger_webhook_connections")) === 0);
    const client = await open();
    client.socket.write(head() + body);
    expect((await client.answers(1))[0]).toContain("200 OK");
    client.socket.destroy();
  });

  test("TLS 1.2 is spoken, 1.1 is not; HTTP/2 is not offered; plain HTTP is closed", async () => {
    const secure = await open({ maxVersion: "TLSv1.2", ALPNProtocols: ["h2", "http/1.1"] });
    expect([secure.socket.getProtocol(), secure.socket.alpnProtocol]).toEqual(["TLSv1.2", "http/1.1"]);
    secure.socket.destroy();
    expect(open({ minVersion: "TLSv1.1", maxVersion: "TLSv1.1" })).rejects.toThrow();
    const plain = await fetch(`http://127.0.0.1:${webhook.port}/inject`).catch((error: Error) => error);
    expect(plain).toBeInstanceOf(Error);
    const failed = 'outrigger_webhook_connections_failed_total{reason="http_on_tls_port"}';
    expect(await metric(healthUrl(webhook), failed)).toBe(1);
  });
});
