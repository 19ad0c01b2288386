/**
 * The app behind the proxies: answers from memory and keeps every connection. `bun bench/origin.ts` prints its port.
 *
 *   /…           64 bytes           /_body/N   N bytes           /_64   an answer of 64 bytes, its head included
 *   /_echo…      the request's head as it arrived, and what came as its body
 *   /_count      connections accepted and requests answered so far
 */
import type { Socket } from "bun";

interface Client {
  /** What arrived of a request that is not complete yet. */
  pending: Buffer | undefined;
  /** What of an answer the kernel did not take yet. */
  unsent: Buffer | undefined;
}

const HEAD_END = "\r\n\r\n";
const count = { connections: 0, requests: 0 };
const bodies = new Map<number, Buffer>();

function answer(type: string, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body);
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\nDate: ${new Date().toUTCString()}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

const small = answer("text/plain", "0123456789abcdef".repeat(4));

const tiny = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n0123456789abcdef012345678");

function filled(bytes: number): Buffer {
  const known = bodies.get(bytes);
  if (known) return known;
  const made = answer("application/octet-stream", Buffer.alloc(bytes, "x"));
  bodies.set(bytes, made);
  return made;
}

/** Answers of the paths that begin with `/_`; everything else is the small one. */
function special(head: string, body: Buffer): Buffer {
  const path = head.split(" ", 2)[1] ?? "/";
  if (path === "/_64") return tiny;
  if (path.startsWith("/_body/")) return filled(Number(path.slice("/_body/".length)));
  if (path.startsWith("/_count")) return answer("application/json", JSON.stringify(count));
  if (!path.startsWith("/_echo")) return small;
  return answer("application/json", JSON.stringify({ head, bytes: body.length, hash: Bun.hash(body).toString(16) }));
}

function send(socket: Socket<Client>, bytes: Buffer): void {
  if (socket.data.unsent) {
    socket.data.unsent = Buffer.concat([socket.data.unsent, bytes]);
    return;
  }
  const taken = socket.write(bytes);
  if (taken >= 0 && taken < bytes.length) socket.data.unsent = bytes.subarray(taken);
}

/** Answers every complete request in `bytes`, which begins at the start of one; keeps the rest. */
function serve(socket: Socket<Client>, bytes: Buffer): void {
  let rest = bytes;
  while (rest.length > 0) {
    const headEnd = rest.indexOf(HEAD_END);
    if (headEnd < 0) break;
    const head = rest.toString("latin1", 0, headEnd);
    const bodyStart = headEnd + HEAD_END.length;
    const bodyEnd = bodyStart + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (rest.length < bodyEnd) break;
    count.requests++;
    send(socket, special(head, rest.subarray(bodyStart, bodyEnd)));
    rest = rest.subarray(bodyEnd);
  }
  socket.data.pending = rest.length > 0 ? rest : undefined;
}

/** True for one whole GET of a plain path: the case that is timed, answered without looking further. */
function isPlainGet(bytes: Buffer): boolean {
  return bytes[0] === 0x47 && bytes[5] !== 0x5f && bytes.indexOf(HEAD_END) === bytes.length - HEAD_END.length;
}

const server = Bun.listen<Client>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  socket: {
    open(socket) {
      count.connections++;
      socket.data = { pending: undefined, unsent: undefined };
    },
    data(socket, chunk) {
      const { pending } = socket.data;
      if (pending || !isPlainGet(chunk)) return serve(socket, pending ? Buffer.concat([pending, chunk]) : chunk);
      count.requests++;
      send(socket, small);
    },
    drain(socket) {
      const { unsent } = socket.data;
      socket.data.unsent = undefined;
      if (unsent) send(socket, unsent);
    },
    error() {},
  },
});
process.stdout.write(`${server.port}\n`);
