/** The watchdog's entry point: a thread that looks at others and, when one stands still, says and keeps why. */
import { writeSync } from "node:fs";
import { systemClock } from "../clock.ts";
import { spineEvents } from "../events.ts";
import { jsonLine, safeFields, sentence, textLine } from "../telemetry/event-line.ts";
import { writeBlame } from "./blame.ts";
import type { WatchdogMessage, WatchdogStart, WatchedVersion } from "./watchdog-messages.ts";
import { type Stall, WatchedThread } from "./watched-thread.ts";

declare const self: { onmessage: (event: MessageEvent<WatchdogMessage>) => void; postMessage(message: unknown): void };

const lookMs = 250;

/** What the process ends with: a software error, as sysexits.h counts them. */
const exitCode = 70;

const threads: WatchedThread[] = [];
const versions = new Map<number, WatchedVersion>();

function watch(how: WatchdogStart): void {
  setInterval(() => {
    for (const thread of threads) {
      const stall = thread.look();
      if (stall !== undefined) answer(how, thread, stall);
    }
  }, lookMs);
  self.postMessage("started");
}

function answer(how: WatchdogStart, thread: WatchedThread, { looks, version: number }: Stall): void {
  const stalledMs = looks * lookMs;
  const version = versions.get(number);
  if (looks === Math.ceil(how.stalledMs / lookMs)) {
    if (version === undefined) sayUnknown(how, number, stalledMs);
    else blame(how, thread, version, stalledMs);
  }
  if (looks === Math.ceil(how.endMs / lookMs) && number !== 0) void end();
}

function blame(how: WatchdogStart, thread: WatchedThread, version: WatchedVersion, stalledMs: number): void {
  const { hash, name, file } = version;
  thread.blamed = version.number;
  say(how, "filter_stalled", { filter: name, file, version: hash.slice(0, 12), stalledMs });
  for (const folder of how.stateFolders) {
    try {
      writeBlame(folder, { hash, name, atMs: systemClock.wall() });
      return;
    } catch {
      // Not writable: the next one.
    }
  }
}

function sayUnknown(how: WatchdogStart, number: number, stalledMs: number): void {
  const suspects =
    number === -1 ? "one of the filters whose promises it awaits" : "no filter is known to be the reason";
  say(how, "thread_stalled", { stalledMs, suspects });
}

/** Written at once: the thread that writes the own log may be the one that stands still. */
function say(how: WatchdogStart, event: "filter_stalled" | "thread_stalled", given: Record<string, unknown>): void {
  const { level, text } = spineEvents[event];
  const fields = safeFields(given);
  const line = how.logFormat === "json" ? jsonLine : textLine;
  const message = sentence(text, fields, "; ");
  try {
    writeSync(how.logFd, line({ time: new Date(systemClock.wall()), level, event, message, fields }));
  } catch {
    // Nobody reads it, or not fast enough: waiting would make this thread stand still too.
  }
}

/** Ends all threads. Not by a signal: process 1 of a container does not get its own. */
async function end(): Promise<void> {
  try {
    const { dlopen } = await import("bun:ffi");
    dlopen("libc.so.6", { _exit: { args: ["i32"], returns: "void" } }).symbols._exit(exitCode);
  } catch {
    process.kill(process.pid, "SIGKILL");
  }
}

self.onmessage = ({ data }) => {
  if (data.type === "start") watch(data);
  else if (data.type === "watch") threads.push(new WatchedThread(data.memory));
  else versions.set(data.version.number, data.version);
};
