/**
 * The lines that are collected: 200 bytes each with the newline, no two alike, the same in every run. Each carries its
 * number, so that what comes out can be told line by line and the last one be waited for.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

export const LINE_BYTES = 200;

/** One kind of log. */
export interface Kind {
  name: string;
  /** What it looks like, for the page. */
  doc: string;
  /** Line `i` with its newline. */
  line(i: number): string;
}

/** Length and CRC-32 of a stream of bytes: what two streams are compared by. */
export interface Sum {
  bytes: number;
  crc: number;
}

export const EMPTY: Sum = { bytes: 0, crc: 0 };

export function add({ bytes, crc }: Sum, chunk: Uint8Array): Sum {
  return { bytes: bytes + chunk.length, crc: crc32(chunk, crc) };
}

/** Lines of one kind in a file. */
export interface LineFile {
  path: string;
  /** Numbers of the first line and of the one after the last. */
  from: number;
  to: number;
  bytes: number;
}

/** How a line says its number: unlike anything else in it, and found again in whatever the line becomes. */
export function mark(i: number): string {
  return `n${String(i).padStart(10, "0")}`;
}

function padded(text: string): string {
  return `${text.padEnd(LINE_BYTES - 1, ".")}\n`;
}

const LEVELS = ["INFO", "INFO", "INFO", "DEBUG", "WARN"];

function time(i: number): string {
  const seconds = String(Math.floor(i / 1000) % 60).padStart(2, "0");
  return `2026-11-26T04:00:${seconds}.${String(i % 1000).padStart(3, "0")}Z`;
}

function plainText(i: number): string {
  const level = LEVELS[i % LEVELS.length]!.padEnd(5);
  return `${time(i)} ${level} shop.orders [worker-${i % 16}] ${mark(i)} order accepted customer=${(i * 7919) % 1_000_000} total=${(i * 31) % 100_000} EUR `;
}

export const plain: Kind = {
  name: "plain",
  doc: "time stamp, level, logger, thread, message",
  line: (i) => padded(plainText(i)),
};

/** What a redaction must take out of line `i`. */
export function secret(i: number): string {
  return `hunter2-${(i * 2_654_435_761) % 1_000_000_007}`;
}

function jsonText(i: number, filler: string): string {
  const level = LEVELS[i % LEVELS.length]!.toLowerCase();
  const customer = (i * 7919) % 1_000_000;
  return `{"time":"${time(i)}","level":"${level}","logger":"shop.orders","id":"${mark(i)}","customer":${customer},"password":"${secret(i)}","message":"order accepted ${filler}"}`;
}

export const json: Kind = {
  name: "json",
  doc: "a JSON object of seven fields, one of them a password",
  line: (i) => `${jsonText(i, ".".repeat(LINE_BYTES - 1 - jsonText(i, "").length))}\n`,
};

/** White space where Python's `json.dumps` has it; the message is as much shorter. */
function spaced(line: string): string {
  const text = line.replaceAll('":', '": ').replaceAll(',"', ', "');
  const more = text.length - line.length;
  return `${text.slice(0, -3 - more)}${text.slice(-3)}`;
}

export const spacedJson: Kind = {
  name: "json-spaced",
  doc: `${json.doc}, with spaces after \`:\` and \`,\``,
  line: (i) => spaced(json.line(i)),
};

/** Lines of an exception with its trace, after as many lines that stand alone. */
const TRACE_LINES = 20;
/** Files are a multiple of so many lines long, so that none ends within a trace. */
export const PERIOD = 2 * TRACE_LINES;

function javaText(i: number): string {
  const place = i % PERIOD;
  if (place < TRACE_LINES) return plainText(i);
  if (place === TRACE_LINES) {
    return `${time(i)} ERROR shop.orders [worker-${i % 16}] ${mark(i)} order failed java.lang.IllegalStateException: no stock `;
  }
  const frame = `com.example.shop.orders.Reservation${i % 97}.reserve(Reservation${i % 97}.java:${i % 500}) ~[shop-${mark(i)}.jar]`;
  return place === TRACE_LINES + 12 ? `Caused by: java.io.IOException: ${mark(i)} ` : `\tat ${frame} `;
}

export const java: Kind = {
  name: "java",
  doc: `${TRACE_LINES} lines that stand alone, then an exception with a trace of ${TRACE_LINES - 1} lines, over and over`,
  line: (i) => padded(javaText(i)),
};

/** True when line `i` of the Java log begins a record. */
export function beginsRecord(i: number): boolean {
  return i % PERIOD <= TRACE_LINES;
}

const LINES_A_WRITE = 5000;

function* chunks(kind: Kind, from: number, to: number): Generator<Buffer> {
  for (let start = from; start < to; start += LINES_A_WRITE) {
    let text = "";
    for (let i = start; i < Math.min(to, start + LINES_A_WRITE); i++) text += kind.line(i);
    if (text.length % LINE_BYTES !== 0) throw new Error(`a line of ${kind.name} is longer than ${LINE_BYTES} bytes`);
    yield Buffer.from(text, "latin1");
  }
}

/** Writes the lines numbered `from` to `to`, the latter not included. */
export function writeLines(kind: Kind, path: string, from: number, to: number): LineFile {
  const fd = openSync(path, "w");
  let bytes = 0;
  try {
    for (const chunk of chunks(kind, from, to)) bytes += writeSync(fd, chunk);
  } finally {
    closeSync(fd);
  }
  return { path, from, to, bytes };
}

/** Of the lines 0 to `count`, the latter not included. */
export function sumOf(kind: Kind, count: number): Sum {
  let sum = EMPTY;
  for (const chunk of chunks(kind, 0, count)) sum = add(sum, chunk);
  return sum;
}
