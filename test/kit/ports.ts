/** Ports that misbehave in ways a listener of the runtime cannot. */
import { dlopen, ptr } from "bun:ffi";
import { Wire } from "./wire.ts";

const afInet = 2;
const sockStream = 1;

const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
});

export interface BlackHole {
  readonly port: number;
  close(): void;
}

/** A port that answers nothing to who wants to connect: it listens, but its backlog is full and nobody accepts. */
export async function blackHole(): Promise<BlackHole> {
  const fd = libc.socket(afInet, sockStream, 0);
  const address = new Uint8Array(16);
  address[0] = afInet;
  address.set([127, 0, 0, 1], 4);
  if (fd < 0 || libc.bind(fd, ptr(address), 16) !== 0 || libc.listen(fd, 0) !== 0) throw new Error("no such socket");
  libc.getsockname(fd, ptr(address), ptr(new Uint32Array([16])));
  const port = address[2]! * 256 + address[3]!;
  const filling = await Wire.connect(port); // a backlog of 0 holds one
  return {
    port,
    close() {
      filling.reset();
      libc.close(fd);
    },
  };
}

/** A port at which nobody listens. */
export function deadPort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}
