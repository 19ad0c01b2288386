/** Correctness first: a proxy that answers wrongly is not timed. */
import type { Point } from "./points.ts";

interface Echo {
  head: string;
  bytes: number;
  hash: string;
}

export class WrongAnswer extends Error {}

/** Asks through the proxy at `port` what the point will ask, and what the origin saw of it. */
export async function checkAnswers(label: string, port: number, point: Point): Promise<void> {
  const expect = (holds: boolean, what: string): void => {
    if (!holds) throw new WrongAnswer(`${label} is not timed: ${what}`);
  };
  const asked = point.requests()[0]!.toString("latin1").split(" ", 2)[1]!;
  const answer = await fetch(`http://127.0.0.1:${port}${asked}`);
  const body = await answer.bytes();
  expect(answer.status === 200, `GET ${asked} gave ${answer.status} instead of 200`);
  expect(body.length === point.bodyBytes, `GET ${asked} gave ${body.length} bytes instead of ${point.bodyBytes}`);

  const refusal = await fetch(`http://127.0.0.1:${port}/healthz`);
  expect(refusal.status === 204, `its own route /healthz gave ${refusal.status} instead of 204`);

  const sent = Buffer.alloc(100_000, "outrigger bench ");
  const headers = { host: "bench.local", "x-kept": "as it is" };
  const posted = await fetch(`http://127.0.0.1:${port}/_echo/post?a=1`, { method: "POST", headers, body: sent });
  const echo = (await posted.json()) as Echo;
  expect(echo.head.startsWith("POST /_echo/post?a=1 HTTP/1.1\r\n"), `the origin saw the request line of ${echo.head}`);
  expect(echo.bytes === sent.length, `the origin got ${echo.bytes} of ${sent.length} bytes of body`);
  expect(echo.hash === Bun.hash(sent).toString(16), "the origin got another body than was sent");
  const wanted = ["host: bench.local", "x-kept: as it is", "x-forwarded-for: 127.0.0.1"];
  if (point.sameFields) wanted.push("x-forwarded-proto: http");
  for (const field of wanted) {
    expect(echo.head.toLowerCase().includes(`\r\n${field}`), `the origin did not see \`${field}\` in\n${echo.head}`);
  }
}

/** What the origin counted so far. */
export async function originCount(port: number): Promise<{ connections: number; requests: number }> {
  const answer = await fetch(`http://127.0.0.1:${port}/_count`);
  return (await answer.json()) as { connections: number; requests: number };
}
