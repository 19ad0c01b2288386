/** The app of the WebSocket command: echoes messages. Prints its port; `/_count` says how many connections and messages. */
const count = { connections: 0, requests: 0 };

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  fetch(request, self) {
    if (new URL(request.url).pathname === "/_count") {
      count.requests++;
      return Response.json(count);
    }
    return self.upgrade(request) ? undefined : new Response("64 bytes of nothing", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    open() {
      count.connections++;
    },
    message(socket, message) {
      count.requests++;
      socket.send(message);
    },
  },
});
process.stdout.write(`${server.port}\n`);
