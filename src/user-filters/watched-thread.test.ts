import { beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBlame, writeBlame } from "./blame.ts";
import { cell } from "./pulse.ts";
import { mostFaults, Row, rowMs } from "./standing.ts";
import { WatchedThread } from "./watched-thread.ts";

let cells: Int32Array;
let thread: WatchedThread;
beforeEach(() => {
  const memory = new SharedArrayBuffer(16);
  cells = new Int32Array(memory);
  cells[cell.beat] = 1;
  thread = new WatchedThread(memory);
});

test("a thread that turns is fine, whatever code it is in", () => {
  for (let beat = 2; beat < 5; beat++) {
    cells[cell.beat] = beat;
    cells[cell.current] = 3;
    expect(thread.look()).toBeUndefined();
  }
});

test("one that has not begun to show that it turns is not watched", () => {
  cells[cell.beat] = 0;
  expect([thread.look(), thread.look()]).toEqual([undefined, undefined]);
});

test("one that stands still is counted, with the version it is in, else the one it awaits", () => {
  cells[cell.pending] = 2;
  expect(thread.look()).toEqual({ looks: 1, version: 2 });
  cells[cell.current] = 3;
  expect(thread.look()).toEqual({ looks: 2, version: 3 });
});

test("and is told of the version that was blamed when it turns again, once", () => {
  cells[cell.current] = 3;
  thread.look();
  thread.blamed = 3;
  cells[cell.beat] = 2;
  expect(thread.look()).toBeUndefined();
  expect(cells[cell.stalled]).toBe(3);
  cells[cell.stalled] = 0;
  cells[cell.beat] = 3;
  thread.look();
  expect([cells[cell.stalled], thread.blamed]).toEqual([0, 0]);
});

test("blame is kept by version, the last hundred, and survives a file that is none", () => {
  const folder = mkdtempSync(join(tmpdir(), "blame-"));
  try {
    expect(readBlame([folder]).size).toBe(0);
    for (let at = 0; at < 120; at++) writeBlame(folder, { hash: `h${at % 110}`, name: "f", atMs: at });
    const kept = readBlame(["/nowhere", folder]);
    expect([kept.size, kept.get("h9")?.atMs, kept.has("h19")]).toEqual([100, 119, false]);
    expect(kept.has("h20")).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a row of faults ends with a call that goes well, and with time", () => {
  const row = new Row();
  for (let fault = 1; fault < mostFaults; fault++) expect(row.add(0)).toBe(false);
  row.end();
  for (let fault = 1; fault < mostFaults; fault++) expect(row.add(1)).toBe(false);
  expect(row.add(rowMs + 2)).toBe(false);
  for (let fault = 2; fault < mostFaults; fault++) expect(row.add(rowMs + 2)).toBe(false);
  expect(row.add(rowMs + 2)).toBe(true);
});
