/** The proxies that are compared: where each program is found, how it is called, and what it says of its version. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { envoyBinary, NODE_CONTENDERS, nodePackages, Unavailable } from "./fetch.ts";
import { BINARY, ROOT } from "./layout.ts";

export interface Contender {
  name: string;
  /** Templates under `bench/configs`; the program is started with the first. */
  templates: readonly string[];
  /** What to run, without arguments; several words when the program is a script. */
  program: readonly string[];
  arguments(configPath: string): string[];
  /** In words, such as `nginx version: nginx/1.22.1`. */
  version: string;
}

export type Found = { contender: Contender } | { missing: string };

/** How to come by a contender's program. */
interface Entry {
  templates: readonly string[];
  /** Of plain TCP, where that is another file. */
  tcpTemplates?: readonly string[];
  arguments(configPath: string): string[];
  program(options: FindOptions): Promise<string[]>;
  version(program: readonly string[]): string;
}

export interface FindOptions {
  /** Our own program as `bun src/main.ts` instead of the compiled binary. */
  fromSource: boolean;
  /** For plain TCP: other configs. */
  tcp?: boolean;
  say(line: string): void;
}

const onNode = (script: string, runtime: () => string, described: () => string): Entry => ({
  templates: ["node.json.template"],
  arguments: (path) => [path],
  program: async ({ say }) => {
    await nodePackages(say);
    return [runtime(), join(NODE_CONTENDERS, `${script}.mjs`)];
  },
  version: () => described(),
});

const npm = (name: string, script: string): Entry =>
  onNode(
    script,
    () => "node",
    () => `${name} ${installed(name)} on ${nodeVersion()}`,
  );

const entries: Readonly<Record<string, Entry>> = {
  outrigger: {
    templates: ["outrigger.yaml", "add-field.ts.template"],
    tcpTemplates: ["tcp/outrigger.yaml"],
    arguments: (path) => ["run", "-c", path],
    program: async ({ fromSource }) => outrigger(fromSource),
    version: (program) => `outrigger ${said(program, "version")}`,
  },
  haproxy: {
    templates: ["haproxy.cfg", "haproxy.map"],
    tcpTemplates: ["tcp/haproxy.cfg"],
    arguments: (path) => ["-db", "-f", path],
    program: async () => debian("haproxy", "haproxy"),
    version: (program) => said(program, "-v").replace(/ - https?:\S+$/, ""),
  },
  nginx: {
    templates: ["nginx.conf"],
    tcpTemplates: ["tcp/nginx.conf"],
    arguments: (path) => ["-c", path],
    program: async ({ tcp }) => {
      if (tcp && !nginxModules())
        throw new Unavailable("nginx has no stream module (Debian package libnginx-mod-stream)");
      return debian("nginx", "nginx");
    },
    version: (program) => said(program, "-v"),
  },
  envoy: {
    templates: ["envoy.yaml"],
    tcpTemplates: ["tcp/envoy.yaml"],
    arguments: (path) => ["-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
    program: async ({ say }) => [await envoyBinary(say)],
    version: (program) => `Envoy ${/\/([\d.]+)\//.exec(said(program, "--version"))?.[1] ?? "of unknown version"}`,
  },
  "http-proxy": npm("http-proxy", "http-proxy"),
  httpxy: npm("httpxy", "httpxy"),
  fastify: npm("@fastify/http-proxy", "fastify"),
  "node-http2": onNode(
    "http2",
    () => "node",
    () => `node:http2 (bench/contenders/http2.mjs) on ${nodeVersion()}`,
  ),
  "bun-http2": onNode(
    "http2",
    () => process.execPath,
    () => `the same on Bun ${Bun.version}`,
  ),
};

export const NAMES = Object.keys(entries);

/** Looks the contender's program up, fetching it if need be. */
export async function find(name: string, options: FindOptions): Promise<Found> {
  const entry = entries[name];
  if (!entry) return { missing: `${name} is not one of ${NAMES.join(", ")}` };
  const templates = options.tcp ? entry.tcpTemplates : entry.templates;
  if (!templates) return { missing: `${name} does no plain TCP` };
  try {
    const program = await entry.program(options);
    return { contender: { name, templates, program, arguments: entry.arguments, version: entry.version(program) } };
  } catch (error) {
    if (error instanceof Unavailable) return { missing: `${name}: ${error.message}` };
    throw error;
  }
}

/** Our own program: the compiled binary, or `bun src/main.ts`. */
export function outrigger(fromSource: boolean): string[] {
  if (fromSource) return [process.execPath, join(ROOT, "src/main.ts")];
  if (existsSync(BINARY)) return [BINARY];
  throw new Unavailable(`${BINARY} does not exist: \`npm run build\` makes it, \`--source\` runs src/main.ts instead`);
}

/** Where nginx's dynamic modules lie, if the one for plain TCP is there. */
export function nginxModules(): string | undefined {
  return ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"].find((folder) =>
    existsSync(join(folder, "ngx_stream_module.so")),
  );
}

function debian(program: string, package_: string): string[] {
  const path = Bun.which(program, { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` });
  if (!path) throw new Unavailable(`not installed (Debian package ${package_})`);
  return [path];
}

function said(program: readonly string[], ...words: string[]): string {
  const ran = Bun.spawnSync([...program, ...words], { stdout: "pipe", stderr: "pipe" });
  return `${ran.stdout}\n${ran.stderr}`.trim().split("\n")[0] ?? "";
}

function nodeVersion(): string {
  return `Node ${said(["node"], "--version").replace(/^v/, "")}`;
}

function installed(name: string): string {
  const manifest = readFileSync(join(NODE_CONTENDERS, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
