/** Correctness first: a proxy that answers wrongly is not timed. */
import { connect as connectHttp2 } from "node:http2";
import { networkInterfaces } from "node:os";
import { connect as connectTls } from "node:tls";
import type { Point } from "./points.ts";

/** What the app saw of a request to `/_echo`. */
interface Echo {
  head: string;
  bytes: number;
  hash: string;
}

interface Question {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: Buffer;
}

interface Reply {
  status: number;
  body: Uint8Array;
}

type Ask = (question: Question) => Promise<Reply>;

export class WrongAnswer extends Error {}

const AUTHORITY = "bench.local";

/** Fails with what was wrong. */
function expect(holds: boolean, what: string): void {
  if (!holds) throw new WrongAnswer(`not timed: ${what}`);
}

/** Asks by HTTP/1.1, with or without TLS, whatever the certificate says. */
export function overHttp1(port: number, scheme: "http" | "https" = "http"): Ask {
  return async ({ method, path, headers = {}, body }) => {
    const answer = await fetch(`${scheme}://127.0.0.1:${port}${path}`, {
      method,
      headers: { host: AUTHORITY, ...headers },
      ...(body && { body }),
      tls: { rejectUnauthorized: false },
    });
    return { status: answer.status, body: await answer.bytes() };
  };
}

/** Asks by HTTP/2 with prior knowledge, on a connection of its own. */
export function overHttp2(port: number): Ask {
  return ({ method, path, headers = {}, body }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    session.setTimeout(10_000, () => reject(new Error(`no answer to ${method} ${path} within 10 s`)));
    const stream = session.request({ ":method": method, ":path": path, ":authority": AUTHORITY, ...headers });
    const chunks: Buffer[] = [];
    let status = 0;
    stream.on("response", (answer) => {
      status = Number(answer[":status"]);
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => resolve({ status, body: Buffer.concat(chunks) }));
    stream.end(body);
    return promise.finally(() => session.close());
  };
}

/** Asks through the proxy what the point will ask, then what the origin saw of a request with a body. */
export async function checkHttp(ask: Ask, point: Point, { tls = false } = {}): Promise<void> {
  const path = point.requests()[0]!.toString("latin1").split(" ", 2)[1]!;
  const answer = await ask({ method: "GET", path });
  expect(answer.status === 200, `GET ${path} gave ${answer.status} instead of 200`);
  expect(
    answer.body.length === point.bodyBytes,
    `GET ${path} gave ${answer.body.length} bytes, not ${point.bodyBytes}`,
  );

  const refusal = await ask({ method: "GET", path: "/healthz" });
  expect(refusal.status === 204, `its own route /healthz gave ${refusal.status} instead of 204`);

  const body = Buffer.alloc(100_000, "outrigger bench ");
  const headers = { "x-kept": "as it is", "content-length": String(body.length) };
  const echo = await echoed(ask, { method: "POST", path: "/_echo/post?a=1", headers, body });
  expect(echo.head.startsWith("POST /_echo/post?a=1 HTTP/1.1\r\n"), `the origin saw the request line of ${echo.head}`);
  expect(echo.bytes === body.length, `the origin got ${echo.bytes} of ${body.length} bytes of body`);
  expect(echo.hash === Bun.hash(body).toString(16), "the origin got another body than was sent");
  const wanted = [`host: ${AUTHORITY}`, "x-kept: as it is"];
  if (point.switches.sameFields) wanted.push(`x-forwarded-proto: ${tls ? "https" : "http"}`);
  for (let n = 1; n <= (point.switches.filters ?? 0); n++) wanted.push(`x-filter-${n}: ${n}`);
  checkForwardedFor(echo.head);
  for (const field of wanted) {
    expect(echo.head.toLowerCase().includes(`\r\n${field}`), `the origin did not see \`${field}\` in\n${echo.head}`);
  }
}

/** That the field names the client, or this machine: Envoy writes its own address for clients on loopback. */
function checkForwardedFor(head: string): void {
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  const [, named = "nobody"] = /\r\nx-forwarded-for: *([^\r]*)/i.exec(head) ?? [];
  expect(
    ["127.0.0.1", ...addresses].includes(named),
    `x-forwarded-for names ${named} instead of the client in\n${head}`,
  );
}

async function echoed(ask: Ask, question: Question): Promise<Echo> {
  const answer = await ask(question);
  expect(answer.status === 200, `${question.method} ${question.path} gave ${answer.status} instead of 200`);
  return JSON.parse(Buffer.from(answer.body).toString()) as Echo;
}

/** That TLS is 1.3 and nothing less. */
export async function checkTls(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }, () =>
    resolve(socket.getProtocol()),
  );
  socket.on("error", reject);
  socket.setTimeout(10_000, () => reject(new Error("no TLS handshake within 10 s")));
  const protocol = await promise.finally(() => socket.destroy());
  expect(protocol === "TLSv1.3", `the handshake gave ${protocol} instead of TLSv1.3`);
}

/** That bytes go through untouched: the origin must see the head as it was sent. */
export async function checkTcp(port: number, point: Point): Promise<void> {
  const path = point.requests()[0]!.toString("latin1").split(" ", 2)[1]!;
  const answer = await overHttp1(port)({ method: "GET", path });
  expect(answer.status === 200, `GET ${path} gave ${answer.status} instead of 200`);
  expect(
    answer.body.length === point.bodyBytes,
    `GET ${path} gave ${answer.body.length} bytes, not ${point.bodyBytes}`,
  );
  const body = Buffer.alloc(1 << 20, "outrigger bench ");
  const echo = await echoed(overHttp1(port), {
    method: "POST",
    path: "/_echo",
    headers: { "x-kept": "as it is" },
    body,
  });
  expect(echo.hash === Bun.hash(body).toString(16), "the origin got another body than was sent");
  expect(!/\r\n(x-forwarded-|via:)/i.test(echo.head), `the origin saw fields nobody sent:\n${echo.head}`);
}
