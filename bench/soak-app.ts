/**
 * The app of the soak. Prints its port.
 *
 *   /say/TEXT   TEXT                        /bytes/N    N bytes that say where they stand
 *   /hash       how much body came, its hash /chunked/N  the same bytes in chunks of 4 KiB
 *   /slow       ten pieces in half a second /cut        a tenth of what it announces, then a reset
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { patterned } from "./soak-pattern.ts";

const CHUNK = 4096;

async function say(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, kind = "", word = ""] = (request.url ?? "/").split("/");
  if (kind === "hash") return hash(request, response);
  request.resume();
  if (kind === "say") response.end(word);
  else if (kind === "bytes") response.setHeader("content-length", word).end(patterned(Number(word)));
  else if (kind === "chunked") await pieces(response, Number(word));
  else if (kind === "slow") await slowly(response);
  else if (kind === "cut") cut(response);
  else response.writeHead(404).end();
}

async function hash(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hasher = new Bun.CryptoHasher("sha1");
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hasher.update(chunk);
    bytes += chunk.length;
  }
  response.setHeader("content-type", "application/json").end(JSON.stringify({ bytes, hash: hasher.digest("hex") }));
}

async function pieces(response: ServerResponse, bytes: number): Promise<void> {
  const body = patterned(bytes);
  for (let at = 0; at < bytes; at += CHUNK) {
    if (!response.write(body.subarray(at, at + CHUNK))) await drained(response);
  }
  response.end();
}

/** A client that went away drains nothing. */
function drained(response: ServerResponse): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("drain", resolve).once("close", resolve);
  return promise.finally(() => response.off("drain", resolve).off("close", resolve));
}

async function slowly(response: ServerResponse): Promise<void> {
  response.setHeader("content-length", 10);
  for (let piece = 0; piece < 10; piece++) {
    response.write(String(piece));
    await Bun.sleep(50);
  }
  response.end();
}

function cut(response: ServerResponse): void {
  response.setHeader("content-length", 1000);
  response.write("x".repeat(100), () => response.socket?.destroy());
}

const server = createServer((request, response) => {
  say(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as { port: number }).port}\n`));
