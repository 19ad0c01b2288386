/** docs/benchmarks.md: each section is replaced by the run that measured it, the rest stays. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ROOT } from "./layout.ts";

export const PAGE = join(ROOT, "docs/benchmarks.md");

/** In the page's order. */
const TITLES = {
  http: "CPU per HTTP request",
  http2: "CPU per HTTP/2 request",
  tls: "TLS 1.3 towards the client",
  websocket: "CPU per WebSocket message",
  tcp: "Plain TCP",
  start: "Start and idle memory",
  edits: "Filters edited while requests flow",
  logs: "Log lines per CPU second",
  logs_p99: "Requests while logs flow",
  logs_idle: "A thousand idle log files",
  logs_memory: "Memory while a log sink fails half of the time",
  webhook: "Reviews of the webhook",
  soak: "Thirty minutes of mixed traffic",
} as const;
export type Section = keyof typeof TITLES;

const commands = Object.keys(TITLES).filter((name) => name !== "soak" && !name.includes("_"));

const PREAMBLE = `# Benchmarks

Written by \`npm run bench -- COMMAND\` (${commands.join(", ")}) and \`npm run soak\`: each section below was put here by the run that measured it, losses included.
Absolute figures belong to the machine they were measured on; ratios within one run travel better.
The aims and bars are the project's own targets. [Where a request's time goes](cost.md) says what the figures are made of.
`;

/** A Markdown table; numbers come already formatted. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** The page's text with one section replaced, or added in its place in the order of `TITLES`. */
export function replaceSection(page: string, section: Section, body: string): string {
  const bodies = new Map<string, string>(sections(page));
  bodies.set(section, body.trim());
  const parts = Object.entries(TITLES).flatMap(([name, title]) => {
    const text = bodies.get(name);
    return text === undefined ? [] : [`<!-- ${name}: begin -->\n## ${title}\n\n${text}\n<!-- ${name}: end -->\n`];
  });
  return [PREAMBLE, ...parts].join("\n");
}

function sections(page: string): [name: string, body: string][] {
  const found = page.matchAll(/<!-- (\w+): begin -->\n## [^\n]*\n\n([\s\S]*?)\n<!-- \1: end -->/g);
  return [...found].map((match) => [match[1]!, match[2]!]);
}

/** Replaces one section of docs/benchmarks.md on disk. */
export async function writeSection(section: Section, body: string): Promise<void> {
  const page = existsSync(PAGE) ? await readFile(PAGE, "utf8") : "";
  await mkdir(dirname(PAGE), { recursive: true });
  await writeFile(PAGE, replaceSection(page, section, body));
}
