/**
 * The traffic of a soak: acts that are repeated until the time is over, each with what must be true of its answer. An
 * act that finds something else throws.
 */
import { connect as connectHttp2 } from "node:http2";
import { ask, type RawConnection, rawClient } from "../test/kit/raw.ts";
import { Echoes } from "./echoes.ts";
import { closedLoop, fixedRate, Load } from "./load.ts";
import { patterned } from "./soak-pattern.ts";
import type { Ports } from "./soak-sidecar.ts";

export interface Act {
  name: string;
  /** Pause before it is repeated. */
  everyMs: number;
  run(ports: Ports): Promise<void>;
}

const MIB = 1 << 20;

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: soak.local\r\n${more}\r\n`;

function sha1(body: Uint8Array): string {
  return new Bun.CryptoHasher("sha1").update(body).digest("hex");
}

/** Opens a raw connection for the length of `work`. */
async function withRaw(port: number, work: (raw: RawConnection) => Promise<void>): Promise<void> {
  const raw = await rawClient(port);
  try {
    await work(raw);
  } finally {
    raw.reset();
  }
}

async function steady(port: number, tls = false): Promise<void> {
  const requests = Array.from({ length: 100 }, (_, i) => Buffer.from(get(`/say/request-${100 + i}`)));
  const load = await Load.connect({ port, connections: 8, requests, tls });
  try {
    await fixedRate(load, 150, 3000);
    must(load.failed === 0, `${load.failed} of ${load.answered} failed, the first with: ${load.firstFailure}`);
  } finally {
    load.close();
  }
}

/** Twenty requests in one write; twenty answers in their order. */
async function pipelined({ plain }: Ports): Promise<void> {
  await withRaw(plain, async (raw) => {
    const words = Array.from({ length: 20 }, (_, i) => `word${i}-${crypto.randomUUID()}`);
    raw.send(words.map((word) => get(`/say/${word}`)).join(""));
    await raw.receives(words.at(-1)!);
    const told = [...raw.received.matchAll(/\r\n\r\n(word\d+-[\da-f-]{36})/g)].map(([, word]) => word);
    must(told.join() === words.join(), `pipelined answers came as ${told.join()}`);
  });
}

async function upload({ plain }: Ports, url = `http://127.0.0.1:${plain}`): Promise<void> {
  const body = patterned(6 * MIB + 12_345);
  const answer = await fetch(`${url}/hash/`, { method: "POST", body, tls: { rejectUnauthorized: false } });
  const told = (await answer.json()) as { bytes: number; hash: string };
  must(told.bytes === body.length && told.hash === sha1(body), `the app got ${told.bytes} of ${body.length} bytes`);
}

async function download({ plain }: Ports): Promise<void> {
  for (const path of [`/bytes/${16 * MIB}`, `/chunked/${MIB}`]) {
    const body = await (await fetch(`http://127.0.0.1:${plain}${path}`)).bytes();
    const wanted = Number(path.split("/").at(-1));
    must(body.length === wanted && patterned(wanted).equals(body), `${path} gave ${body.length} bytes or others`);
  }
}

/** Reads nothing for a second in the middle of an answer. */
async function slowReader({ plain }: Ports): Promise<void> {
  await withRaw(plain, async (raw) => {
    raw.send(get(`/bytes/${4 * MIB}`));
    await raw.receives("\r\n\r\n");
    raw.pause();
    await Bun.sleep(1000);
    raw.resume();
    const size = raw.received.indexOf("\r\n\r\n") + 4 + 4 * MIB;
    await raw.receives((received) => received.length >= size, `${size} bytes`);
    const body = Buffer.from(raw.received, "latin1").subarray(size - 4 * MIB);
    must(patterned(4 * MIB).equals(body), "a slow reader got other bytes");
  });
}

