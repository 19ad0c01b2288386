/** VictoriaLogs, a store of logs that takes what Loki, OpenTelemetry collectors and Elasticsearch take. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

const program = Bun.which("victoria-logs");

/** False where there is none; the tests that need it say so and are skipped. */
export const hasVictoriaLogs = program !== null;
if (!hasVictoriaLogs)
  process.stderr.write(
    "SKIPPED: outputs against VictoriaLogs, because there is no victoria-logs on PATH (go install github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.1)\n",
  );

export class VictoriaLogs {
  readonly url: string;
  private readonly folder: string;
  private readonly child: Bun.Subprocess;

  private constructor(url: string, folder: string, child: Bun.Subprocess) {
    this.url = url;
    this.folder = folder;
    this.child = child;
  }

  static async start(): Promise<VictoriaLogs> {
    const folder = mkdtempSync(join(tmpdir(), "victoria-logs-"));
    const address = `127.0.0.1:${await freePort()}`;
    const child = Bun.spawn([program!, `-storageDataPath=${folder}`, `-httpListenAddr=${address}`], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    const url = `http://${address}`;
    const isUp = () =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isUp, { what: "VictoriaLogs' health" });
    return new VictoriaLogs(url, folder, child);
  }

  /** Everything stored that the query finds, by time. Waits until it is as much as that. */
  async find(query: string, count: number): Promise<Record<string, string>[]> {
    let found: Record<string, string>[] = [];
    const isWhole = async () => {
      const answer = await fetch(
        `${this.url}/select/logsql/query?query=${encodeURIComponent(`${query} | sort by (_time)`)}`,
      );
      found = (await answer.text())
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
      return found.length >= count;
    };
    await until(isWhole, { what: `${count} rows of ${query}` });
    return found;
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.child.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
