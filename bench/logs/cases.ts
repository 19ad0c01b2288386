/** What the collectors are given to do, and what must come out. */
import type { Switches } from "../template.ts";
import { type Kind, plain, type Sum, sumOf } from "./lines.ts";
import type { Output } from "./output.ts";

export interface Case {
  /** Also the argument of `--point`. */
  name: string;
  doc: string;
  kind: Kind;
  /** What of the configs is used. */
  switches: Switches;
  /** Contenders that can do it. */
  contenders: readonly string[];
  /** Bytes of each collector's file in one round, unless `--bytes` says otherwise. */
  bytes: number;
  /** Least ratio of our MB per CPU second to another's, by its name. */
  bars: Readonly<Record<string, { aim: number; bar: number }>>;
  /** Least MB per CPU second of ours. */
  leastMb?: number;
  /**
   * Checks what a collector made of lines 0 to `count`. Returns the sum of what is right, so that the next round's need
   * only be compared with it. @throws WrongLines
   */
  check(output: Output, count: number): Promise<Sum>;
}

/** Lines that are missing, too many, or not what was asked for: such a collector is not timed. */
export class WrongLines extends Error {}

const MiB = 2 ** 20;

export const cases: readonly Case[] = [
  {
    name: "raw-file",
    doc: "raw lines to a file",
    kind: plain,
    switches: { raw: 1 },
    contenders: ["rsyslog", "syslog-ng"],
    bytes: 1024 * MiB,
    bars: { rsyslog: { aim: 3, bar: 2 } },
    check: (output, count) => checkSame(plain, output, count),
  },
];

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
