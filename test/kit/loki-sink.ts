/** Loki's push requests, decoded by other people's code and held against its documented rules. */
import protobuf from "protobufjs";
import { uncompress } from "snappyjs";
import type { SinkRequest } from "./http-sink.ts";

const { root } = protobuf.parse(`
  syntax = "proto3";
  message PushRequest { repeated StreamAdapter streams = 1; }
  message StreamAdapter { string labels = 1; repeated EntryAdapter entries = 2; uint64 hash = 3; }
  message EntryAdapter { Timestamp timestamp = 1; string line = 2; repeated LabelPair structuredMetadata = 3; repeated LabelPair parsed = 4; }
  message LabelPair { string name = 1; string value = 2; }
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
`);
const pushRequest = root.lookupType("PushRequest");

export interface PushedEntry {
  readonly time: bigint;
  readonly line: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface PushedStream {
  readonly labels: Readonly<Record<string, string>>;
  readonly entries: readonly PushedEntry[];
}

interface Decoded {
  readonly streams?: readonly {
    readonly labels: string;
    readonly entries: readonly {
      readonly timestamp?: { readonly seconds?: string; readonly nanos?: number };
      readonly line?: string;
      readonly structuredMetadata?: readonly { readonly name: string; readonly value: string }[];
    }[];
  }[];
}

/** @throws Error with what Loki would not have understood */
export function pushedIn(request: SinkRequest): PushedStream[] {
  const type = request.headers["content-type"];
  if (type === "application/json") return fromJson(JSON.parse(request.body.toString("utf8")));
  if (type !== "application/x-protobuf") throw new Error(`content-type ${type}`);
  return fromProtobuf(plainOf(request));
}

/** The protocol buffers without snappy. */
export function plainOf({ body }: SinkRequest): Uint8Array {
  return uncompress(new Uint8Array(body));
}

function fromProtobuf(bytes: Uint8Array): PushedStream[] {
  const decoded = pushRequest.toObject(pushRequest.decode(bytes), { longs: String }) as Decoded;
  return (decoded.streams ?? []).map(({ labels, entries }) => ({
    labels: labelsIn(labels),
    entries: entries.map(({ timestamp, line = "", structuredMetadata = [] }) => ({
      time: BigInt(timestamp?.seconds ?? 0) * 1_000_000_000n + BigInt(timestamp?.nanos ?? 0),
      line,
      metadata: Object.fromEntries(structuredMetadata.map(({ name, value }) => [name, value])),
    })),
  }));
}

interface Json {
  readonly streams: readonly {
    readonly stream: Record<string, string>;
    readonly values: readonly (readonly [string, string, Record<string, string>?])[];
  }[];
}

function fromJson({ streams, ...more }: Json): PushedStream[] {
  if (Object.keys(more).length > 0) throw new Error(`unknown members ${Object.keys(more)}`);
  return streams.map(({ stream, values }) => ({
    labels: stream,
    entries: values.map(([time, line, metadata = {}]) => {
      if (!/^\d{19}$/.test(time)) throw new Error(`timestamp ${time}`);
      return { time: BigInt(time), line, metadata };
    }),
  }));
}

/** `{a="b", c="d"}`, names in order, values as Go quotes them. */
function labelsIn(text: string): Record<string, string> {
  if (!/^\{.*\}$/s.test(text)) throw new Error(`labels ${text}`);
  const labels: Record<string, string> = {};
  let rest = text.slice(1, -1);
  while (rest !== "") {
    const found = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:, |$)/s.exec(rest);
    if (found === null) throw new Error(`labels ${text}`);
    labels[found[1]!] = unquoted(found[2]!);
    rest = rest.slice(found[0].length);
  }
  const names = Object.keys(labels);
  if (names.length === 0 || names.length > 15) throw new Error(`${names.length} labels`);
  if (String(names) !== String(names.toSorted())) throw new Error(`labels out of order ${text}`);
  return labels;
}

/** What Go's `strconv.Unquote` takes, of it what is sent here. */
function unquoted(text: string): string {
  return text.replace(/\\(u[0-9a-f]{4}|.)/gs, (_, code: string) => {
    if (code.length > 1) {
      const unit = Number.parseInt(code.slice(1), 16);
      if (unit >= 0xd800 && unit <= 0xdfff) throw new Error(`a lone surrogate in ${text}`);
      return String.fromCharCode(unit);
    }
    const known: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", '"': '"', "\\": "\\" };
    const character = known[code];
    if (character === undefined) throw new Error(`escape \\${code} in ${text}`);
    return character;
  });
}
