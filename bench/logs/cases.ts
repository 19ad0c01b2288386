/** What the collectors are given to do, and what must come out. */
import type { Switches } from "../template.ts";
import { beginsRecord, java, json, type Kind, plain, type Sum, secret, sumOf } from "./lines.ts";
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
  /** Unless `--rounds` says otherwise. */
  rounds: number;
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
    rounds: 3,
    bytes: 1024 * MiB,
    bars: { rsyslog: { aim: 3, bar: 2 } },
    check: (output, count) => checkSame(plain, output, count),
  },
  {
    name: "raw-http",
    doc: "raw lines to an HTTP sink",
    kind: plain,
    switches: { raw: 1, http: 1 },
    contenders: ["syslog-ng"],
    rounds: 5,
    bytes: 256 * MiB,
    bars: {},
    check: (output, count) => checkSame(plain, output, count),
  },
  {
    name: "json",
    doc: "JSON parsed, a field redacted, written as JSON to a file",
    kind: json,
    switches: { json: 1 },
    contenders: ["rsyslog", "syslog-ng"],
    rounds: 5,
    bytes: 128 * MiB,
    bars: {},
    leastMb: 40,
    check: (output, count) => checkEach(output, redactedLines(count)),
  },
  {
    name: "json-secrets",
    doc: "the same, and all texts searched for what looks like a secret",
    kind: json,
    switches: { json: 1, secrets: 1 },
    contenders: [],
    rounds: 3,
    bytes: 128 * MiB,
    bars: {},
    check: (output, count) => checkEach(output, redactedLines(count)),
  },
  {
    name: "java",
    doc: "Java stack traces joined, written as JSON to a file",
    kind: java,
    switches: { java: 1 },
    contenders: ["rsyslog", "syslog-ng"],
    rounds: 5,
    bytes: 128 * MiB,
    bars: {},
    check: (output, count) => checkEach(output, joinedLines(count)),
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

/** The fields of each line as they are to come, the password gone. */
function* redactedLines(count: number): Generator<Record<string, string>> {
  for (let i = 0; i < count; i++) {
    const { password, ...fields } = JSON.parse(json.line(i)) as Record<string, unknown>;
    if (password !== secret(i)) throw new Error("the bench's own line has another password");
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    yield { ...Object.fromEntries(texts), password: "[redacted]" };
  }
}

/** Records of as many lines as belong together. */
function* joinedLines(count: number): Generator<Record<string, string>> {
  let message = "";
  for (let i = 0; i < count; i++) {
    const line = java.line(i).slice(0, -1);
    if (beginsRecord(i) && message !== "") {
      yield { message };
      message = "";
    }
    message += message === "" ? line : `\n${line}`;
  }
  yield { message };
}
