/**
 * Stands in for the tutorial's nginx: writes `nginx.pid` once, and lines of `access.log` and `error.log`
 * as nginx words them, into the folder that the sidecar reads.
 *
 *   LOG_DIR   the folder (/opt/sh/openresty/nginx/logs)
 *   INTERVAL  milliseconds between two lines (1000)
 */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function two(n: number): string {
  return String(n).padStart(2, "0");
}

function time(at: Date): string {
  return [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":");
}

/** A line of nginx's `combined` format. */
export function accessLine(client: string, request: string, status: number, bytes: number, at = new Date()): string {
  const day = `${two(at.getUTCDate())}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}`;
  return `${client} - - [${day}:${time(at)} +0000] "${request}" ${status} ${bytes} "-" "-"`;
}

/** A line as nginx writes it to its error log. */
export function errorLine(text: string, at = new Date()): string {
  const day = `${at.getUTCFullYear()}/${two(at.getUTCMonth() + 1)}/${two(at.getUTCDate())}`;
  return `${day} ${time(at)} [error] ${process.pid}#${process.pid}: ${text}`;
}

/** The files of one web server. */
export class LogFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "nginx.pid"), `${process.pid}\n`);
  }

  access(line: string): void {
    appendFileSync(join(this.#folder, "access.log"), `${line}\n`);
  }

  error(line: string): void {
    appendFileSync(join(this.#folder, "error.log"), `${line}\n`);
  }

  /** The pid file goes when the server goes, as nginx's does. */
  close(): void {
    rmSync(join(this.#folder, "nginx.pid"), { force: true });
  }
}

if (import.meta.main) {
  const logs = new LogFolder(process.env.LOG_DIR ?? "/opt/sh/openresty/nginx/logs");
  let count = 0;
  const writing = setInterval(
    () => {
      count++;
      if (count % 5 === 0) {
        logs.error(
          errorLine(`*${count} open() "/opt/sh/openresty/nginx/html/missing" failed (2: No such file or directory)`),
        );
        logs.access(accessLine("127.0.0.1", "GET /missing HTTP/1.1", 404, 153));
      } else logs.access(accessLine("127.0.0.1", "GET / HTTP/1.1", 200, 615));
    },
    Number(process.env.INTERVAL ?? 1000),
  );
  process.on("SIGTERM", () => {
    clearInterval(writing);
    logs.close();
  });
}
