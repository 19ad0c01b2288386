/**
 * Answers some calls from a file instead of sending them on: `stubs.json` beside this one. Change the file, and the
 * next call gets the new answer: what a filter imports is watched as the filter is.
 */
import { defineFilter } from "outrigger";
import stubs from "./stubs.json";

interface Stub {
  readonly status?: number;
  readonly body: unknown;
}

const byCall = new Map<string, Stub>(Object.entries(stubs));

export default defineFilter({
  doc: "Answers calls that stand in stubs.json from there.",
  phase: "shape",
  request(x) {
    const stub = byCall.get(`${x.method} ${x.path}`);
    if (stub === undefined) return;
    return {
      status: stub.status ?? 200,
      headers: [
        ["content-type", "application/json"],
        ["x-stubbed", "true"],
      ],
      body: JSON.stringify(stub.body),
    };
  },
});
