import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { foreignSockets } from "./pod-sockets.ts";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

const tcpHeading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

function tcp(inode: number, state = "01"): string {
  return `   0: 0100007F:1F40 0100007F:C350 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 20 4 30 10 -1`;
}

function unix(inode: number, path = ""): string {
  return `0000000000000000: 00000002 00000000 00010000 0001 01 ${inode} ${path}`;
}

/** A folder like that of a process in /proc, which has these sockets itself. */
function proc(tables: Record<string, readonly string[]>, own: readonly number[]): string {
  const root = mkdtempSync(join(tmpdir(), "proc-"));
  roots.push(root);
  mkdirSync(join(root, "net"));
  mkdirSync(join(root, "fd"));
  for (const [name, lines] of Object.entries(tables))
    writeFileSync(join(root, "net", name), [tcpHeading, ...lines, ""].join("\n"));
  own.forEach((inode, fd) => void symlinkSync(`socket:[${inode}]`, join(root, "fd", String(fd))));
  symlinkSync("pipe:[55]", join(root, "fd", "99"));
  return root;
}

test("sockets of others are those that are not among our descriptors", () => {
  const tables = { tcp: [tcp(1), tcp(2)], tcp6: [tcp(3, "0A")], unix: [unix(4), unix(5, "@abstract")] };
  expect(foreignSockets(proc(tables, [1, 4]))).toBe(3);
  expect(foreignSockets(proc(tables, [1, 2, 3, 4, 5]))).toBe(0);
});

test("connections that only the kernel still has are nobody's", () => {
  expect(foreignSockets(proc({ tcp: [tcp(0, "06"), tcp(0, "05")] }, []))).toBe(0);
});

test("a kernel that tells nothing is not taken for a pod without sockets", () => {
  expect(foreignSockets(proc({}, [1]))).toBeUndefined();
  expect(foreignSockets("/nowhere")).toBeUndefined();
});

test("another process's sockets are seen in the real tables, and are gone with it", async () => {
  const script = 'Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }); console.log("up")';
  const command = ["unshare", "--net", "--map-root-user", process.execPath, "-e"];
  const look = `const { foreignSockets } = await import(${JSON.stringify(join(import.meta.dirname, "pod-sockets.ts"))});
    const child = Bun.spawn([process.execPath, "-e", ${JSON.stringify(script)}], { stdout: "pipe" });
    const before = foreignSockets();
    await child.stdout.getReader().read();
    const during = foreignSockets();
    child.kill("SIGKILL");
    await child.exited;
    console.log(JSON.stringify([during > 0, foreignSockets()]));`;
  const run = Bun.spawn([...command, look], { stdout: "pipe", stderr: "pipe" });
  const [said, complaint] = [await new Response(run.stdout).text(), await new Response(run.stderr).text()];
  if (complaint.includes("unshare")) {
    process.stderr.write(`SKIPPED: no network namespace of its own can be had: ${complaint}`);
    return;
  }
  expect(JSON.parse(said)).toEqual([true, 0]);
});
