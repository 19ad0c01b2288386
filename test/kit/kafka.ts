/** Apache Kafka itself, one node of KRaft: its jars come from Maven Central once, and are kept beside the bench's programs. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CACHE } from "../../bench/layout.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

const version = "3.9.1";
const libraries = join(CACHE, `kafka-${version}`);
const java = Bun.which("java");
const maven = Bun.which("mvn");

/** Whether it is here or can be had; the tests that need it say so and are skipped where not. */
export async function hasKafka(): Promise<boolean> {
  const missing = java === null ? "java" : maven === null && !existsSync(libraries) ? "mvn" : undefined;
  const trouble = missing === undefined ? await fetchKafka() : `there is no ${missing}`;
  if (trouble === undefined) return true;
  process.stderr.write(`SKIPPED: tests with Kafka, because ${trouble} (apt-get install default-jre-headless maven)\n`);
  return false;
}

async function fetchKafka(): Promise<string | undefined> {
  if (existsSync(libraries)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "kafka-jars-"));
  try {
    const wanted = ["kafka_2.13", "kafka-tools"].map(
      (name) =>
        `<dependency><groupId>org.apache.kafka</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
    );
    const project = `<modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>`;
    writeFileSync(
      join(folder, "pom.xml"),
      `<project>${project}<dependencies>${wanted.join("")}</dependencies></project>`,
    );
    const words = ["-q", "-B", "dependency:copy-dependencies", `-DoutputDirectory=${join(folder, "libs")}`];
    const child = Bun.spawn([maven!, ...words], {
      cwd: folder,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: 240_000,
    });
    const said = await child.stdout.text();
    if ((await child.exited) !== 0) return `Maven failed: ${said.trim().split("\n")[0]}`;
    mkdirSync(CACHE, { recursive: true });
    renameSync(join(folder, "libs"), libraries);
    return undefined;
  } catch (error) {
    return existsSync(libraries) ? undefined : String(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface ConsumedRecord {
  readonly partition: number;
  readonly key: string;
  /** As Latin-1, and as UTF-8. */
  readonly bytes: string;
  readonly value: string;
  readonly timestamp: number;
}

export interface KafkaOptions {
  /** Lines of its configuration; `SASL` and `TLS` listeners among them. */
  readonly settings?: readonly string[];
  /** Default: plain. */
  readonly protocol?: "PLAINTEXT" | "SASL_SSL";
}

export class Kafka {
  readonly folder = mkdtempSync(join(tmpdir(), "kafka-"));
  readonly port = freePort();
  private readonly adminPort = freePort();
  private child: Bun.Subprocess | undefined;

  static async start(options: KafkaOptions = {}): Promise<Kafka> {
    const kafka = new Kafka();
    kafka.configure(options);
    const format = kafka.java("kafka.tools.StorageTool", "format", "-t", "5L6g3nShT-eMCtK--X86sw", "-c", kafka.config);
    if (format.exitCode !== 0) throw new Error(`Kafka's storage: ${format.stdout} ${format.stderr}`);
    await kafka.run();
    return kafka;
  }

  /** Starts it, again after `stop`. */
  async run(): Promise<void> {
    const log = Bun.file(join(this.folder, "log"));
    const words = [
      "-Xmx256m",
      "-Xms64m",
      "-XX:TieredStopAtLevel=1",
      "-cp",
      `${libraries}/*`,
      "kafka.Kafka",
      this.config,
    ];
    this.child = Bun.spawn([java!, ...words], { stdin: "ignore", stdout: log, stderr: log });
    await until(() => this.isUp(), { deadlineMs: 60_000, what: `Kafka (${this.log})` });
  }

  createTopic(topic: string, partitions: number, ...settings: string[]): void {
    const config = settings.flatMap((one) => ["--config", one]);
    const words = [
      "--create",
      "--topic",
      topic,
      "--partitions",
      String(partitions),
      "--replication-factor",
      "1",
      ...config,
    ];
    const made = this.java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", this.admin, ...words);
    if (made.exitCode !== 0) throw new Error(`topic ${topic}: ${made.stdout} ${made.stderr}`);
  }

  /** Reads so many records of all topics that match with Kafka's own console consumer, or those there are within the time. */
  consume(topics: string, count: number, withinMs = 20_000): ConsumedRecord[] {
    const shown = ["partition", "key", "timestamp"].flatMap((name) => ["--property", `print.${name}=true`]);
    const limits = ["--from-beginning", "--max-messages", String(count), "--timeout-ms", String(withinMs)];
    const main = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    const { stdout } = this.java(main, "--bootstrap-server", this.admin, "--include", topics, ...limits, ...shown);
    // It writes the bytes of keys and values as they are.
    const lines = stdout
      .toString("latin1")
      .split("\n")
      .filter((line) => line.startsWith("CreateTime:"));
    return lines.map((line) => {
      const [time = "", partition = "", key = "", ...rest] = line.split("\t");
      const bytes = rest.join("\t");
      return {
        timestamp: Number(time.slice("CreateTime:".length)),
        partition: Number(partition.replace("Partition:", "")),
        key,
        bytes,
        value: Buffer.from(bytes, "latin1").toString(),
      };
    });
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<void> {
    this.child?.kill(signal);
    await this.child?.exited;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get config(): string {
    return join(this.folder, "server.properties");
  }

  private get admin(): string {
    return `127.0.0.1:${this.adminPort}`;
  }

  private get log(): string {
    const file = join(this.folder, "log");
    return existsSync(file) ? readFileSync(file, "utf8").slice(-500) : "";
  }

  private java(main: string, ...words: string[]) {
    return Bun.spawnSync([java!, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", `${libraries}/*`, main, ...words]);
  }

  private configure({ settings = [], protocol = "PLAINTEXT" }: KafkaOptions): void {
    const controllerPort = freePort();
    const lines = [
      "process.roles=broker,controller",
      "node.id=1",
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      `listeners=CLIENT://127.0.0.1:${this.port},ADMIN://127.0.0.1:${this.adminPort},CONTROLLER://127.0.0.1:${controllerPort}`,
      `advertised.listeners=CLIENT://127.0.0.1:${this.port},ADMIN://127.0.0.1:${this.adminPort}`,
      `listener.security.protocol.map=CLIENT:${protocol},ADMIN:PLAINTEXT,CONTROLLER:PLAINTEXT`,
      "controller.listener.names=CONTROLLER",
      "inter.broker.listener.name=ADMIN",
      `log.dirs=${join(this.folder, "data")}`,
      "offsets.topic.replication.factor=1",
      "offsets.topic.num.partitions=1",
      "transaction.state.log.replication.factor=1",
      "transaction.state.log.min.isr=1",
      "group.initial.rebalance.delay.ms=0",
      "num.partitions=1",
      ...settings,
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`);
  }

  private async isUp(): Promise<boolean> {
    if (this.child?.exitCode !== null) throw new Error(`Kafka ended: ${this.log}`);
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port: this.port, socket: { data() {} } });
      socket.end();
      return true;
    } catch {
      return false;
    }
  }
}
