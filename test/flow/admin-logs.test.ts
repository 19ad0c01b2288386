import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { run } from "../kit/commands.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

const main = join(import.meta.dirname, "../../src/main.ts");

let pod: Pod;
let watching: Subprocess<"ignore", "pipe", "pipe">[] = [];
beforeEach(() => {
  pod = new Pod();
});
afterEach(async () => {
  for (const child of watching) child.kill("SIGKILL");
  watching = [];
  await pod.remove();
});

const socket = () => join(pod.folder, "state/admin.sock");

function collecting(): string {
  return `
logs:
  - name: app
    files: [${pod.folder}/log/*.log]
    to: [stdout]
`;
}

/** Starts the sidecar with one log file, whose first line has been collected. */
async function collected(): Promise<{ sidecar: SidecarProcess; log: string }> {
  const log = pod.file("log/a.log", "first\n");
  const sidecar = await pod.start(collecting());
  await until(() => sidecar.records.includes("first"), { what: "the first line" });
  return { sidecar, log };
}

/** `outrigger logs` with these words, as it goes on. */
class Watching {
  text = "";
  complaints = "";
  readonly exited: Promise<number>;
  private readonly child: Subprocess<"ignore", "pipe", "pipe">;

  constructor(...words: string[]) {
    this.child = Bun.spawn([process.execPath, main, "logs", "-c", pod.configPath, ...words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" },
    });
    watching.push(this.child);
    const reading = [
      this.read(this.child.stdout, (text) => {
        this.text += text;
      }),
      this.read(this.child.stderr, (text) => {
        this.complaints += text;
      }),
    ];
    this.exited = Promise.all([this.child.exited, ...reading]).then(([code]) => code);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private async read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  }
}

/** Appends lines until the tail shows one: it begins some time after its process was started. */
async function shows(tail: Watching, log: string): Promise<void> {
  let number = 0;
  await until(
    async () => {
      appendFileSync(log, `try ${number++}\n`);
      await Bun.sleep(100);
      return tail.text.includes("try ");
    },
    { what: "a line in the tail" },
  );
}

function outrigger(...words: string[]) {
  return run(process.execPath, [main, "logs", "-c", pod.configPath, ...words]);
}

describe("outrigger logs", () => {
  test("shows lines as they pass, until it is interrupted", async () => {
    const { log } = await collected();
    const tail = new Watching();
    await shows(tail, log);
    expect(tail.text).toStartWith(`==> ${log} <==\ntry `);
    expect(tail.text).not.toContain("first");
    const other = pod.file("log/b.log", "other\n");
    await until(() => tail.text.includes(`\n\n==> ${other} <==\nother\n`), { what: "the other file's line" });
    tail.signal("SIGINT");
    expect(await tail.exited).toBe(0);
    expect(tail.complaints).toBe("");
  });

  test("shows only what is asked for, as objects, and ends with the sidecar", async () => {
    const { sidecar, log } = await collected();
    const tail = new Watching("--json", "--input", "app", "--output", "stdout", "--path", "a.*");
    await shows(tail, log);
    pod.file("log/b.log", "other\n");
    await until(() => sidecar.records.includes("other"), { what: "the other file's line" });
    await sidecar.stop();
    expect(await tail.exited).toBe(0);
    expect(tail.complaints).toBe("the sidecar has ended\n");
    const lines = tail.text.trimEnd().split("\n");
    for (const line of lines) {
      const { line: text, ...rest } = JSON.parse(line);
      expect(rest).toEqual({ input: "app", output: "stdout", path: log });
      expect(text).toStartWith("try ");
    }
  });

  test("shows how far outputs have every file", async () => {
    const { log } = await collected();
    const cells = async () => (await outrigger("--files")).out.split("\n").map((line) => line.split(/ {2,}/));
    await until(async () => (await cells())[1]?.[5] === "6", { what: "an acknowledgement" });
    expect(await cells()).toEqual([
      ["INPUT", "OUTPUT", "STATE", "SIZE", "READ", "ACKNOWLEDGED", "BEHIND", "SINCE", "FILE"],
      ["app", "stdout", "live", "6", "6", "6", "0", "-", log].map((cell) => expect.stringContaining(cell)),
      [""],
    ]);
    const objects = await outrigger("--files", "--json", "--path", "a.log");
    expect(JSON.parse(objects.out)).toMatchObject({ path: log, output: "stdout", sizeBytes: 6, lagBytes: 0 });
    const none = await outrigger("--files", "--path", "/nowhere/*");
    expect([none.code, none.err]).toEqual([1, "none of 1 files is meant by that\n"]);
  });

  test("finds a sidecar on a port, and says where admin is off", async () => {
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = taken;
    taken.stop(true);
    pod.file("log/a.log", "first\n");
    await pod.start(`admin: 127.0.0.1:${port}\n${collecting()}`);
    await until(async () => (await outrigger("--files")).out.includes("a.log"), { what: "a row" });
    pod.write("admin: off");
    const off = await outrigger();
    expect([off.code, off.err]).toEqual([3, `${pod.configPath} says admin: off, so the sidecar cannot be asked\n`]);
  });

  test("says that nothing is collected, that nobody answers, and that nobody was found", async () => {
    const sidecar = await pod.start("");
    const empty = await outrigger("--files");
    const sentence = "the sidecar answers: no logs: is configured, so there are no lines and no files to show\n";
    expect([empty.code, empty.err]).toEqual([1, sentence]);
    await sidecar.kill();
    const dead = await outrigger();
    expect([dead.code, dead.err]).toEqual([
      3,
      `nobody answers on ${socket()}: the sidecar has ended, or was not started yet\n`,
    ]);
    await (await pod.start("")).stop();
    const gone = await outrigger();
    expect(gone.code).toBe(3);
    expect(gone.err).toStartWith(`no sidecar was found: there is no ${socket()}; `);
  });
});

