import { expect, test } from "bun:test";
import { isLoopbackHost, listeningPorts, portsBeyondLoopback } from "./local-ports.ts";

test("a port is listened on while somebody listens, whatever connections it has", async () => {
  const accepted = Promise.withResolvers<void>();
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { open: () => accepted.resolve(), data() {} } });
  const dual = Bun.listen({ hostname: "::", port: 0, socket: { data() {} } });
  expect(listeningPorts()?.has(server.port)).toBe(true);
  expect(listeningPorts()?.has(dual.port)).toBe(true);
  const client = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
  await accepted.promise;
  server.stop(false);
  dual.stop(true);
  expect(listeningPorts()?.has(server.port)).toBe(false);
  expect(listeningPorts()?.has(client.localPort)).toBe(false);
  client.end();
});

test("a port that only loopback has is not open beyond it", () => {
  const listen = (hostname: string) => Bun.listen({ hostname, port: 0, socket: { data() {} } });
  const inside = ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"].map(listen);
  const beyond = ["0.0.0.0", "::"].map(listen);
  const open = portsBeyondLoopback();
  expect(inside.filter(({ port }) => open?.has(port))).toEqual([]);
  expect(beyond.filter(({ port }) => open?.has(port))).toEqual(beyond);
  for (const server of [...inside, ...beyond]) server.stop(true);
});

test("a machine that does not tell is no machine without ports", () => {
  expect(listeningPorts("/nowhere")).toBeUndefined();
});

test("the pod itself has several names", () => {
  expect(["localhost", "127.0.0.1", "127.8.8.8", "::1"].every(isLoopbackHost)).toBe(true);
  expect(["10.0.0.1", "app", "::", "0.0.0.0"].some(isLoopbackHost)).toBe(false);
});
