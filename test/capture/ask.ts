/** Sends a word over UDP to a host and a port, and prints what comes back. */
import { createSocket } from "node:dgram";

const [host, port] = process.argv.slice(2);
const socket = createSocket("udp4");
socket.on("message", (message) => {
  process.stdout.write(message);
  socket.close();
});
socket.send("asked", Number(port), host);
setTimeout(() => process.exit(1), 5000).unref();