test("a reader that takes nothing holds up no line, and is told what it missed", async () => {
  const { sidecar, log } = await collected();
  const reader = connect(socket()).pause();
  await new Promise((resolve) => reader.once("connect", resolve));
  reader.write("GET /logs/tail?format=text HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await Bun.sleep(500);
  const lines = 20_000;
  appendFileSync(log, `${"x".repeat(199)}\n`.repeat(lines));
  await until(() => sidecar.records.length === lines + 1, { what: "every line on stdout" });
  let text = "";
  reader.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  reader.resume();
  await until(() => /\[outrigger: \d+ lines not shown/.test(text), { what: "the notice" });
  const missed = Number(/\[outrigger: (\d+) lines/.exec(text)![1]);
  expect(missed).toBeGreaterThan(1_000);
  expect(missed).toBeLessThan(lines);
  reader.destroy();
});

test("a tail goes on over a reload", async () => {
  const { sidecar, log } = await collected();
  const tail = new Watching();
  await shows(tail, log);
  const other = pod.file("more/b.log", "");
  pod.write(`${collecting().replace("log/*.log", "more/*.log")}`);
  sidecar.signal("SIGHUP");
  await sidecar.event("config_applied");
  appendFileSync(other, "after\n");
  await until(() => tail.text.includes("after\n"), { what: "a line of the new entry" });
});

test("a second sidecar with the same state leaves the socket alone, one after a kill takes it over", async () => {
  const { sidecar } = await collected();
  const second = pod.spawn();
  expect(await second.exited).toBe(3); // it has logs, whose positions are kept there
  expect(second.complaints).toHaveLength(1);
  expect(second.complaints[0]).toContain("keeps its positions of log files here; give each its own `state:`");
  expect((await outrigger("--files")).code).toBe(0);
  await sidecar.kill();
  await pod.start();
  expect((await outrigger("--files")).code).toBe(0);
});

test("a change of admin says that it needs a restart", async () => {
  const { sidecar } = await collected();
  pod.write(`admin: off\n${collecting()}`);
  sidecar.signal("SIGHUP");
  expect(await sidecar.event("config_restart_needed")).toMatchObject({ keys: ["admin"] });
  pod.write(collecting());
  expect((await outrigger("--files")).code).toBe(0);
});
