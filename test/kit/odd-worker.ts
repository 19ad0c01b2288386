/** A thread that carries traffic with filters no sidecar has: what a test must be able to make happen inside of one. */
import * as z from "zod";
import { defineFilter, type FilterDefinition } from "../../src/contracts.ts";
import { UserError } from "../../src/errors.ts";
import { carryTraffic } from "../../src/workers/carrier.ts";

const common = {
  doc: "For tests.",
  phase: "shape",
  order: 1,
  directions: ["inbound", "outbound"],
  config: z.unknown(),
} as const;

/** Does what the path of a request says. */
const obey = defineFilter<unknown>({
  ...common,
  name: "obey",
  events: { obeyed: { level: "info", text: "request {number}", metric: "obeyed_total" } },
  metrics: { obeyed_total: { kind: "counter", doc: "For tests." } },
  create: (_, { emit }) => {
    let number = 0;
    return {
      request(x) {
        if (x.path === "/exit") process.exit(5);
        if (x.path === "/throw-later") setTimeout(() => Promise.reject(new Error("nobody catches this")), 1);
        if (x.path === "/stall") Bun.sleepSync(4000);
        if (x.path === "/stall-for-long") for (const end = performance.now() + 60_000; performance.now() < end; );
        if (x.path.startsWith("/say/"))
          for (let count = Number(x.path.slice(5)); count > 0; count--) emit("obeyed", { number: ++number });
      },
    };
  },
});

/** Cannot be made in one of all threads: in whichever comes second. */
const failOnce = defineFilter<unknown>({
  ...common,
  name: "fail-once",
  create: (config) => {
    const { memory } = config as { memory: SharedArrayBuffer };
    if (Atomics.add(new Int32Array(memory), 0, 1) === 1) throw new UserError("it fails in the second thread", 1);
    return {};
  },
});

/** Makes a body loud, piece by piece. */
const shout = defineFilter<unknown>({
  ...common,
  name: "shout",
  create: () => ({
    responseBody: (chunk) => Buffer.from(Buffer.from(chunk).toString().toUpperCase()),
  }),
});

/** Keeps a record of each request. */
const keep = defineFilter<unknown>({
  ...common,
  name: "keep",
  create: (_, { record }) => ({ done: (x) => void record("access", `${x.id} ${x.path}`) }),
});

const filters: readonly FilterDefinition[] = [obey, failOnce, shout, keep];

const byName = Object.fromEntries(filters.map((filter) => [filter.name, async () => ({ default: filter })]));

// A config from a file names only filters that there are: one of them is replaced.
carryTraffic({ ...byName, "log-access": async () => ({ default: obey }) });
