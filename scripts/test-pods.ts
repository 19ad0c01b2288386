/**
 * `npm run test:pods`: runs the samples' pods, and others made to be hard, for real with podman (test/pods). Words on the
 * command line choose files and tests as with `bun test`.
 *
 * All of it happens in a mount, a network and a process namespace of its own, with a storage of its own below /tmp:
 * nothing of the machine's images, networks or rules is touched. Root only, on Linux; where the kernel lacks something it
 * says so and ends with 0, where a program is missing it says so and ends with 1.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { Podman } from "../test/pods/kit/podman.ts";
import { outputOf, works } from "./image/programs.ts";

const root = join(import.meta.dirname, "..");
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const archives = ["outrigger", "outrigger-samples"].map((title) =>
  join(root, "dist", `${title}-${manifest.version}-${architecture}.tar`),
);

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** For what no package can mend. */
function skip(reason: string): number {
  say(`SKIPPED: no pod was run, because this machine cannot: ${reason}`);
  return 0;
}

/** Debian's packages and the programs they are needed for. Podman calls some by their place, of which there are two. */
const needed: Record<string, readonly string[]> = {
  podman: ["podman"],
  crun: ["crun"],
  conmon: ["conmon"],
  "util-linux": ["unshare"],
  iproute2: ["ip"],
  iptables: ["iptables"],
  netavark: ["/usr/lib/podman/netavark", "/usr/libexec/podman/netavark"],
  catatonit: ["/usr/libexec/podman/catatonit", "catatonit"],
};

function missingPackages(): string[] {
  const isThere = (program: string) => (program.startsWith("/") ? existsSync(program) : Bun.which(program) !== null);
  return Object.keys(needed).filter((name) => !needed[name]!.some(isThere));
}

/** The namespace of processes sees to it that no container outlives the tests, however they end. */
const namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Why this kernel, or this user, cannot run a pod; undefined when it can. */
function whyImpossible(): string | undefined {
  if (process.platform !== "linux") return "containers of Linux run on Linux";
  if (process.getuid?.() !== 0) return "separate users on one volume need root";
  if (!works(...namespaces, "true")) return "this kernel makes no namespaces for us";
  if (!works("unshare", "--net", "ip", "link", "add", "pods0", "type", "bridge")) return "this kernel has no bridge";
  return undefined;
}

/** Whether the archives were written after the last change of what goes into them. */
function isFresh(): boolean {
  if (!archives.every((path) => existsSync(path))) return false;
  const sources = ["src/**/*.ts", "scripts/image/**/*.ts", "samples/*/workload.ts"].flatMap((glob) => [
    ...new Bun.Glob(glob).scanSync({ cwd: root }),
  ]);
  const others = ["Containerfile", "package-lock.json", "scripts/compile.ts"];
  const changed = [...sources, ...others].map((path) => statSync(join(root, path)).mtimeMs);
  return Math.min(...archives.map((path) => statSync(path).mtimeMs)) > Math.max(...changed);
}

/** What containers may have at most: what this process may, read from /proc/self/limits, and no more than is plenty. */
function mostOf(name: string): number {
  const [, hard] = new RegExp(`^${name} +\\S+ +(\\d+)`, "m").exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return Math.min(Number(hard ?? Number.POSITIVE_INFINITY), 20_000);
}

/** Podman may ask the runtime for more than this machine allows its root; crun refuses then. */
function writeSettings(folder: string): string {
  const file = join(folder, "containers.conf");
  const [files, processes] = [mostOf("Max open files"), mostOf("Max processes")];
  const lines = [
    "[containers]",
    `default_ulimits = ["nofile=${files}:${files}", "nproc=${processes}:${processes}"]`,
    "[engine]",
    'cgroup_manager = "cgroupfs"',
    'events_logger = "file"',
    "[network]",
    'network_backend = "netavark"',
  ];
  writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
  return file;
}

/** Has podman run its own pause container, in which none of our programs is: why it cannot, or undefined. */
async function whyNoPod(podman: Podman): Promise<string | undefined> {
  try {
    await podman.run("network", "create", "--disable-dns", "pods");
    await podman.run("pod", "create", "--name=first", "--network=pods");
    await podman.run("pod", "start", "first");
    await podman.run("pod", "rm", "--force", "--time=0", "first");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** In the namespaces, made once: images and network in place, the tests run, everything taken away. */
async function inside(folder: string, words: readonly string[]): Promise<number> {
  const podman = new Podman(folder);
  const reason = await whyNoPod(podman);
  if (reason !== undefined) return skip(reason);
  for (const archive of archives) await podman.run("load", "--quiet", `--input=${archive}`);
  const code = await runTests(folder, words);
  await podman.run("pod", "rm", "--all", "--force", "--time=0");
  return code;
}

async function runTests(folder: string, words: readonly string[]): Promise<number> {
  const named = words.filter((word) => word.endsWith(".pods.ts"));
  const files = podTests().filter((path) => named.length === 0 || named.some((word) => path.endsWith(word)));
  if (files.length === 0) throw new Error(`no file of test/pods is named ${named.join(" or ")}`);
  const others = words.filter((word) => !named.includes(word));
  const child = Bun.spawn([process.execPath, "test", "--timeout=180000", ...files, ...others], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, OUTRIGGER_PODS: folder, CI: "true", NO_COLOR: "1" },
  });
  return child.exited;
}

/** Not named `….test.ts`: `npm test` runs without images. */
function podTests(): string[] {
  const folder = join(root, "test/pods");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".pods.ts"))
    .map((name) => join(folder, name));
}

/** crun does not run where cgroups of both versions are mounted; in a namespace of our own the second can be left out. */
const enter = 'umount /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up && exec "$@"';

async function outside(words: readonly string[]): Promise<number> {
  const missing = missingPackages();
  if (missing.length > 0) {
    say(`FAILED: install ${missing.join(", ")}`);
    return 1;
  }
  const reason = whyImpossible();
  if (reason !== undefined) return skip(reason);
  if (!isFresh()) say("the images are older than the source: building them");
  if (!isFresh()) outputOf([process.execPath, join(root, "scripts/image.ts")], { cwd: root });
  const folder = mkdtempSync(join(tmpdir(), "outrigger-pods-"));
  try {
    const again = [process.execPath, import.meta.path, "--inside", folder, ...words];
    const child = Bun.spawn([...namespaces, "sh", "-c", enter, "sh", ...again], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, CONTAINERS_CONF: writeSettings(folder) },
    });
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => child.kill("SIGKILL"));
    return await child.exited;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [first, folder, ...words] = process.argv.slice(2);
process.exitCode =
  first === "--inside" && folder !== undefined ? await inside(folder, words) : await outside(process.argv.slice(2));
