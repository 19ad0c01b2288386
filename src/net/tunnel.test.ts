import { expect, test } from "bun:test";
import { Connection, type RawSocket } from "./connection.ts";
import { Tunnel, type TunnelEnd } from "./tunnel.ts";
import { TimerWheel } from "./wheel.ts";

/** What a connection does to its socket. */
class Socket {
  readonly remoteAddress = "127.0.0.1";
  readonly done: string[] = [];
  readonly connection = new Connection(this as unknown as RawSocket);
  setNoDelay(): void {}
  write(_: Uint8Array, __ = 0, count = _.length): number {
    return count;
  }
  pause(): void {}
  resume(): void {}
  shutdown(): void {
    this.done.push("fin");
  }
  end(): void {
    this.done.push("end");
  }
  terminate(): void {
    this.done.push("reset");
    this.connection.markClosed(undefined);
  }
}

function tunnelled() {
  const [near, far] = [new Socket(), new Socket()];
  const wheel = new TimerWheel({ now: () => 0, wall: () => 0 });
  const ends: TunnelEnd[] = [];
  const counter = { add() {} };
  const options = {
    wheel,
    idleMs: 1000,
    received: counter,
    sent: counter,
    ended: (end: TunnelEnd) => void ends.push(end),
  };
  new Tunnel(near.connection, far.connection, options).start(Buffer.alloc(0), Buffer.alloc(0));
  return { near, far, ends, wheel };
}

test.each(["near", "far"] as const)(
  "%s is gone before all was said to it: the other is broken off, whatever the runtime calls it",
  (who) => {
    const { near, far, ends, wheel } = tunnelled();
    const [gone, other] = who === "near" ? [near, far] : [far, near];
    gone.connection.ended = true;
    gone.connection.owner.onEnd(); // its FIN came before the reset
    gone.connection.markClosed(undefined);
    expect([other.done, ends]).toEqual([["fin", "reset"], [`${who}_broken`]]);
    wheel.stop();
  },
);

test("both have said all they had to say: neither is broken off", () => {
  const { near, far, ends, wheel } = tunnelled();
  near.connection.owner.onEnd();
  far.connection.owner.onEnd();
  near.connection.markClosed(undefined);
  expect(ends).toEqual([]);
  far.connection.markClosed(undefined);
  expect([near.done, far.done, ends]).toEqual([["fin"], ["fin"], ["closed"]]);
  wheel.stop();
});
