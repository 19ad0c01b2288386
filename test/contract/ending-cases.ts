/** Ways in which an exchange can end, and what a filter is told then. */
import type { FilterDefinition } from "../../src/contracts.ts";
import { respond } from "../kit/engine.ts";
import { attemptOf, filterOf, type Scene } from "../kit/filters.ts";
import { answering, ok, type RawConnection, type Script } from "../kit/raw.ts";
import { until } from "../kit/until.ts";

export const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

export interface Case {
  readonly script?: Script;
  readonly others?: readonly FilterDefinition[];
  /** What the client does; the scene is over when `done` was called. */
  readonly client: (client: RawConnection, scene: Scene) => Promise<void> | void;
  readonly failure?: string;
  /** Of the answer's head, where there was one. */
  readonly status?: number;
}

export async function atUpstream({ upstream }: Scene, what = "\r\n\r\n"): Promise<void> {
  await until(() => upstream.received.includes(what), { what: "the request at the upstream" });
}

const never = () => new Promise<never>(() => {});
const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";

export const cases: Record<string, Case> = {
  "a good answer": { script: answering(ok()), client: (c) => c.send(get), status: 200 },
  "a bad head": { client: (c) => c.send("GET / HTTP/1.1\r\n\r\n"), failure: "bad_host", status: 400 },
  "a bad chunk": {
    client: (c) => c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
    failure: "bad_chunk",
    status: 400,
  },
  "a refusal": {
    others: [filterOf("deny", { request: () => ({ status: 403 }) }, { phase: "admit" })],
    client: (c) => c.send(get),
    status: 403,
  },
  "a filter that throws": {
    others: [
      filterOf("bad", {
        request: () => {
          throw new Error("no");
        },
      }),
    ],
    client: (c) => c.send(get),
    failure: "filter_failed",
    status: 503,
  },
  "a filter that rejects": {
    others: [
      filterOf("bad", {
        request: async () => {
          throw new Error("no");
        },
      }),
    ],
    client: (c) => c.send(get),
    failure: "filter_failed",
    status: 503,
  },
  "a filter that throws at the answer": {
    script: answering(ok()),
    others: [
      filterOf("bad", {
        response: () => {
          throw new Error("no");
        },
      }),
    ],
    client: (c) => c.send(get),
    failure: "filter_failed",
    status: 503,
  },
  "a filter that throws at the body of an answer": {
    script: answering(ok()),
    others: [
      filterOf("bad", {
        responseBody: () => {
          throw new Error("no");
        },
      }),
    ],
    client: (c) => c.send(get),
    failure: "filter_failed",
    status: 503,
  },
  "an upstream that resets": {
    script: (c) => void (c.received.endsWith("\r\n\r\n") && c.reset()),
    client: (c) => c.send(get),
    failure: "upstream_closed",
    status: 502,
  },
  "an upstream that talks nonsense": {
    script: answering("x\r\n\r\n"),
    client: (c) => c.send(get),
    failure: "upstream_bad_response",
    status: 502,
  },
  "an upstream that dies in its answer": {
    script: answering(half),
    client: async (c, { upstream }) => {
      c.send(get);
      await c.receives("abc");
      upstream.connections[0]!.reset();
    },
    failure: "upstream_body_broken",
    status: 200,
  },
  "a client that leaves while a filter thinks": {
    others: [filterOf("think", { request: never })],
    client: async (c, { engine }) => {
      c.send(get);
      await until(() => engine.traffic.active.exchanges === 1, { what: "the exchange" });
      c.reset();
    },
    failure: "client_closed",
  },
  "a client that leaves in its own body": {
    client: async (c, scene) => {
      c.send(`${post}abc`);
      await atUpstream(scene, "abc");
      c.close();
    },
    failure: "client_closed",
  },
  "a client that leaves before the answer": {
    client: async (c, scene) => {
      c.send(get);
      await atUpstream(scene);
      c.reset();
    },
    failure: "client_closed",
  },
  "a client that leaves while a filter thinks about the answer": {
    script: answering(ok()),
    others: [filterOf("think", { response: never })],
    client: async (c, scene) => {
      c.send(get);
      await atUpstream(scene);
      await Bun.sleep(20);
      c.reset();
    },
    failure: "client_closed",
    status: 200,
  },
  "a client that leaves in the answer": {
    script: answering(half),
    client: async (c) => {
      c.send(get);
      await c.receives("abc");
      c.reset();
    },
    failure: "client_closed",
    status: 200,
  },
  "a client that leaves while an attempt filter waits": {
    script: answering(ok()),
    others: [
      attemptOf("wait", async (_, send) => {
        await send();
        await never();
      }),
    ],
    client: async (c, scene) => {
      c.send(get);
      await atUpstream(scene);
      await Bun.sleep(20);
      c.reset();
    },
    failure: "client_closed",
  },
  "an attempt filter that goes on when the client has left": {
    others: [
      attemptOf("stubborn", async (_, send) => {
        for (let i = 0; i < 5; i++) await send();
      }),
    ],
    client: async (c, scene) => {
      c.send(get);
      await atUpstream(scene);
      c.reset();
    },
    failure: "client_closed",
  },
  "a stop": {
    client: async (c, scene) => {
      c.send(get);
      await atUpstream(scene);
      scene.engine.traffic.stop();
    },
    failure: "stopped",
    status: 503,
  },
  "a reload in the middle": {
    client: async (c, scene) => {
      c.send(get);
      await atUpstream(scene);
      await scene.engine.apply({ routes: respond(200) });
      scene.upstream.connections[0]!.send(ok("old"));
      await c.receives("old");
    },
    status: 200,
  },
};