/** Head and body in small pieces over a second. */
async function slowSender({ plain }: Ports): Promise<void> {
  await withRaw(plain, async (raw) => {
    const body = patterned(5000);
    const head = `POST /hash/ HTTP/1.1\r\nHost: soak.local\r\nContent-Length: ${body.length}\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(head), body]);
    for (let at = 0; at < bytes.length; at += 250) {
      raw.send(bytes.subarray(at, at + 250));
      await Bun.sleep(50);
    }
    await raw.receives("}");
    must(raw.received.includes(sha1(body)), `a slow sender got\n${raw.received}`);
  });
}

/** The client has said all it has to say and listens on. */
async function halfClosed({ plain }: Ports): Promise<void> {
  await withRaw(plain, async (raw) => {
    raw.send(get("/slow/"));
    raw.finish();
    await raw.over();
    must(raw.received.endsWith("0123456789"), `a half-closed client got\n${raw.received}`);
  });
}

/** Clients that vanish: in a head, in a body, in an answer, before anything. */
async function resets({ plain, tls, tcp }: Ports): Promise<void> {
  const pieces = [
    "GET /say/nothing HT",
    "POST /hash/ HTTP/1.1\r\nHost: soak.local\r\nContent-Length: 100000\r\n\r\nhalf",
    get(`/bytes/${8 * MIB}`),
    get("/slow/"),
    "",
  ];
  for (const port of [plain, tls, tcp].filter((port) => port > 0)) {
    for (const piece of pieces) {
      const raw = await rawClient(port);
      raw.send(piece);
      await Bun.sleep(20);
      raw.reset();
    }
  }
}

/** The app breaks off: the client must not take what it got for a whole answer. */
async function appCuts({ plain }: Ports): Promise<void> {
  await withRaw(plain, async (raw) => {
    raw.send(get("/cut/"));
    await raw.over();
    const body = raw.received.split("\r\n\r\n")[1] ?? "";
    const isRefusal = raw.received.startsWith("HTTP/1.1 502");
    must(isRefusal || body.length < 1000, `an answer that was cut off came as ${body.length} bytes`);
  });
}

/** What must be refused, with the connection closed after it. */
async function hostile({ plain }: Ports): Promise<void> {
  const requests = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nBad Name: a\r\nHost: a\r\n\r\n",
    `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ];
  for (const request of requests) {
    const told = await ask(plain, request);
    must(/^HTTP\/1\.1 4\d\d /.test(told), `hostile input was answered with\n${told.slice(0, 200)}`);
  }
}

/** Opens connections and says nothing: the time limit on heads must close them. */
async function silent({ plain, tls }: Ports): Promise<void> {
  const ports = [plain, plain, plain, tls, tls].filter((port) => port > 0);
  const clients = await Promise.all(ports.map((port) => rawClient(port)));
  await Promise.all(clients.map((client) => client.over()));
  for (const client of clients) client.close();
}

async function websocket({ plain }: Ports): Promise<void> {
  const echoes = await Echoes.connect({ port: plain, connections: 4, payload: patterned(2000) });
  try {
    await closedLoop(echoes, 10, 500, () => {});
    must(echoes.failed === 0, `${echoes.failed} echoes failed, the first with: ${echoes.firstFailure}`);
  } finally {
    echoes.close();
  }
}

/** Twenty streams at once, some of them cancelled in the middle. */
async function http2(url: string): Promise<void> {
  const session = connectHttp2(url, { rejectUnauthorized: false });
  const failed = new Promise<never>((_, reject) => {
    session.on("error", reject);
    setTimeout(() => reject(new Error("HTTP/2 streams were not answered within 20 s")), 20_000).unref();
  });
  try {
    await Promise.race([failed, Promise.all(Array.from({ length: 20 }, (_, i) => stream(session, i)))]);
  } finally {
    session.destroy();
  }
}

async function stream(session: ReturnType<typeof connectHttp2>, i: number): Promise<void> {
  const cancelled = i % 5 === 4;
  const path = cancelled ? `/bytes/${4 * MIB}` : `/bytes/${1000 * (i + 1)}`;
  const request = session.request({ ":path": path, ":authority": "soak.local" });
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    if (cancelled) request.close(8);
  });
  request.on("end", () => resolve(Buffer.concat(chunks)));
  request.on("close", () => resolve(Buffer.concat(chunks)));
  request.on("error", (error) => (cancelled ? resolve(Buffer.alloc(0)) : reject(error)));
  const body = await promise;
  const wanted = 1000 * (i + 1);
  must(cancelled || patterned(wanted).equals(body), `an HTTP/2 stream of ${wanted} bytes gave ${body.length}`);
}

const plainActs: readonly Act[] = [
  { name: "steady requests", everyMs: 0, run: ({ plain }) => steady(plain) },
  { name: "pipelined requests", everyMs: 200, run: pipelined },
  { name: "uploads", everyMs: 700, run: upload },
  { name: "downloads", everyMs: 900, run: download },
  { name: "slow readers", everyMs: 500, run: slowReader },
  { name: "slow senders", everyMs: 300, run: slowSender },
  { name: "half-closed clients", everyMs: 300, run: halfClosed },
  { name: "clients that reset", everyMs: 200, run: resets },
  { name: "apps that break off", everyMs: 300, run: appCuts },
  { name: "hostile input", everyMs: 400, run: hostile },
  { name: "silent connections", everyMs: 1000, run: silent },
];

const tlsActs: readonly Act[] = [
  { name: "requests over TLS", everyMs: 300, run: ({ tls }) => steady(tls, true) },
  { name: "uploads over TLS", everyMs: 1500, run: (ports) => upload(ports, `https://127.0.0.1:${ports.tls}`) },
];

/** All acts that make sense with these ports. WebSocket and HTTP/2 have no key of their own: they are tried. */
export async function actsFor(ports: Ports): Promise<{ acts: Act[]; left: string[] }> {
  const acts = [...plainActs, ...(ports.tls > 0 ? tlsActs : [])];
  if (ports.tcp > 0) acts.push({ name: "requests through plain TCP", everyMs: 300, run: ({ tcp }) => steady(tcp) });
  const left: string[] = [];
  const tried: Act[] = [
    { name: "WebSocket echoes", everyMs: 500, run: websocket },
    { name: "HTTP/2 streams", everyMs: 300, run: ({ plain }) => http2(`http://127.0.0.1:${plain}`) },
  ];
  if (ports.tls > 0) {
    tried.push({ name: "HTTP/2 streams over TLS", everyMs: 700, run: ({ tls }) => http2(`https://127.0.0.1:${tls}`) });
  }
  for (const act of tried) {
    const fault = await act.run(ports).then(
      () => undefined,
      (error: Error) => error.message.split("\n").slice(0, 2).join(" "),
    );
    if (fault === undefined) acts.push(act);
    else left.push(`${act.name}: ${fault}`);
  }
  return { acts, left };
}
