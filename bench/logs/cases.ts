/** What the collectors are given to do, and what must come out. */
import type { Switches } from "../template.ts";
import { beginsRecord, java, json, type Kind, plain, secret, spacedJson } from "./lines.ts";

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
  bars?: Readonly<Record<string, { aim: number; bar: number }>>;
  /** Least MB per CPU second of ours. */
  leastMb?: number;
  /** Fields of the records that lines 0 to `count` must become; absent where lines must stay as they are. */
  records?(count: number): Iterable<Record<string, string>>;
}

const MiB = 2 ** 20;

/** Records written as JSON to a file: what such cases have in common. */
const parsed = { contenders: ["rsyslog", "syslog-ng"], rounds: 3, bytes: 128 * MiB };

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
  },
  {
    name: "raw-http",
    doc: "raw lines to an HTTP sink",
    kind: plain,
    switches: { raw: 1, http: 1 },
    contenders: ["syslog-ng"],
    rounds: 3,
    bytes: 256 * MiB,
  },
  {
    ...parsed,
    name: "json",
    doc: "JSON parsed, a field redacted, written as JSON to a file",
    kind: json,
    switches: { json: 1 },
    leastMb: 40,
    records: redacted,
  },
  {
    ...parsed,
    name: "json-spaced",
    doc: "the same of JSON with spaces after `:` and `,`, as Python writes it",
    kind: spacedJson,
    switches: { json: 1 },
    contenders: ["rsyslog"],
    leastMb: 40,
    records: (count) => redacted(count, spacedJson),
  },
  {
    ...parsed,
    name: "json-secrets",
    doc: "JSON without such spaces, and all texts searched for what looks like a secret",
    kind: json,
    switches: { json: 1, secrets: 1 },
    contenders: [],
    leastMb: 40,
    records: redacted,
  },
  {
    ...parsed,
    name: "java",
    doc: "Java stack traces joined, written as JSON to a file",
    kind: java,
    switches: { java: 1 },
    records: joined,
  },
];

/** The fields of each line as they are to come, the password gone. */
function* redacted(count: number, kind = json): Generator<Record<string, string>> {
  for (let i = 0; i < count; i++) {
    const { password, ...fields } = JSON.parse(kind.line(i)) as Record<string, unknown>;
    if (password !== secret(i)) throw new Error("the bench's own line has another password");
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    yield { ...Object.fromEntries(texts), password: "[redacted]" };
  }
}

/** Records of as many lines as belong together. */
function* joined(count: number): Generator<Record<string, string>> {
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
