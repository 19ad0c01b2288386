/** The stack traces that are known by name. */
import { bytesOf, type Machine, type Step } from "./machine.ts";

const frames: readonly Step[] = [
  { when: /^[\t ]+(?:eval )?at /, next: "frames" },
  { when: /^[\t ]*--- End of (?:inner exception )?stack trace(?: from previous location.*)? ---\s*$/, next: "frames" },
  { when: /^[\t ]*(?:Caused by|Suppressed):/, next: "exception" },
  { when: /^[\t ]*---> /, next: "exception" },
  { when: /^[\t ]*\.\.\. \d+ (?:more|common frames omitted)/, next: "frames" },
];

const exceptions: readonly Step[] = [
  { when: /(?:Exception|Error|Throwable|V8 errors stack trace)(?::|\s*$)/, next: "exception" },
];

/** Java and what runs beside it; .NET and V8 write alike. */
const java: Machine = {
  starts: exceptions,
  steps: {
    nested: exceptions,
    exception: [
      { when: /^[\t ]*nested exception is:/, next: "nested" },
      { when: /^\s*$/, next: "exception" },
      ...frames,
    ],
    frames,
  },
  seconds: bytesOf(" \t\rCS-.n", true),
};

/** V8 as Node.js prints it: causes, and fields of the error in braces behind the last frame. */
const node: Machine = {
  starts: [{ when: /(?:Error|Exception)(?: \[\w+\])?(?::|\s*$)/, next: "frames" }],
  steps: {
    frames: [
      { when: /^[\t ]+at .*\{\s*$/, next: "fields" },
      { when: /^[\t ]+(?:eval )?at /, next: "frames" },
      { when: /^[\t ]+\.\.\. \d+ lines matching /, next: "frames" },
      { when: /^[\t ]+\[(?:cause|errors)\]: /, next: "frames" },
      { when: /^[\t ]*Caused by:/, next: "frames" },
    ],
    fields: [
      { when: /^\}\s*$/, next: "end" },
      { when: /^[\t ]/, next: "fields" },
    ],
  },
  seconds: bytesOf(" \tC"),
};

const pythonFile: Step = { when: /^[\t ]+File /, next: "code" };
const pythonError: Step = { when: /^(?:[^\s.():]+\.)*[^\s.():]+(?::|\s*$)/, next: "end" };

const python: Machine = {
  starts: [{ when: /Traceback \(most recent call last\):\s*$/, next: "python" }],
  steps: {
    python: [
      pythonFile,
      // Marks below the code, and `[Previous line repeated …]`.
      { when: /^[\t ]+\S/, next: "python" },
      pythonError,
    ],
    // What was typed or compiled in memory has no code to show.
    code: [pythonFile, { when: /^[\t ]+\S/, next: "python" }, pythonError],
  },
  seconds: bytesOf(" \t"),
};

const goFrame: Step = { when: /^(?:(?:[^\s.:]+\.)*[^\s.():]+\(|created by )/, next: "place" };

const go: Machine = {
  starts: [
    { when: /http: panic serving/, next: "goroutine" },
    { when: /\bpanic: |^fatal error: /, next: "panic" },
  ],
  steps: {
    panic: [
      { when: /^\s*$/, next: "goroutine" },
      { when: /^\[signal /, next: "signal" },
      // Recovered and thrown again.
      { when: /^\s+panic: /, next: "panic" },
    ],
    signal: [{ when: /^\s*$/, next: "goroutine" }],
    goroutine: [{ when: /^goroutine \d+ \[[^\]]+\]:/, next: "frame" }],
    frame: [{ when: /^\s*$/, next: "goroutine" }, goFrame],
    place: [{ when: /^\s/, next: "frame" }],
  },
  seconds: bytesOf("\r\t [g", true),
};

const ruby: Machine = {
  starts: [{ when: /^.+:\d+:in\s/, next: "ruby" }],
  steps: { ruby: [{ when: /^\s+from\s+.+:\d+:in\s/, next: "ruby" }] },
  seconds: bytesOf(" \t"),
};

export const traces: Readonly<Record<string, Machine>> = { java, python, go, node, ruby };
