/** Connects and waits for the server to speak, then echoes a line. Words: host, port. Prints `{ ms, greeting, echo }`, or
 * `{ ms, error }`. */
import { connect } from "node:net";

const [host, port] = process.argv.slice(2);
const began = performance.now();
const socket = connect(Number(port), host!);
let greeting: string | undefined;
let ms = 0;
socket.on("error", ({ message }) => {
  process.stdout.write(JSON.stringify({ error: message, ms: Math.round(performance.now() - began) }));
  process.exit(0);
});
socket.on("data", (bytes) => {
  if (greeting === undefined) {
    ms = performance.now() - began;
    greeting = bytes.toString();
    socket.write("EHLO a\r\n");
  } else {
    process.stdout.write(JSON.stringify({ ms: Math.round(ms), greeting, echo: bytes.toString() }));
    socket.destroy();
  }
});
