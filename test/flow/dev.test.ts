/** `outrigger dev`: the order of a pod, whatever happens to the two, and nothing left behind. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lines, linesOf } from "../../src/cli/_lines.ts";
import { DevRun, freePort } from "../kit/dev-run.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "outrigger-dev-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configFile(text = ""): string {
  const place = mkdtempSync(join(folder, "config-"));
  const config = join(place, "outrigger.yaml");
  writeFileSync(config, `health: 127.0.0.1:${freePort()}\nshutdown: { grace: 5s }\n${text}`);
  return config;
}

function dev(config: string, ...app: string[]): DevRun {
  return new DevRun({ config, app, env: { OUTRIGGER_STATE_DIR: join(folder, "state") } });
}

/** An app in a shell: says its pid, and goes on until SIGTERM. */
const patient = ["sh", "-c", 'trap "echo leaving; exit 0" TERM; echo app $$; while :; do sleep 0.05; done'];
/** One that does not want to end. */
const stubborn = ["sh", "-c", 'trap "" TERM; echo app $$; while :; do sleep 0.05; done'];

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < 15_000 && runs(pid); waitedMs += 50) await Bun.sleep(50);
  return !runs(pid);
}

async function appPid(run: DevRun): Promise<number> {
  return Number((await run.shows(/app (\d+)\n/))[1]);
}

describe("dev", () => {
  test("starts the app when the sidecar is up, and on Ctrl-C stops it first", async () => {
    await using run = dev(configFile(), ...patient);
    const pid = await appPid(run);
    expect(await run.stop()).toBe(0);
    const order = ["the sidecar is up", "app      | app ", "stopping the app", "app      | leaving\n"];
    const places = order.map((text) => run.output.indexOf(text));
    expect(places.every((place) => place >= 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(runs(pid)).toBe(false);
  });

  test("prefixes whole lines, without colours where there is no terminal", async () => {
    await using run = dev(configFile(), "sh", "-c", "printf 'one'; sleep 0.1; printf ' line\nlast'");
    expect(await run.ended).toBe(0);
    await run.shows(/^app {6}\| one line\napp {6}\| last$/m);
    expect(run.output).not.toContain("\x1b");
  });

  test("passes the app's exit code on, and stops the sidecar", async () => {
    await using run = dev(configFile(), "sh", "-c", "exit 42");
    expect(await run.ended).toBe(42);
    await run.shows(/the app ended with exit code 42; stopping the sidecar/);
  });

  test("starts the app anew on SIGUSR2, beside the same sidecar", async () => {
    await using run = dev(configFile(), ...patient);
    const first = await appPid(run);
    run.signal("SIGUSR2");
    const second = Number((await run.shows(/leaving\n[\s\S]*app (\d+)\n/))[1]);
    expect(second).not.toBe(first);
    expect(runs(first)).toBe(false);
    expect(await run.stop()).toBe(0);
    expect(run.output.match(/the sidecar is up/g)).toHaveLength(1);
  });

  test("kills both on a second Ctrl-C", async () => {
    await using run = dev(configFile(), ...stubborn);
    const pid = await appPid(run);
    run.signal("SIGINT");
    await run.shows(/Ctrl-C again kills both/);
    expect(runs(pid)).toBe(true);
    expect(await run.stop()).toBe(137);
    expect(await gone(pid)).toBe(true);
  });

  test("ends what the app left behind", async () => {
    await using run = dev(configFile(), "sh", "-c", "sleep 300 & echo left $!");
    expect(await run.ended).toBe(0);
    const [, left] = await run.shows(/left (\d+)\n/);
    expect(await gone(Number(left))).toBe(true);
  });

  test("takes its children along even when it is killed itself", async () => {
    const port = freePort();
    const config = configFile(`inbound: [{ listen: "127.0.0.1:${port}", to: "http://127.0.0.1:1" }]\n`);
    await using run = dev(config, ...patient);
    const pid = await appPid(run);
    run.signal("SIGKILL");
    await run.ended;
    expect(await gone(pid)).toBe(true);
    for (let waitedMs = 0; waitedMs < 15_000 && (await answers(port)); waitedMs += 50) await Bun.sleep(50);
    expect(await answers(port)).toBe(false);
  }, 40_000);
});

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );
}

describe("dev does not start", () => {
  test("without a command, with a usage message", async () => {
    await using run = dev(configFile());
    expect(await run.ended).toBe(2);
    await run.shows(/^dev: the app's command is missing: outrigger dev -c FILE -- COMMAND…$/m);
  });

  test("with a program that is not there", async () => {
    await using run = dev(configFile(), "no-such-program");
    expect(await run.ended).toBe(2);
    await run.shows(/^dev: there is no program no-such-program in \$PATH$/m);
  });

  test("with a configuration that is wrong, before anything runs", async () => {
    const config = configFile("inbuond: []\n");
    await using run = dev(config, "sh", "-c", "echo ran");
    expect(await run.ended).toBe(1);
    await run.shows(/outrigger\.yaml:3:1 .*inbuond/);
    expect(run.output).not.toContain("ran");
  });

  test("when somebody else answers on the health port", async () => {
    const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
    const config = join(folder, "taken.yaml");
    writeFileSync(config, `health: 127.0.0.1:${other.port}\n`);
    await using run = dev(config, "sh", "-c", "echo ran");
    expect(await run.ended).toBe(3);
    await run.shows(new RegExp(`taken\\.yaml: the health port ${other.port} is taken, .* with the key health`));
    expect(run.output).not.toContain("app      |");
    await other.stop(true);
  });

  test("the app when the sidecar could not start: its exit code and its words", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const config = configFile(`inbound: [{ listen: "127.0.0.1:${other.port}", to: "http://127.0.0.1:1" }]\n`);
    await using run = dev(config, "sh", "-c", "echo ran");
    expect(await run.ended).toBe(3);
    await run.shows(new RegExp(`sidecar {2}\\| .*${other.port}.* (taken|in use)`));
    await run.shows(/the sidecar ended with exit code 3 before the app was started/);
    expect(run.output).not.toContain("app      |");
    other.stop(true);
  });
});

describe("lines", () => {
  async function* stream(...chunks: string[]) {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }

  async function lines(...chunks: string[]): Promise<string[]> {
    return (await Array.fromAsync(linesOf(stream(...chunks)))).map((line) => Buffer.from(line).toString());
  }

  test("are whole, however their bytes arrive", async () => {
    expect(await lines("a\nb\n", "c", "d", "\n\n", "e")).toEqual(["a", "b", "cd", "", "e"]);
    expect(await lines()).toEqual([]);
  });

  test("of more than a mebibyte come in pieces", async () => {
    const half = "x".repeat(600_000);
    expect((await lines(half, half, half, "\n")).map((line) => line.length)).toEqual([1_200_000, 600_000]);
  });

  test("have coloured prefixes on a terminal", async () => {
    const written: string[] = [];
    await new Lines((line) => void written.push(Buffer.from(line).toString()), true).show("app", "green", "hi");
    expect(written).toEqual(["\x1b[32mapp      | \x1b[0mhi\n"]);
  });
});
