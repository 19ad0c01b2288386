/**
 * A `Flow` in a process of its own, for what a process must be measured by. Started by `FlowProcess`:
 * the first argument is the listeners and options as JSON; every line on stdin is answered by one line of figures.
 */
import { readdirSync } from "node:fs";
import { Flow, type FlowOptions, type ListenerWish } from "./flow.ts";

export interface Wish {
  listeners: ListenerWish[];
  options: FlowOptions;
}

export interface Figures {
  ports: Record<string, number>;
  rssBytes: number;
  descriptors: number;
  cpuMs: number;
  connections: number;
  exchanges: number;
  failures: Record<string, number>;
}

let uncaught = 0;
process.on("uncaughtException", (error) => {
  uncaught++;
  process.stderr.write(`uncaught: ${error}\n`);
});

const wish: Wish = JSON.parse(process.argv[2]!);
const flow = await Flow.start(wish.listeners, wish.options);

function figures(): Figures {
  const { user, system } = process.cpuUsage();
  const failures: Record<string, number> = {};
  for (const [key, value] of flow.values) {
    const code = /^outrigger_failures_total\{code="(.*)"\}$/.exec(key)?.[1];
    if (code !== undefined && value > 0) failures[code] = value;
  }
  return {
    ports: Object.fromEntries(flow.traffic.listeners.map(({ name }) => [name, flow.port(name)])),
    rssBytes: orZero(() => process.memoryUsage.rss()),
    descriptors: orZero(() => readdirSync("/proc/self/fd").length),
    cpuMs: (user + system) / 1000,
    ...flow.traffic.active,
    failures,
  };
}

/** Both need a descriptor to look, and there may be none left. */
function orZero(read: () => number): number {
  try {
    return read();
  } catch {
    return 0;
  }
}

// The events of a flood are not what is measured.
setInterval(() => flow.events.splice(0), 100).unref();
process.stdout.write(`${JSON.stringify(figures())}\n`);
for await (const line of console) {
  if (line === "collect") Bun.gc(true);
  process.stdout.write(`${JSON.stringify(figures())}\n`);
}
flow.stop();
process.exit(uncaught === 0 ? 0 : 1);
