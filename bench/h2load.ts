/** HTTP/2 load by h2load of nghttp2: C, so that it and the app fit on one core; its own count of answers is checked. */
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Point } from "./points.ts";
import type { Session } from "./suite.ts";

/** What h2load says of a run. */
export interface H2loadSummary {
  total: number;
  succeeded: number;
  failed: number;
  /** By class of status. */
  status2xx: number;
  /** Bytes of bodies. */
  dataBytes: number;
  /** From its first connection to its last answer. */
  seconds: number;
}

/** Reads the summary at the end of h2load's output. @throws when there is none */
export function readSummary(text: string): H2loadSummary {
  const figure = (pattern: RegExp): number => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`h2load said something else than a summary:\n${text.trim().slice(-500)}`);
    return Number(found);
  };
  const [, amount, unit] = /finished in ([\d.]+)(us|ms|s|min)?/.exec(text) ?? [];
  const scale: Record<string, number> = { us: 1e-6, ms: 1e-3, s: 1, min: 60 };
  return {
    total: figure(/requests: (\d+) total/),
    succeeded: figure(/requests: .*?(\d+) succeeded/),
    failed: figure(/requests: .*?(\d+) failed/),
    status2xx: figure(/status codes: (\d+) 2xx/),
    dataBytes: figure(/traffic: .*\((\d+)\) data/),
    seconds: Number(amount) * (scale[unit ?? "s"] ?? Number.NaN),
  };
}

/** Milliseconds of each request in h2load's log: start, status, microseconds until the end of the answer. */
export function readLog(text: string): { status: number; ms: number }[] {
  const rows = text.split("\n").filter((line) => line.includes("\t"));
  return rows.map((line) => {
    const [, status, us] = line.split("\t").map(Number);
    return { status: status!, ms: us! / 1000 };
  });
}

/** What h2load asks for: the paths in turn, and fields that are the same in all requests. */
export function asked(point: Pick<Point, "requests">): { paths: string[]; fields: string[] } {
  const requests = point.requests().map((request) => request.toString("latin1"));
  const paths = requests.map((request) => request.split(" ", 2)[1]!);
  const lines = requests[0]!.trimEnd().split("\r\n").slice(1);
  // The authority is a pseudo-header, and connection fields have no place in HTTP/2 (RFC 9113 section 8.2.2).
  const fields = lines
    .filter((line) => !/^(host|connection):/i.test(line))
    .map((line) => line.toLowerCase().replace(/^([^:]+):.*/, "$1") + line.slice(line.indexOf(":")));
  return { paths, fields };
}

/** h2load with the point's requests for one port. */
class H2load {
  readonly #folder = mkdtempSync(join(tmpdir(), "bench-h2load-"));
  readonly #words: string[];
  readonly #point: Point;
  readonly #ready: Promise<unknown>;

  constructor(port: number, point: Point) {
    this.#point = point;
    const { paths, fields } = asked(point);
    const file = join(this.#folder, "uris");
    this.#ready = writeFile(file, paths.map((path) => `http://127.0.0.1:${port}${path}\n`).join(""));
    this.#words = ["-i", file, "-H", ":authority: bench.local", ...fields.flatMap((field) => ["-H", field])];
  }

  /** Sends `count` requests and returns what became of them. @throws when h2load does not say */
  async run(count: number, more: readonly string[] = []): Promise<H2loadSummary> {
    await this.#ready;
    const clients = Math.min(this.#point.connections, count);
    const streams = this.#point.switches.streams ?? 1;
    const words = ["-t", "1", "-c", String(clients), "-m", String(streams), "-n", String(count)];
    const child = Bun.spawn(["h2load", ...words, ...more, ...this.#words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if ((await child.exited) !== 0) throw new Error(`h2load ended with ${child.exitCode}: ${complaint.trim()}`);
    return readSummary(out);
  }

  get log(): string {
    return join(this.#folder, "log");
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Failures of a run by all h2load tells: statuses, unanswered requests, bytes of bodies. */
function failures(summary: H2loadSummary, bodyBytes: number): number {
  const wrong = summary.total - Math.min(summary.succeeded, summary.status2xx);
  return wrong > 0 || summary.dataBytes === summary.total * bodyBytes ? wrong : 1;
}

/** Requests a first short stretch begins with, before anything is known of the rate. */
const FIRST_COUNT = 500;

/**
 * A session whose stretches are counted, not timed, so that each request is waited for and the counts can agree:
 * as many requests as fit into the time at the rate of the stretch before.
 */
export function h2loadSession(port: number, point: Point): Session {
  const h2load = new H2load(port, point);
  let perSecond = 0;
  const stretch = async (count: number): Promise<{ count: number; failed: number }> => {
    const summary = await h2load.run(count);
    perSecond = count / summary.seconds;
    return { count, failed: failures(summary, point.bodyBytes) };
  };
  return {
    async drive(ms, mark) {
      const first = perSecond === 0 ? await stretch(Math.max(FIRST_COUNT, point.connections)) : { count: 0, failed: 0 };
      mark();
      const count = Math.max(point.connections, Math.round((perSecond * ms) / 1000));
      const main = await stretch(count);
      mark();
      return { served: first.count + main.count, answered: main.count, failed: first.failed + main.failed };
    },
    close: () => h2load.close(),
  };
}

/** Latencies at a fixed rate, from when each request was sent: h2load sends one late rather than two at once. */
export async function h2loadLatencies(
  port: number,
  point: Point,
  { perSecond, ms }: { perSecond: number; ms: number },
): Promise<number[]> {
  const h2load = new H2load(port, point);
  try {
    const each = Math.max(1, Math.round(perSecond / point.connections));
    const count = Math.round((perSecond * ms) / 1000);
    await h2load.run(count, ["--rps", String(each), `--log-file=${h2load.log}`]);
    const rows = readLog(await readFile(h2load.log, "utf8"));
    const wrong = rows.filter(({ status }) => status !== 200).length;
    if (wrong > 0 || rows.length !== count) {
      throw new Error(`${wrong} of ${count} failed at ${perSecond} a second, ${count - rows.length} are missing`);
    }
    return rows.map((row) => row.ms);
  } finally {
    h2load.close();
  }
}
