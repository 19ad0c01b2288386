/** What may stand beside any output in `logs:`: when a batch is closed, how often it is tried, where rejects go. */
import * as z from "zod";
import type { OutputPolicy } from "../logs/delivery/policy.ts";
import { alsoWithIssues } from "./checks.ts";
import { duration, filePath, formatDuration, formatSize, option, size } from "./scalars.ts";

/** What an output may hold in memory: see `mostHeldBytes` in logs/delivery/batch. */
const mostBatchBytes = 8 * 1024 * 1024;
const leastLetterBytes = 64 * 1024;

function batchSchema() {
  return z.strictObject({
    bytes: option(size(1, mostBatchBytes), "Bytes of lines at which a batch is closed; a block of lines is not cut.", {
      default: "what suits the output, else `1MiB`",
    }).optional(),
    lines: option(z.int().min(1), "Lines, or records, at which it is closed.", {
      default: "what suits the output, else any number",
    }).optional(),
    age: option(duration(), "How long its first line waits for others. `0s` sends what there is.", {
      default: "what suits the output, else `0s`",
    }).optional(),
  });
}

function retrySchema() {
  const schema = z.strictObject({
    least: option(
      duration(1),
      "The pause after the first failure is random, up to this; the bound doubles with each further failure.",
      { default: "500ms" },
    ).optional(),
    most: option(
      duration(1),
      "Where it stops to double. What a destination asks for by `Retry-After` is kept to, up to 5m.",
      { default: "30s" },
    ).optional(),
    attempts: option(
      z.int().min(1),
      "How often a batch is tried before it goes to the dead letters. While it is tried, its lines wait in their file.",
      { default: "for ever" },
    ).optional(),
    giveUpAfter: option(duration(1), "How long it is tried before it goes to the dead letters.", {
      default: "for ever",
    }).optional(),
  });
  return schema.check(
    alsoWithIssues<{ least?: unknown; most?: unknown }>((payload) => {
      const { least = 500, most = 30_000 } = payload.value;
      if (typeof least !== "number" || typeof most !== "number" || least <= most) return;
      payload.issues.push({
        code: "custom",
        input: payload.value,
        message: `least (${formatDuration(least)}) is more than most (${formatDuration(most)})`,
        params: { remedy: "write a least that is no more than most" },
        path: [],
      });
    }),
  );
}

function deadLettersSchema() {
  const full = z.strictObject({
    file: option(filePath("/var/lib/outrigger/rejected.ndjson"), "The file; not among those that are collected.", {
      default: "`logs/dead-letters/OUTPUT.ndjson` in the state folder",
    }).optional(),
    size: option(
      size(leastLetterBytes),
      "Most bytes of it and of the one before it, `FILE.1`, together. The oldest make room for new ones, and are counted.",
      { default: "64MiB" },
    ).optional(),
  });
  return z.union([full, z.enum(["off"])]);
}

/** The policy keys of one output. */
export function policyShape() {
  return {
    batch: option(batchSchema(), "When a batch is closed: at the first of the three.").optional(),
    retry: option(retrySchema(), "How a batch is tried again that the output could not deliver.").optional(),
    deadLetters: option(
      deadLettersSchema(),
      "Where lines are kept that the destination will never take, as NDJSON. While they cannot be written, as on a full disk, the output waits. `off` discards and counts them.",
    ).optional(),
  };
}

type Parsed = z.output<z.ZodObject<ReturnType<typeof policyShape>>>;

/** The policy that is written beside an output, times in milliseconds; undefined where there is none. */
export function toPolicy({ batch, retry, deadLetters }: Parsed): OutputPolicy | undefined {
  if (batch === undefined && retry === undefined && deadLetters === undefined) return undefined;
  return {
    ...(batch && { batch: known({ bytes: batch.bytes, lines: batch.lines, ageMs: batch.age }) }),
    ...(retry && {
      retry: known({
        leastMs: retry.least,
        mostMs: retry.most,
        attempts: retry.attempts,
        giveUpAfterMs: retry.giveUpAfter,
      }),
    }),
    ...(deadLetters && {
      deadLetters: deadLetters === "off" ? deadLetters : known({ file: deadLetters.file, bytes: deadLetters.size }),
    }),
  };
}

/** Without the members that are undefined. */
function known<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** What a policy comes to, in sentences; none for what is not said. */
export function explainPolicy({ batch, retry, deadLetters }: OutputPolicy = {}): string[] {
  return [
    ...(batch === undefined ? [] : [`A batch is closed ${closing(batch)}.`]),
    ...(retry === undefined ? [] : [retrying(retry)]),
    ...(deadLetters === undefined ? [] : [rejects(deadLetters)]),
  ];
}

function closing({ bytes, lines, ageMs }: NonNullable<OutputPolicy["batch"]>): string {
  const at = [
    ...(bytes === undefined ? [] : [`at ${formatSize(bytes)}`]),
    ...(lines === undefined ? [] : [`at ${lines} lines`]),
    ...(ageMs === undefined ? [] : [ageMs === 0 ? "without waiting for more" : `after ${formatDuration(ageMs)}`]),
  ];
  return at.length > 1 ? `${at.join(", ")}, whichever comes first` : (at[0] ?? "as suits the output");
}

function retrying({ leastMs = 500, mostMs = 30_000, attempts, giveUpAfterMs }: NonNullable<OutputPolicy["retry"]>) {
  const ends = [
    ...(attempts === undefined ? [] : [`after ${attempts} attempts`]),
    ...(giveUpAfterMs === undefined ? [] : [`after ${formatDuration(giveUpAfterMs)}`]),
  ];
  const end = ends.length === 0 ? "for ever" : `and goes to the dead letters ${ends.join(" or ")}`;
  return `One that fails is tried again after random pauses of up to ${formatDuration(leastMs)}, growing to ${formatDuration(mostMs)}, ${end}.`;
}

function rejects(letters: NonNullable<OutputPolicy["deadLetters"]>): string {
  if (letters === "off") return "What it will never take is discarded, and counted.";
  const { file = "logs/dead-letters in the state folder", bytes } = letters;
  return `What it will never take is kept in ${file}${bytes === undefined ? "" : `, at most ${formatSize(bytes)}`}.`;
}
