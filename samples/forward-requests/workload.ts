/**
 * The tutorial's Rust server: answers every request on 127.0.0.1:7878 with `Hello` and says so.
 *
 *   PORT  where it listens (7878)
 */

const contents = "Hello";

/** Listens on loopback only: nobody outside the pod reaches it but through the sidecar. */
export function serve(port: number, received: (requestLine: string) => void) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port,
    socket: {
      // Like the original, it takes the first bytes for the whole request and closes after its answer.
      data(socket, bytes) {
        received(bytes.toString("latin1").split("\r\n", 1)[0] ?? "");
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${contents.length}\r\n\r\n${contents}`);
      },
    },
  });
}

if (import.meta.main) {
  const server = serve(Number(process.env.PORT ?? 7878), () => console.log("receive a request!"));
  process.on("SIGTERM", () => server.stop());
}
