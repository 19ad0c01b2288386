/**
 * Clients and apps written for Varnish's own test program, which shares no code with ours: `varnishtest/*.vtc`. Each
 * script has a listener of one sidecar to itself, and is given its address and the app's. (Its clients cannot close only
 * their half; flow tests do.)
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./kit/free-port.ts";
import { Pod, type SidecarProcess } from "./kit/sidecar-process.ts";

const folder = join(import.meta.dirname, "varnishtest");
const scripts = readdirSync(folder)
  .filter((name) => name.endsWith(".vtc"))
  .map((name) => name.slice(0, -".vtc".length));
const program = Bun.which("varnishtest");
if (program === null)
  process.stderr.write("ATTENTION: varnishtest is not installed (Debian: varnish); its scripts are skipped.\n");

/** What a script needs beside an address. */
const timeouts: Record<string, string> = {
  "slow-app": "{ response: 300ms }",
  "slow-client": "{ head: 300ms, keepAlive: 600ms }",
};

const origins = new Map<string, string>();
const pod = new Pod();
let sidecar: SidecarProcess;

function listener(name: string): string[] {
  const origin = `127.0.0.1:${freePort()}`;
  origins.set(name, origin);
  const limits = timeouts[name] === undefined ? [] : [`    timeouts: ${timeouts[name]}`];
  return [`  - name: ${name}`, "    listen: 127.0.0.1:0", `    to: http://${origin}`, ...limits];
}

beforeAll(async () => {
  if (program !== null) sidecar = await pod.start(["inbound:", ...scripts.flatMap(listener)].join("\n"));
});

afterAll(() => pod.remove());

test("there are scripts", () => {
  expect(scripts.length).toBeGreaterThanOrEqual(18);
});

describe.skipIf(program === null)("varnishtest:", () => {
  test.each(scripts)("%s", async (name) => {
    const macros = [`-Dorigin=${origins.get(name)}`, `-Dsidecar=${sidecar.address(name)}`];
    const run = Bun.spawn([program!, "-t", "25", ...macros, join(folder, `${name}.vtc`)], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, said] = await Promise.all([run.exited, new Response(run.stdout).text()]);
    expect({ name, code, said: code === 0 ? "" : said }).toEqual({ name, code: 0, said: "" });
  });
});
