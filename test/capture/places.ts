/**
 * Servers that tell how they were reached. Words: the host to listen on, then ports, each behind what it speaks:
 * `http=80`, `https=443`, `greeting=25`, `h2c=82`, `udp=53`. Says `ready` once all of them listen.
 */
import { createSocket } from "node:dgram";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";

const [host = "::", ...wishes] = process.argv.slice(2);

/** What a client learns of how its request came here. */
function tell({ localAddress, localPort, remoteAddress }: Socket, more: object): string {
  const plain = (text: string | undefined) => text?.replace(/^::ffff:/, "");
  return JSON.stringify({ at: `${plain(localAddress)} ${localPort}`, from: plain(remoteAddress), ...more });
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, rawHeaders, socket } = request;
  let length = 0;
  request.on("data", (bytes: Buffer) => {
    length += bytes.length;
  });
  request.on("end", () => response.end(tell(socket, { method, url, rawHeaders, length })));
}

function greet(socket: Socket): void {
  socket.on("error", () => {});
  socket.write(`220 ${tell(socket, {})}\r\n`);
  socket.on("data", (bytes) => socket.write(bytes));
}

const makers: Record<string, () => Promise<Server>> = {
  http: async () => createServer(answer),
  https: async () => createHttpsServer(await certificate(), answer),
  greeting: async () => createTcpServer(greet),
  h2c: async () =>
    createHttp2Server((request, response) => {
      const { url, authority } = request;
      response.end(tell(request.stream.session!.socket, { url, authority }));
    }),
};

async function certificate(): Promise<{ cert: string; key: string }> {
  const { mkdtempSync, readFileSync } = await import("node:fs");
  const folder = mkdtempSync("/tmp/places-");
  Bun.spawnSync(
    [
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=secret.example.com",
      "-keyout",
      `${folder}/key.pem`,
      "-out",
      `${folder}/cert.pem`,
    ],
    { stderr: "ignore" },
  );
  return { cert: readFileSync(`${folder}/cert.pem`, "utf8"), key: readFileSync(`${folder}/key.pem`, "utf8") };
}

for (const wish of wishes) {
  const [kind = "", port] = wish.split("=");
  if (kind === "udp") {
    const socket = createSocket("udp4");
    socket.on("message", (message, { address, port: from }) => socket.send(`${address} ${message}`, from, address));
    socket.bind(Number(port));
    continue;
  }
  const server = await makers[kind]!();
  await new Promise<void>((resolve) => server.listen({ host, port: Number(port), ipv6Only: false }, resolve));
}
process.stdout.write("ready\n");
