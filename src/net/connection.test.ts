import { describe, expect, test } from "bun:test";
import { Connection, type ConnectionOwner, plainAddress, type RawSocket } from "./connection.ts";

/** What the connection is given for a socket: takes only `room` bytes until it is told otherwise. */
class FakeSocket {
  remoteAddress = "::ffff:10.0.0.1";
  remotePort = 4711;
  localAddress = "10.0.0.2";
  localPort = 80;
  room = Number.POSITIVE_INFINITY;
  sent = "";
  readonly calls: string[] = [];
  closes: () => void = () => {};

  setNoDelay(): void {}
  write(bytes: Uint8Array, from = 0, count = bytes.length): number {
    if (this.room < 0) return -1;
    const taken = Math.min(count, this.room);
    this.room -= taken;
    this.sent += Buffer.from(bytes.subarray(from, from + taken)).toString("latin1");
    return taken;
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  shutdown(): void {
    this.calls.push("shutdown");
  }
  end(): void {
    this.calls.push("end");
    this.closes();
  }
  terminate(): void {
    this.calls.push("terminate");
    this.closes();
  }
}

class Owner implements ConnectionOwner {
  readonly told: string[] = [];
  onData(): void {}
  onEnd(): void {}
  onDrain(): void {
    this.told.push("drain");
  }
  onClose(error: Error | undefined): void {
    this.told.push(error === undefined ? "close" : `close ${error.message}`);
  }
}

function setUp(room = Number.POSITIVE_INFINITY) {
  const socket = new FakeSocket();
  socket.room = room;
  const connection = new Connection(socket as unknown as RawSocket);
  const owner = new Owner();
  connection.owner = owner;
  socket.closes = () => connection.markClosed(undefined); // as Bun's sockets do, at once
  return { socket, connection, owner };
}

describe("writing", () => {
  test("a string sends its characters as bytes", () => {
    const { socket, connection } = setUp();
    expect(connection.write("a\xff\x80\0")).toBe(true);
    expect(connection.write(new Uint8Array([0, 255]))).toBe(true);
    expect(connection.writeHead("h\xe9\r\n", Buffer.from("body"))).toBe(true);
    expect(connection.writeHead("only", undefined)).toBe(true);
    expect(socket.sent).toBe("a\xff\x80\0\0\xffh\xe9\r\nbodyonly");
  });

  test.each([0, 1, 3, 5, 8, 100])("keeps what the socket does not take, in order: room for %p", (room) => {
    const { socket, connection, owner } = setUp(room);
    connection.writeHead("ab", Buffer.from("cd"));
    connection.write("ef");
    connection.write(Buffer.from("gh"));
    connection.writeHead("ij", Buffer.from("kl"));
    expect(connection.pendingBytes).toBe(Math.max(12 - room, 0));
    for (let turns = 0; connection.pendingBytes > 0 && turns < 50; turns++) {
      socket.room = 1;
      connection.flush();
    }
    expect(socket.sent).toBe("abcdefghijkl");
    expect(owner.told).toEqual(room >= 12 ? [] : ["drain"]);
  });

  test("says so when something had to be kept", () => {
    const { connection } = setUp(3);
    expect(connection.write("abc")).toBe(true);
    expect(connection.write("d")).toBe(false);
    expect(connection.write(Buffer.from("e"))).toBe(false);
    expect(connection.writeHead("f", undefined)).toBe(false);
  });

  test("keeps a copy, as its own room is used again by the next connection", () => {
    const [one, two] = [setUp(1), setUp()];
    one.connection.writeHead("first", Buffer.from(" body"));
    two.connection.writeHead("second", Buffer.from(" other"));
    two.connection.write("third");
    one.socket.room = 100;
    one.connection.flush();
    expect(one.socket.sent).toBe("first body");
  });

  test.each([65_535, 65_536, 65_537, 300_000])("takes heads and bodies of any size: %p", (size) => {
    const { socket, connection } = setUp(10);
    connection.write("x".repeat(size));
    connection.writeHead("y".repeat(size), Buffer.from("z".repeat(size)));
    socket.room = Number.POSITIVE_INFINITY;
    connection.flush();
    expect(socket.sent).toBe("x".repeat(size) + "y".repeat(size) + "z".repeat(size));
  });

  test("to a closed socket keeps nothing", () => {
    const { socket, connection, owner } = setUp();
    connection.destroy();
    expect(connection.write("a")).toBe(true);
    expect(connection.writeHead("a", Buffer.from("b"))).toBe(true);
    expect([socket.sent, connection.pendingBytes, owner.told]).toEqual(["", 0, ["close"]]);
  });

  test("to a socket that is just closing waits for the close", () => {
    const { socket, connection, owner } = setUp(-1);
    connection.write("abc");
    connection.flush();
    expect(connection.pendingBytes).toBe(3);
    socket.closes();
    expect([connection.pendingBytes, owner.told]).toEqual([0, ["close"]]);
  });
});

describe("ending", () => {
  test.each(["shutdown", "end"] as const)("by %s waits for what is kept", (how) => {
    const { socket, connection } = setUp(1);
    connection.write("abc");
    connection[how]();
    expect(socket.calls).toEqual([]);
    socket.room = 100;
    connection.flush();
    expect([socket.sent, socket.calls]).toEqual(["abc", [how]]);
  });

  test("by shutdown, then by end, closes", () => {
    const { socket, connection, owner } = setUp(1);
    connection.write("abc");
    connection.shutdown();
    connection.end();
    socket.room = 100;
    connection.flush();
    expect(socket.calls).toEqual(["end"]);
    expect(owner.told).toEqual(["close"]);
  });

  test("sends FIN once, and nothing after it", () => {
    const { socket, connection } = setUp();
    connection.shutdown();
    connection.shutdown();
    connection.write("late");
    connection.writeHead("late", undefined);
    expect([socket.calls, socket.sent]).toEqual([["shutdown"], ""]);
  });

  test("by destroy drops what is kept, and tells the owner once", () => {
    const { socket, connection, owner } = setUp(1);
    connection.write("abc");
    connection.destroy();
    connection.destroy();
    connection.end();
    connection.markClosed(new Error("late"));
    expect([socket.calls, owner.told, connection.pendingBytes]).toEqual([["terminate"], ["close"], 0]);
  });

  test("by an error tells the owner which", () => {
    const { connection, owner } = setUp();
    connection.markClosed(new Error("reset"));
    expect(owner.told).toEqual(["close reset"]);
  });
});

test("pausing and resuming are each told to the socket once", () => {
  const { socket, connection } = setUp();
  connection.resume();
  connection.pause();
  connection.pause();
  connection.resume();
  connection.resume();
  connection.destroy();
  connection.pause();
  expect(socket.calls).toEqual(["pause", "resume", "terminate"]);
});

test("addresses are written without the prefix of dual-stack sockets", () => {
  const { connection } = setUp();
  expect([connection.address, connection.port, connection.destination]).toEqual([
    "10.0.0.1",
    4711,
    { address: "10.0.0.2", port: 80 },
  ]);
  expect(["::ffff:1.2.3.4", "::1", "1.2.3.4", "::ffff:abcd", undefined].map(plainAddress)).toEqual([
    "1.2.3.4",
    "::1",
    "1.2.3.4",
    "::ffff:abcd",
    "",
  ]);
});
