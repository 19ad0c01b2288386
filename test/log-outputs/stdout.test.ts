import { expect, test } from "bun:test";
import stdout from "../../src/log-outputs/stdout.ts";
import { blockOf, OutputRun, testSource } from "../kit/output-run.ts";

async function written(options: unknown, ...blocks: Parameters<OutputRun["deliver"]>): Promise<Uint8Array[]> {
  const taken: Uint8Array[] = [];
  const run = await OutputRun.open(stdout, options, { stdout: { write: async (bytes) => void taken.push(bytes) } });
  expect(await run.deliver(...blocks)).toEqual({ outcome: "delivered" });
  await run.close();
  return taken;
}

test("raw lines are handed on in the very memory they were read into", async () => {
  const block = blockOf("a\nb\n");
  const taken = await written({}, block);
  expect(taken[0] === block.bytes).toBe(true);
});

test("each line is a JSON object when that is asked for", async () => {
  const source = { ...testSource, fields: { pod: "p-1" } };
  const taken = await written({ format: "json" }, blockOf('one\ntw"o\r\n', 0, source));
  expect(Buffer.concat(taken).toString()).toBe('{"message":"one","pod":"p-1"}\n{"message":"tw\\"o","pod":"p-1"}\n');
});
