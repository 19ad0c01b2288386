/**
 * What the kernel knows about this process, read at scrape: memory, CPU, descriptors, start time.
 * Names follow the convention all Prometheus clients share; a number that cannot be read is left out.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { MetricDeclaration } from "../contracts.ts";
import { readOpenFilesLimit } from "../limits.ts";
import { familyHead } from "./metrics.ts";

interface ProcessMetric extends Pick<MetricDeclaration, "doc"> {
  readonly kind: "counter" | "gauge";
  read(proc: ProcFiles): number | undefined;
}

const kibibyte = 1024;

export const processMetrics: Readonly<Record<string, ProcessMetric>> = {
  process_cpu_seconds_total: {
    kind: "counter",
    doc: "User and system CPU time spent, in seconds.",
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  },
  process_resident_memory_bytes: {
    kind: "gauge",
    doc: "Resident memory, pages of the executable included.",
    read: (proc) => proc.statusBytes("VmRSS"),
  },
  process_virtual_memory_bytes: {
    kind: "gauge",
    doc: "Virtual memory. The runtime reserves far more than it uses.",
    read: (proc) => proc.statusBytes("VmSize"),
  },
  outrigger_process_anonymous_memory_bytes: {
    kind: "gauge",
    doc: "Resident memory that belongs to this process alone (RssAnon): what a second sidecar on the node would add.",
    read: (proc) => proc.statusBytes("RssAnon"),
  },
  process_open_fds: {
    kind: "gauge",
    doc: "Open file descriptors.",
    // The folder's own descriptor is among them while it is being read.
    read: (proc) => proc.entries("fd", -1),
  },
  process_max_fds: {
    kind: "gauge",
    doc: "Limit on open file descriptors.",
    read: (proc) => readOpenFilesLimit(proc.text("limits")),
  },
  process_threads: { kind: "gauge", doc: "Threads of the process.", read: (proc) => proc.entries("task", 0) },
};

/** The text of the process's own metrics. `startedAtMs` is wall time in milliseconds. */
export function processExposition(startedAtMs: number, root = "/proc/self"): string {
  const proc = new ProcFiles(root);
  let text = "";
  for (const [name, { kind, doc, read }] of Object.entries(processMetrics)) {
    const value = read(proc);
    if (value !== undefined) text += `${familyHead(name, kind, doc)}${name} ${value}\n`;
  }
  const started = "process_start_time_seconds";
  return `${text}${familyHead(started, "gauge", "Unix time at which the process started.")}${started} ${startedAtMs / 1000}\n`;
}

/** The files of one process under /proc, each read at most once. */
class ProcFiles {
  private readonly root: string;
  private readonly texts = new Map<string, string>();

  constructor(root: string) {
    this.root = root;
  }

  statusBytes(field: string): number | undefined {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(this.text("status"));
    return found === null ? undefined : Number(found[1]) * kibibyte;
  }

  entries(folder: string, correction: number): number | undefined {
    try {
      return readdirSync(`${this.root}/${folder}`).length + correction;
    } catch {
      return undefined;
    }
  }

  text(file: string): string {
    let text = this.texts.get(file);
    if (text === undefined) {
      text = readOr(`${this.root}/${file}`, "");
      this.texts.set(file, text);
    }
    return text;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
