/**
 * A port that is free and stays so for a while: below those that the kernel gives to outgoing connections, of which
 * thousands come and go between the choice of a port and its use.
 */
const [lowest, highest] = [15_000, 32_000];

export function freePort(): number {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Somebody has it.
    }
  }
}
