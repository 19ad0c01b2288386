import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { answering, ok, type RawConnection, RawUpstream } from "../../test/kit/raw.ts";
import { until } from "../../test/kit/until.ts";
import type { FailureCode } from "../errors.ts";
import { tcpTarget } from "../net/target.ts";
import { TimerWheel } from "../net/wheel.ts";
import { isIdempotent, Pool } from "./pool.ts";
import type { ResponseHead } from "./response-head.ts";
import type { UpstreamUser } from "./upstream.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

class Clock {
  ms = 1000;
  now = () => this.ms;
  wall = () => this.ms;
}

let clock: Clock;
let wheel: TimerWheel;
let upstream: RawUpstream;
let pool: Pool;

function poolOf(host: string, port: number): Pool {
  return new Pool(tcpTarget(host, port), { wheel, responseLimits: { headBytes: 65_536, headFields: 200 } });
}

beforeEach(() => {
  clock = new Clock();
  wheel = new TimerWheel(clock);
  upstream = new RawUpstream(answering(ok()));
  pool = poolOf("127.0.0.1", upstream.port);
});

afterEach(() => {
  pool.close();
  wheel.stop();
  upstream.stop();
});

/** Sends one request and gives the connection back. */
class User implements UpstreamUser {
  readonly requestMethod: string;
  up: UpstreamConnection | undefined;
  outcome: string | undefined;
  constructor(requestMethod: string) {
    this.requestMethod = requestMethod;
  }
  onConnected(up: UpstreamConnection): void {
    this.up = up;
    up.connection!.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  onInformation(): void {}
  onResponse(head: ResponseHead, input: Buffer, up: UpstreamConnection): void {
    up.readBody(input.subarray(head.length));
  }
  onBody(_: Uint8Array[], done: boolean, up: UpstreamConnection): void {
    if (!done) return;
    this.outcome = "done";
    up.release();
  }
  onUpstreamDrain(): void {}
  onUpstreamFailure(code: FailureCode): void {
    this.outcome = code;
  }
}

/** Asks once, on a pooled connection if there is one, and waits for the end. */
async function ask(method = "GET", through = pool): Promise<User> {
  const user = new User(method);
  const taken = through.take(user);
  if (taken === undefined) through.connect(user, 1000);
  else user.onConnected(taken);
  await until(() => user.outcome !== undefined, { what: "an outcome" });
  return user;
}

function pass(ms: number): void {
  clock.ms += ms;
  wheel.advance();
}

describe("a connection", () => {
  test("is used again after a whole answer", async () => {
    const first = await ask();
    const second = await ask();
    expect(second.up).toBe(first.up!);
    expect([second.up!.reused, upstream.connections.length]).toEqual([true, 1]);
  });

  test("is used again, the last one first", async () => {
    const [one, two] = [new User("GET"), new User("GET")];
    pool.connect(one, 1000);
    pool.connect(two, 1000);
    await until(() => one.outcome !== undefined && two.outcome !== undefined, { what: "both" });
    const last = new User("GET");
    expect(pool.take(last)).toBeDefined();
    expect(pool.take(new User("GET"))).toBeDefined();
    expect(pool.take(new User("GET"))).toBeUndefined();
  });

  test("is let go after three idle seconds", async () => {
    await ask();
    pass(2900);
    expect(upstream.connections[0]!.ended).toBe(false);
    pass(400);
    await until(() => upstream.connections[0]!.ended, { what: "the connection to end" });
    expect(pool.take(new User("GET"))).toBeUndefined();
  });

  test("is let go a second before the upstream said it would", async () => {
    upstream.script = answering(ok("ok", "Keep-Alive: timeout=2\r\n"));
    await ask();
    pass(900);
    expect(upstream.connections[0]!.ended).toBe(false);
    pass(400);
    await until(() => upstream.connections[0]!.ended, { what: "the connection to end" });
  });

  test.each([
    ["Connection: close", ok("ok", "Connection: close\r\n")],
    ["a Keep-Alive of one second", ok("ok", "Keep-Alive: timeout=1\r\n")],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ["bytes that nobody asked for", `${ok()}x`],
  ])("is not used again after %s", async (_, answer) => {
    upstream.script = answering(answer);
    await ask();
    expect(pool.take(new User("GET"))).toBeUndefined();
    await until(() => upstream.connections[0]!.ended, { what: "the connection to end" });
  });

  test.each([
    ["closes it", (connection: RawConnection) => connection.close()],
    ["resets it", (connection: RawConnection) => connection.reset()],
    ["says something on it", (connection: RawConnection) => connection.send("HTTP/1.1 408 Request Timeout\r\n\r\n")],
  ])("leaves the pool when the upstream %s", async (_, act) => {
    await ask();
    act(upstream.connections[0]!);
    await until(() => upstream.connections[0]!.ended || upstream.connections[0]!.closed, {
      what: "the connection to end",
    });
    await until(() => Reflect.get(pool, "idle").length === 0, { what: "the pool to be empty" });
  });

  test("used a second ago is good for what may be asked twice only", async () => {
    await ask("GET");
    wheel.set(await ask("GET").then((user) => user.up!), 3000);
    pass(1200);
    expect(pool.take(new User("POST"))).toBeUndefined();
    expect(pool.take(new User("GET"))).toBeDefined();
  });

  test("used just now is good for everything", async () => {
    await ask("POST");
    expect((await ask("POST")).up!.reused).toBe(true);
  });
});

describe("connecting", () => {
  test("to a port where nobody listens says so", async () => {
    const { port } = upstream;
    upstream.stop();
    expect((await ask("GET", poolOf("127.0.0.1", port))).outcome).toBe("upstream_unreachable");
  });

  test("to a name that does not exist says so", async () => {
    expect((await ask("GET", poolOf("name.invalid", 80))).outcome).toBe("upstream_name_unresolved");
  });

  test("to localhost tries both families, and remembers which one answered", async () => {
    const listener = Bun.listen({ hostname: "::1", port: 0, socket: { data: (socket) => void socket.write(ok()) } });
    const local = poolOf("localhost", listener.port);
    expect((await ask("GET", local)).outcome).toBe("done");
    expect(Reflect.get(local, "addresses")[0]).toBe("::1");
    local.close();
    listener.stop(true);
  });

  test("that takes too long fails", async () => {
    const user = new User("GET");
    const up = pool.connect(user, 1000);
    up.state = "connecting";
    pass(2000);
    expect(user.outcome).toBe("upstream_connect_timeout");
  });
});

test("closing lets every idle connection go, and none that is in use", async () => {
  const idle = await ask();
  upstream.script = () => {};
  const user = new User("GET");
  pool.connect(user, 1000);
  await until(() => upstream.connections.length === 2, { what: "the second connection" });
  pool.close();
  await until(() => upstream.connections[0]!.ended, { what: "the idle connection to end" });
  expect([idle.up!.state, upstream.connections[1]!.ended]).toEqual(["closed", false]);
  user.up?.abandon();
});

test("names are for people, authorities for Host", () => {
  expect(
    [poolOf("a", 80), poolOf("a", 81), poolOf("::1", 80), poolOf("::1", 81)].map(({ name, authority }) => [
      name,
      authority,
    ]),
  ).toEqual([
    ["a:80", "a"],
    ["a:81", "a:81"],
    ["[::1]:80", "[::1]"],
    ["[::1]:81", "[::1]:81"],
  ]);
});

test("idempotent methods are those of RFC 9110 section 9.2.2", () => {
  expect(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].every(isIdempotent)).toBe(true);
  expect(["POST", "PATCH", "CONNECT", "get", "LOCK", ""].some(isIdempotent)).toBe(false);
});
