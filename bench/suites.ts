/** The commands that compare proxies. */
import { checkHttp, checkTcp, checkTls, overHttp1, overHttp2, WrongAnswer } from "./check.ts";
import { latenciesOf, sessionOf } from "./clients.ts";
import { Echoes } from "./echoes.ts";
import { h2loadLatencies, h2loadSession } from "./h2load.ts";
import { Handshakes } from "./handshakes.ts";
import { Load } from "./load.ts";
import { startHttp2Origin, startOrigin, startOriginWithCertificate, startWebsocketOrigin } from "./origins.ts";
import { http2Points, type Point, points, tcpPoints, tlsPoints, websocketPoints } from "./points.ts";
import type { Session, Suite } from "./suite.ts";

const CLOSED_LOOP =
  "The load asks again on each connection as soon as it is answered; connections stay open for a round.";

function http1Load(port: number, { connections, requests }: Point, tls = false): Promise<Load> {
  return Load.connect({ port, connections, requests: requests(), tls });
}

const http: Suite = {
  name: "http",
  unit: "request",
  contenders: ["haproxy", "nginx", "envoy", "http-proxy", "httpxy", "fastify"],
  points,
  switches: {},
  method: CLOSED_LOOP,
  startOrigin,
  check: (_label, port, point) => checkHttp(overHttp1(port), point),
  open: async (port, point) => sessionOf(await http1Load(port, point)),
  latencies: async (port, point, rate) => latenciesOf(await http1Load(port, point), rate),
};

const http2: Suite = {
  name: "http2",
  unit: "request",
  contenders: ["haproxy", "nginx", "envoy", "node-http2", "bun-http2"],
  points: http2Points,
  switches: { http2: 1 },
  method:
    "HTTP/2 by prior knowledge from the load to the proxy and on to the app, except nginx, which speaks HTTP/1.1 to the app. The load is h2load, the app nginx: a stretch of load is a number of requests, and h2load's count of 2xx answers and of bytes must be what was asked for. Its connections are new in each slice.",
  missing: () => {
    const missing = ["h2load", "nginx"].filter((name) => !Bun.which(name, { PATH: `${process.env.PATH}:/usr/sbin` }));
    return missing.length === 0 ? undefined : `needs ${missing.join(" and ")} (Debian packages nghttp2-client, nginx)`;
  },
  startOrigin: startHttp2Origin,
  check: (_label, port, point) => checkHttp(overHttp2(port), point),
  open: async (port, point) => h2loadSession(port, point),
  latencies: (port, point, rate) => h2loadLatencies(port, point, rate),
};

function openTls(port: number, point: Point): Session | Promise<Session> {
  if (!point.switches.handshakes) return http1Load(port, point, true).then(sessionOf);
  const { connections, bodyBytes } = point;
  return sessionOf(new Handshakes({ port, connections, bodyBytes, request: point.requests()[0]! }));
}

const tls: Suite = {
  name: "tls",
  unit: "request",
  contenders: ["haproxy", "nginx", "envoy", "http-proxy", "httpxy"],
  points: tlsPoints,
  switches: { tls: 1 },
  method: `TLS 1.3 from the load to the proxy, plain HTTP/1.1 to the app; the certificate has a P-256 key. ${CLOSED_LOOP}`,
  startOrigin: startOriginWithCertificate,
  check: async (_label, port, point) => {
    await checkTls(port);
    await checkHttp(overHttp1(port, "https"), point, { tls: true });
  },
  open: async (port, point) => openTls(port, point),
  latencies: async (port, point, rate) => latenciesOf(await http1Load(port, point, !rate.direct), rate),
};

const websocket: Suite = {
  name: "websocket",
  unit: "message",
  contenders: ["haproxy", "nginx", "envoy", "http-proxy", "httpxy", "fastify"],
  points: websocketPoints,
  switches: { websocket: 1 },
  method:
    "Each connection is upgraded through the proxy, then sends a binary message and waits for its echo, over and over; every echo is compared with what was sent.",
  startOrigin: startWebsocketOrigin,
  check: (_label, port, point) => checkEcho(port, point),
  open: async (port, point) => sessionOf(await echoes(port, point)),
  latencies: async (port, point, rate) => latenciesOf(await echoes(port, point), rate),
};

function echoes(port: number, { connections, bodyBytes }: Point): Promise<Echoes> {
  return Echoes.connect({ port, connections, payload: Buffer.alloc(bodyBytes, "0123456789abcdef") });
}

/** One message through the proxy and back, by the runtime's own client. */
async function checkEcho(port: number, { bodyBytes }: Point): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
  client.binaryType = "nodebuffer";
  const sent = crypto.getRandomValues(Buffer.alloc(bodyBytes));
  client.onopen = () => client.send(sent);
  client.onmessage = ({ data }) => resolve(data);
  client.onerror = () => reject(new WrongAnswer("not timed: a WebSocket client could not connect"));
  client.onclose = () => reject(new WrongAnswer("not timed: a WebSocket client was closed before its echo"));
  setTimeout(() => reject(new WrongAnswer("not timed: a WebSocket client got no echo within 5 s")), 5000);
  const echo = await promise.finally(() => client.close());
  if (!Buffer.isBuffer(echo) || !echo.equals(sent)) throw new WrongAnswer("not timed: the echo is not what was sent");
}

const tcp: Suite = {
  name: "tcp",
  unit: "answer",
  tcp: true,
  contenders: ["haproxy", "nginx", "envoy"],
  points: tcpPoints,
  switches: {},
  method: `Bytes that no proxy looks into: the load and the app speak HTTP/1.1 through them, which lets both count. ${CLOSED_LOOP}`,
  startOrigin,
  check: (_label, port, point) => checkTcp(port, point),
  open: async (port, point) => sessionOf(await http1Load(port, point)),
  latencies: async (port, point, rate) => latenciesOf(await http1Load(port, point), rate),
};

export const suites: Readonly<Record<string, Suite>> = { http, http2, tls, websocket, tcp };
