/** The pages about logs: how far every file is, and what passes. */
import type { LogSourceState } from "../contracts.ts";
import type { LogTail } from "../logs/tail.ts";
import type { TapFilter } from "../logs/tap.ts";
import { json } from "./answers.ts";

/** What is watched of the log engine. */
export interface LogWatch {
  /** One row per file; undefined when nothing is collected. */
  logFiles(): Promise<readonly LogSourceState[] | undefined>;
  /** Opens a tail; undefined when nothing is collected, `"crowded"` when there are too many. */
  tailLogs(filter: TapFilter): LogTail | "crowded" | undefined;
}

/** One file and one output, as `/logs/files` shows it. */
export interface FileRow {
  readonly input: string;
  readonly path: string;
  /** Stays the same when the file is renamed; another one when its content was replaced. */
  readonly id: string;
  readonly state: string;
  readonly sizeBytes: number;
  readonly output: string;
  readonly readBytes: number;
  readonly acknowledgedBytes: number;
  /** Bytes that the output does not have for good, read or not. */
  readonly lagBytes: number;
  /** Since the oldest byte was read that the output does not have for good; 0 where there is none. */
  readonly lagSeconds: number;
}

const nothingCollected = "no logs: is configured, so there are no lines and no files to show";

/** `GET /logs/files` */
export async function logFiles(query: URLSearchParams, watch: LogWatch): Promise<Response> {
  const unknown = unknownKey(query, []);
  if (unknown !== undefined) return unknown;
  const states = await watch.logFiles();
  return states === undefined ? json(404, { error: nothingCollected }) : json(200, { files: states.flatMap(rowsOf) });
}

function rowsOf({ input, path, id, state, sizeBytes, outputs }: LogSourceState): FileRow[] {
  return Object.entries(outputs).map(([output, { readBytes, acknowledgedBytes, waitingMs = 0 }]) => ({
    input,
    path,
    id,
    state,
    sizeBytes,
    output,
    readBytes,
    acknowledgedBytes,
    lagBytes: Math.max(0, sizeBytes - acknowledgedBytes),
    lagSeconds: Math.round(waitingMs) / 1000,
  }));
}

const tailKeys = ["input", "output", "path", "format"];

/** `GET /logs/tail?input=&output=&path=&format=json|text`: lines as they pass, from now on, until the client leaves. */
export function logTail(query: URLSearchParams, watch: LogWatch): Response {
  const unknown = unknownKey(query, tailKeys);
  if (unknown !== undefined) return unknown;
  const format = query.get("format") ?? "json";
  if (format !== "json" && format !== "text") return json(400, { error: "format is json or text" });
  const wanted = { input: query.get("input"), output: query.get("output"), path: query.get("path") };
  const given = Object.entries(wanted).filter(([, value]) => value !== null);
  const tail = watch.tailLogs({ ...Object.fromEntries(given), format });
  if (tail === undefined) return json(404, { error: nothingCollected });
  if (tail === "crowded") return json(503, { error: "as many tails as may be are open; end another one first" });
  return new Response(streamOf(tail), {
    headers: {
      "content-type": format === "json" ? "application/x-ndjson" : "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

/** Asks the tail for more only when the client has taken what it was given. */
function streamOf(tail: LogTail): ReadableStream<Uint8Array> {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const chunk = await tail.next();
    if (chunk === undefined) controller.close();
    else controller.enqueue(chunk);
  };
  return new ReadableStream<Uint8Array>({ pull, cancel: () => tail.close() }, { highWaterMark: 0 });
}

function unknownKey(query: URLSearchParams, known: readonly string[]): Response | undefined {
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  if (unknown === undefined) return undefined;
  const instead = known.length === 0 ? "this page takes none" : `there are ${known.join(", ")}`;
  return json(400, { error: `"${unknown}" is no parameter; ${instead}` });
}
