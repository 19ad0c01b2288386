/** Lines as they pass in a running sidecar, until one of the two ends. */
import type { AdminEnd } from "../config/find-admin.ts";
import type { CommandIo } from "../contracts.ts";
import { missedText } from "../logs/missed.ts";
import { ask } from "./_ask.ts";
import { linesOf } from "./_lines.ts";

export interface LineWishes {
  readonly input: string | undefined;
  readonly output: string | undefined;
  readonly path: string | undefined;
  readonly json: boolean;
}

/** One line of `/logs/tail`. */
type Passing = { readonly path: string; readonly line: string } | { readonly missedLines: number };

/** Resolves to the exit code, after SIGINT or when the sidecar has ended. Writes no faster than its reader reads. */
export async function showLines(end: AdminEnd, wishes: LineWishes, io: CommandIo): Promise<number> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    const { body } = await ask(end, page(wishes), abort.signal);
    if (body !== null) await show(body, wishes, io);
    io.err("the sidecar has ended\n");
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  }
  return 0;
}

function page({ input, output, path }: LineWishes): string {
  const given = Object.entries({ input, output, path }).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(Object.fromEntries(given) as Record<string, string>);
  return `/logs/tail?${query}`;
}

async function show(body: AsyncIterable<Uint8Array>, wishes: LineWishes, io: CommandIo): Promise<void> {
  if (wishes.json) {
    for await (const bytes of body) await io.out(bytes);
    return;
  }
  let shown = "";
  for await (const bytes of linesOf(body)) {
    const passing = JSON.parse(Buffer.from(bytes).toString()) as Passing;
    if ("missedLines" in passing) {
      await io.out(`${missedText(passing.missedLines)}\n`);
      continue;
    }
    const header = passing.path === shown ? "" : `${shown === "" ? "" : "\n"}==> ${passing.path} <==\n`;
    shown = passing.path;
    await io.out(`${header}${passing.line}\n`);
  }
}
