/** The apps behind the proxies, one for each kind of traffic, on the load's core. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { LOAD_CORE, ROOT } from "./layout.ts";
import { pinned } from "./linux.ts";
import { connects, freePort, writeConfigs } from "./running.ts";
import type { Count, Origin } from "./suite.ts";

/** A script of ours that prints its port when it listens. */
export async function script(name: string, ...words: string[]): Promise<{ port: number; stop(): void }> {
  const child: Subprocess<"ignore", "pipe", "inherit"> = pinned(LOAD_CORE, LOAD_CORE, () =>
    Bun.spawn([process.execPath, join(ROOT, "bench", name), ...words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    }),
  );
  const first = await child.stdout.getReader().read();
  return { port: Number(Buffer.from(first.value ?? []).toString()), stop: () => child.kill() };
}

async function countAt(port: number): Promise<Count> {
  const answer = await fetch(`http://127.0.0.1:${port}/_count`);
  return (await answer.json()) as Count;
}

function scripted(name: string): () => Promise<Origin> {
  return async () => {
    const { port, stop } = await script(name);
    return { port, places: { origin: port, cert: "", key: "", pem: "" }, count: () => countAt(port), stop };
  };
}

/** bench/origin.ts: HTTP/1.1, and bytes for whoever does not look into them. */
export const startOrigin = scripted("origin.ts");
export const startWebsocketOrigin = scripted("websocket-origin.ts");

/** The same, and a certificate for the proxies to show. */
export async function startOriginWithCertificate(): Promise<Origin> {
  const origin = await startOrigin();
  const folder = mkdtempSync(join(tmpdir(), "bench-certificate-"));
  const stop = (): void => {
    origin.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...origin, places: { ...origin.places, ...makeCertificate(folder) }, stop };
}

/** A self-signed certificate with a P-256 key for bench.local, as files: each alone, and both in one. */
export function makeCertificate(folder: string): { cert: string; key: string; pem: string } {
  const [cert, key, pem] = ["tls.crt", "tls.key", "tls.pem"].map((name) => join(folder, name));
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
  const names = ["-subj", "/CN=bench.local", "-addext", "subjectAltName=DNS:bench.local,DNS:localhost,IP:127.0.0.1"];
  const made = Bun.spawnSync(["openssl", ...request, ...names, "-keyout", key!, "-out", cert!], { stderr: "pipe" });
  if (!made.success) throw new Error(`openssl made no certificate: ${made.stderr}`);
  const both = Bun.spawnSync(["cat", cert!, key!]).stdout;
  writeFileSync(pem!, both, { mode: 0o600 });
  return { cert: cert!, key: key!, pem: pem! };
}

/** Sizes of answers that the points ask nginx for. */
const FILES = [4096, 1 << 20];

/** nginx with HTTP/2 by prior knowledge and, on another port, HTTP/1.1: an app in C, so that the load's core suffices. */
export async function startHttp2Origin(): Promise<Origin> {
  const echo = await script("origin.ts");
  const folder = mkdtempSync(join(tmpdir(), "bench-http2-origin-"));
  mkdirSync(join(folder, "files/_body"), { recursive: true });
  for (const bytes of FILES) writeFileSync(join(folder, "files/_body", String(bytes)), Buffer.alloc(bytes, "x"));
  const [port, http1] = [freePort(), freePort()];
  const [config] = await writeConfigs(
    ["http2-origin.conf"],
    folder,
    { port, http1, echo: echo.port, origin: port },
    {},
  );
  const nginx = pinned(LOAD_CORE, LOAD_CORE, () =>
    Bun.spawn([Bun.which("nginx", { PATH: `${process.env.PATH}:/usr/sbin` }) ?? "nginx", "-c", config!], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    }),
  );
  const stop = (): void => {
    nginx.kill();
    echo.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const until = performance.now() + 5000; !(await connects(http1)); await Bun.sleep(20)) {
    if (performance.now() < until && nginx.exitCode === null) continue;
    stop();
    throw new Error("nginx did not start as the HTTP/2 app");
  }
  const count = async (): Promise<Count> => readStatus(await (await fetch(`http://127.0.0.1:${http1}/_count`)).text());
  return { port, places: { origin: port, http1, cert: "", key: "", pem: "" }, count, stop };
}

/** nginx's stub_status: accepted connections, handled ones, requests. */
export function readStatus(text: string): Count {
  const [, accepted, , requests] = /\n\s*(\d+) (\d+) (\d+)\s*\n/.exec(text) ?? [];
  if (requests === undefined) throw new Error(`nginx gave no status but\n${text}`);
  return { connections: Number(accepted), requests: Number(requests) };
}
