/** Entries that would collect what they wrote: each line would come back as a new one, for ever. */
import { type DropIns, keyOf } from "./drop-ins.ts";
import type { Finding } from "./faults.ts";
import type { LogPipeline, PolicedOutput } from "./schema.ts";

/** @param folder relative paths start from it */
export async function ownOutputFindings(
  logs: readonly LogPipeline[],
  dropIns: DropIns,
  folder: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [at, { input, outputs }] of logs.entries()) {
    for (const [place, output] of outputs.entries()) {
      const path = await collectedOf(input, output, dropIns, folder);
      if (path !== undefined) findings.push(finding(path, ["logs", at, "to", place]));
    }
  }
  return findings;
}

/** The first file that the output writes and the input reads. */
async function collectedOf(
  input: LogPipeline["input"],
  output: PolicedOutput,
  { logInputs, logOutputs }: DropIns,
  folder: string,
): Promise<string | undefined> {
  const reader = logInputs.get(keyOf(input.use));
  const written = (await logOutputs.get(keyOf(output.use))?.writes?.(output.options, folder)) ?? [];
  for (const path of [...written, ...deadLettersOf(output)]) {
    if ((await reader?.reads?.(input.options, folder, path)) === true) return path;
  }
  return undefined;
}

function deadLettersOf({ policy }: PolicedOutput): string[] {
  const letters = policy?.deadLetters ?? "off";
  return letters === "off" || letters.file === undefined ? [] : [letters.file, `${letters.file}.1`];
}

function finding(written: string, path: Finding["path"]): Finding {
  return {
    path,
    problem: `this entry would collect what it writes here: its patterns take ${written}`,
    remedy: "write to another folder, or leave the file out with `exclude`",
  };
}
