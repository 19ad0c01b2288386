import { afterEach, expect, test } from "bun:test";
import { ask, rawClient } from "../../test/kit/raw.ts";
import { until } from "../../test/kit/until.ts";
import { UserError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { addressText, Listener } from "./listen.ts";

const open: Listener[] = [];

afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

function listen(host: string | undefined, port: number, accept: (connection: Connection) => void = () => {}): Listener {
  const listener = Listener.open({ host, port }, accept);
  open.push(listener);
  return listener;
}

function greet(word: string): (connection: Connection) => void {
  return (connection) => {
    connection.write(word);
    connection.end();
  };
}

test("without a host it listens on IPv4 and IPv6", async () => {
  const seen: string[] = [];
  const { port } = listen(undefined, 0, (connection) => {
    seen.push(connection.address);
    connection.end();
  });
  for (const host of ["127.0.0.1", "::1"]) await (await rawClient(port, host)).over();
  expect(seen).toEqual(["127.0.0.1", "::1"]);
});

test("with a host it listens there only", async () => {
  const { port } = listen("127.0.0.1", 0, greet("hi"));
  expect(await ask(port, "")).toBe("hi");
  await expect(rawClient(port, "127.0.0.2")).rejects.toThrow();
});

test("who accepts can be replaced while it listens", async () => {
  const listener = listen("127.0.0.1", 0, greet("old"));
  expect(await ask(listener.port, "")).toBe("old");
  listener.accept = greet("new");
  expect(await ask(listener.port, "")).toBe("new");
});

test("closing stops accepting and leaves accepted connections alone", async () => {
  let accepted: Connection | undefined;
  const listener = listen("127.0.0.1", 0, (connection) => {
    accepted = connection;
  });
  const client = await rawClient(listener.port);
  await until(() => accepted !== undefined);
  listener.close();
  await expect(rawClient(listener.port)).rejects.toThrow();
  accepted!.write("still here");
  await client.receives("still here");
  client.close();
});

test("bytes and both ends of a connection reach its owner", async () => {
  const told: string[] = [];
  const { port } = listen("127.0.0.1", 0, (connection) => {
    connection.owner = {
      onData: (bytes) => void told.push(bytes.toString("latin1")),
      onEnd: () => {
        told.push("end");
        connection.write("bye"); // a half-closed peer still gets its answer
        connection.end();
      },
      onDrain() {},
      onClose: (error) => void told.push(error === undefined ? "close" : "error"),
    };
  });
  const client = await rawClient(port);
  client.send("hi");
  client.finish();
  await client.receives("bye");
  await until(() => told.length === 3, { what: "the close" });
  expect(told).toEqual(["hi", "end", "close"]);
});

function failureOf(host: string | undefined, port: number): UserError {
  try {
    listen(host, port);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("it could listen");
}

test("a taken port is a UserError that says so", () => {
  const { port } = listen("127.0.0.1", 0);
  const error = failureOf("127.0.0.1", port);
  expect(error.exitCode).toBe(3);
  expect(error.message).toBe(
    `cannot listen on 127.0.0.1:${port}: the port is taken by another process; choose another port or stop that process`,
  );
});

test("a port taken on all addresses is one too", () => {
  const { port } = listen(undefined, 0);
  expect(failureOf(undefined, port).message).toContain(`cannot listen on :${port}: the port is taken`);
});

test("an address of another machine is a UserError that says so", () => {
  const error = failureOf("192.0.2.1", 0);
  expect(error.exitCode).toBe(3);
  expect(error.message).toBe(
    "cannot listen on 192.0.2.1:0: this machine has no such address; use one of its own, or only a port for all of them",
  );
});

test("addresses are written as users write them", () => {
  expect([{ port: 80 }, { host: "10.0.0.1", port: 80 }, { host: "::1", port: 80 }].map(addressText)).toEqual([
    ":80",
    "10.0.0.1:80",
    "[::1]:80",
  ]);
});
