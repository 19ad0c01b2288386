/** Whether what a collector delivered is what was asked for. */
import type { Case } from "./cases.ts";
import { type Kind, type Sum, sumOf } from "./lines.ts";
import type { Output } from "./output.ts";

/** Lines that are missing, too many, or not what was asked for: such a collector is not timed. */
export class WrongLines extends Error {}

/**
 * Checks what a collector made of lines 0 to `count`. Returns the sum of what is right, so that the next round's need
 * only be compared with it. @throws WrongLines
 */
export function check({ kind, records }: Case, output: Output, count: number): Promise<Sum> {
  return records ? checkEach(output, records(count)) : checkSame(kind, output, count);
}

/** That the output is the lines as they were, byte for byte. */
async function checkSame(kind: Kind, output: Output, count: number): Promise<Sum> {
  const [seen, wanted] = [await output.sum(), known(kind, count)];
  if (seen.bytes === wanted.bytes && seen.crc === wanted.crc) return wanted;
  const found = `${seen.bytes} bytes with checksum ${seen.crc} instead of ${wanted.bytes} with ${wanted.crc}`;
  throw new WrongLines(`${found}${output.lines ? `; ${firstDifference(kind, output.lines(), count)}` : ""}`);
}

const sums = new Map<string, Sum>();

function known(kind: Kind, count: number): Sum {
  const key = `${kind.name} ${count}`;
  const sum = sums.get(key) ?? sumOf(kind, count);
  sums.set(key, sum);
  return sum;
}

function firstDifference(kind: Kind, lines: Iterable<string>, count: number): string {
  let i = 0;
  for (const line of lines) {
    if (i >= count) return `there is a line after the last: ${line}`;
    if (`${line}\n` !== kind.line(i)) return `line ${i} is ${line}`;
    i++;
  }
  return i < count ? `the lines end after ${i} of ${count}` : "all lines are there";
}

/** Compares JSON objects, one a line, with what is wanted; fields beyond those do not matter. */
async function checkEach(output: Output, wanted: Iterable<Record<string, string>>): Promise<Sum> {
  if (!output.lines) throw new Error("only a file can be checked line by line");
  const lines = output.lines();
  let n = 0;
  for (const fields of wanted) {
    const { value, done } = lines.next();
    if (done) throw new WrongLines(`the records end after ${n}`);
    const found = JSON.parse(value) as Record<string, unknown>;
    for (const name in fields) {
      // Not every collector keeps numbers apart from text.
      if (String(found[name]) !== fields[name]) throw new WrongLines(`record ${n} has another ${name}: ${value}`);
    }
    n++;
  }
  if (!lines.next().done) throw new WrongLines(`there are more than ${n} records`);
  return output.sum();
}
