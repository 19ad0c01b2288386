/** Debian's rsyslog as a receiver, started in a folder of its own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

const program = Bun.which("rsyslogd") ?? (existsSync("/usr/sbin/rsyslogd") ? "/usr/sbin/rsyslogd" : null);

/** Whether it is here, with the modules a test needs. */
export function hasRsyslog(...modules: string[]): boolean {
  const folders = ["/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib/rsyslog"];
  const has = (name: string) => folders.some((folder) => existsSync(join(folder, `${name}.so`)));
  const missing = program === null ? ["rsyslogd"] : modules.filter((name) => !has(name));
  if (missing.length > 0)
    process.stderr.write(
      `SKIPPED: tests with rsyslog, because ${missing.join(", ")} is not here (apt-get install rsyslog rsyslog-relp rsyslog-openssl)\n`,
    );
  return missing.length === 0;
}

/** Parts of a message as they are written to the file, one message a line. */
const template = "%pri%|%timestamp:::date-rfc3339%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%msg%\\n";

export class Rsyslog {
  readonly folder = mkdtempSync(join(tmpdir(), "rsyslog-"));
  readonly port: number;
  private child: Bun.Subprocess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  /** @param input statements that load a module and listen on `PORT` */
  static async start(input: string, global = ""): Promise<Rsyslog> {
    const port = freePort();
    const rsyslog = new Rsyslog(port);
    const { folder } = rsyslog;
    mkdirSync(join(folder, "work"));
    const lines = [
      `global(workDirectory="${folder}/work" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off" ${global})`,
      `template(name="parts" type="string" string="${template}")`,
      input.replaceAll("PORT", String(port)),
      `action(type="omfile" file="${folder}/out.log" template="parts" asyncWriting="off" flushOnTXEnd="on")`,
    ];
    writeFileSync(join(folder, "rsyslog.conf"), `${lines.join("\n")}\n`);
    await rsyslog.run();
    return rsyslog;
  }

  /** Starts it, again after `kill`. */
  async run(): Promise<void> {
    const { folder, port } = this;
    const words = ["-n", "-f", join(folder, "rsyslog.conf"), "-i", join(folder, "pid")];
    this.child = Bun.spawn([program!, ...words], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(join(folder, "err")),
    });
    await until(() => canConnect(port), { what: `rsyslog on port ${port} (${this.errors})` });
  }

  /** What it wrote, without what it says of itself. */
  get lines(): string[] {
    const file = join(this.folder, "out.log");
    if (!existsSync(file)) return [];
    const all = readFileSync(file, "utf8").split("\n").slice(0, -1);
    return all.filter((line) => !line.includes("|rsyslogd|"));
  }

  get errors(): string {
    const file = join(this.folder, "err");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    this.child?.kill(signal);
    await this.child?.exited;
    rmSync(join(this.folder, "pid"), { force: true });
  }

  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function canConnect(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
