/**
 * The tutorial's Scala client: calls http://localhost:7979/hello by the clock and prints the answer as
 * akka-http prints a response.
 *
 *   TARGET_URL  what it calls (http://localhost:7979/hello)
 *   INTERVAL  milliseconds between two calls (15000)
 */
import { get, type IncomingMessage } from "node:http";

/** Fields that akka-http counts to the entity or the connection, not to the list of headers. */
const apart = ["content-type", "content-length", "transfer-encoding", "connection", "keep-alive"];

/** akka-http prints a field by its usual name, however it was written on the wire. */
function usualName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

function headerList({ rawHeaders }: IncomingMessage): string {
  const shown: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!apart.includes(rawHeaders[i]!.toLowerCase())) shown.push(`${usualName(rawHeaders[i]!)}: ${rawHeaders[i + 1]}`);
  }
  return `List(${shown.join(", ")})`;
}

async function describe(response: IncomingMessage): Promise<string> {
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  const status = `${response.statusCode} ${response.statusMessage}`;
  const entity = `HttpEntity.Strict(${response.headers["content-type"] ?? "none"},${bytes} bytes total)`;
  return `HttpResponse(${status},${headerList(response)},${entity},HttpProtocol(HTTP/${response.httpVersion}))`;
}

/** Calls once; resolves to the answer as akka-http prints it. Rejects when there was none. */
export function call(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, (response) => describe(response).then(resolve, reject)).on("error", reject);
  });
}

if (import.meta.main) {
  const url = process.env.TARGET_URL ?? "http://localhost:7979/hello";
  const calling = setInterval(
    () => {
      call(url).then(console.log, () => console.error("something wrong"));
    },
    Number(process.env.INTERVAL ?? 15_000),
  );
  process.on("SIGTERM", () => clearInterval(calling));
}
