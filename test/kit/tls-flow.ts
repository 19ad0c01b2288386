/** What the tests of TLS share: commands as strangers use them, and listeners that speak TLS. */
import type { ListenerArrival, UpstreamPolicy } from "../../src/config/schema.ts";
import type { Issued } from "./certificates.ts";

/** A listener's TLS with these certificates. */
export function tlsOf(certificates: readonly Issued[], more: object = {}): ListenerArrival {
  const pairs = certificates.map(({ cert, key }) => ({ cert, key }));
  return {
    protocol: "http",
    proxyProtocol: false,
    tls: { certificates: pairs, clients: undefined, minVersion: "1.2", ...more },
  };
}

/** How an https upstream is trusted. */
export function trusting(ca: string, more: object = {}): UpstreamPolicy {
  return {
    protocol: undefined,
    proxyProtocol: undefined,
    tls: { ca, serverName: undefined, identity: undefined, insecure: false, ...more },
  };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command beside the test, whose own loop has to go on serving it. */
export async function ran(command: readonly string[], input = ""): Promise<Ran> {
  const child = Bun.spawn([...command], { stdin: new Blob([input]), stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** curl that finds the name on this machine. */
export function curl(ca: string, host: string, port: number, ...more: string[]): Promise<Ran> {
  const resolve = ["--resolve", `${host}:${port}:127.0.0.1`];
  return ran(["curl", "-sS", "--max-time", "20", "--cacert", ca, ...resolve, ...more, `https://${host}:${port}/`]);
}
