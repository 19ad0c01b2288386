/** How far a running sidecar is with every file: a table for people, an object a line for programs. */
import type { FileRow } from "../admin/log-pages.ts";
import type { AdminEnd } from "../config/find-admin.ts";
import type { CommandIo } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { ask } from "./_ask.ts";

export interface TableWishes {
  readonly input: string | undefined;
  readonly output: string | undefined;
  readonly path: string | undefined;
  readonly json: boolean;
}

/** Resolves to the exit code. */
export async function showFiles(end: AdminEnd, wishes: TableWishes, io: CommandIo): Promise<number> {
  const { files } = (await (await ask(end, "/logs/files")).json()) as { files: FileRow[] };
  const rows = await wanted(files, wishes);
  if (wishes.json) await io.out(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  else await io.out(rows.length === 0 ? "No file is followed.\n" : table(rows));
  return 0;
}

async function wanted(files: readonly FileRow[], { input, output, path }: TableWishes): Promise<FileRow[]> {
  const { Exclusion } = await import("../logs/following/glob.ts");
  const paths = path === undefined ? undefined : new Exclusion([path]);
  const rows = files.filter(
    (row) =>
      row.input === (input ?? row.input) && row.output === (output ?? row.output) && paths?.takes(row.path) !== false,
  );
  if (rows.length === 0 && files.length > 0) throw new UserError(`none of ${files.length} files is meant by that`, 1);
  return rows;
}

const columns: readonly (readonly [title: string, text: (row: FileRow) => string])[] = [
  ["INPUT", (row) => row.input],
  ["OUTPUT", (row) => row.output],
  ["STATE", (row) => row.state],
  ["SIZE", (row) => String(row.sizeBytes)],
  ["READ", (row) => String(row.readBytes)],
  ["ACKNOWLEDGED", (row) => String(row.acknowledgedBytes)],
  ["BEHIND", (row) => `${row.lagBytes}`],
  ["SINCE", (row) => (row.lagSeconds === 0 ? "-" : `${row.lagSeconds.toFixed(1)}s`)],
  ["FILE", (row) => row.path],
];
const numbers = new Set(["SIZE", "READ", "ACKNOWLEDGED", "BEHIND", "SINCE"]);

/** Sizes in bytes. */
function table(rows: readonly FileRow[]): string {
  const texts = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, text]) => text(row)))];
  const widths = columns.map((_, at) => Math.max(...texts.map((cells) => cells[at]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, at) => (numbers.has(columns[at]![0]) ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)));
  return texts.map((cells) => `${line(cells).join("  ").trimEnd()}\n`).join("");
}
