/**
 * Runs every test with `bun test` on two processes and closes with one plain line:
 * `N passed, N failed, N skipped`. Words on the command line choose files, as with `bun test`.
 */
const root = `${import.meta.dirname}/..`;
const flags = ["--parallel=2", "--timeout=30000", "--no-orphans"];

/** What the summary of `bun test` counts under a word: ` 12 pass`, ` 1 skip`. */
function counted(output: string, word: string): number {
  const lines = [...output.matchAll(new RegExp(`^ *(\\d+) ${word}s?$`, "gm"))];
  return Number(lines.at(-1)?.[1] ?? 0);
}

/** Copies a stream to stderr as it comes and resolves to its text. */
async function copied(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    process.stderr.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

const child = Bun.spawn([process.execPath, "test", ...flags, ...process.argv.slice(2)], {
  cwd: root,
  // CI=true makes a forgotten test.only an error.
  env: { ...process.env, CI: "true", NO_COLOR: "1" },
  stdin: "ignore",
  stdout: "pipe",
  stderr: "pipe",
});
const [, output, exitCode] = await Promise.all([copied(child.stdout), copied(child.stderr), child.exited]);

const passed = counted(output, "pass");
const skipped = counted(output, "skip") + counted(output, "todo");
const failed = Math.max(counted(output, "fail"), counted(output, "error"), exitCode === 0 ? 0 : 1);
if (skipped > 0)
  process.stdout.write(`\nATTENTION: ${skipped} skipped: search the output above for (skip) and (todo).\n`);
if (passed === 0) process.stdout.write("\nNo test ran.\n");
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
