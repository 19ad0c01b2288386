/** The samples' pods as they stand, run by podman: each container prints what the tutorial promises. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readManifests } from "./kit/manifest.ts";
import { RunningPod } from "./kit/pod.ts";
import type { State } from "./kit/podman.ts";

const samples = join(import.meta.dirname, "../../samples");

/** What a container must have printed: to stdout, and how often in the time that a pod is watched. */
interface Promised {
  container: string;
  line: RegExp;
  times: number;
}

const combined = /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/ HTTP\/1\.1" 200 \d+ "-" "-"$/m;
const akka =
  /^HttpResponse\(200 OK,List\(Server: [^,]+, Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\),HttpEntity\.Strict\(text\/html; charset=UTF-8,31 bytes total\),HttpProtocol\(HTTP\/1\.1\)\)$/m;
const pid = /^\d+$/m;
const received = /^receive a request!$/m;
const hello = /^Hello$/m;
const taken = /^\{.*"\/hello".*\}$/m;

/** The tutorial's words; every 15 s, so twice in half a minute. */
const promises: Record<string, readonly Promised[]> = {
  "collect-logs": [
    { container: "sidecar-container", line: pid, times: 1 },
    { container: "sidecar-container", line: combined, times: 5 },
  ],
  "forward-requests": [
    { container: "input-server", line: received, times: 2 },
    { container: "input-sidecar", line: hello, times: 2 },
  ],
  "intercept-requests": [
    { container: "output-workload", line: akka, times: 2 },
    { container: "sidecar-output", line: taken, times: 2 },
  ],
  "mend-permissions": [
    { container: "mend-permissions", line: /^\/data: owner 0:0 -> 10001:7411$/m, times: 1 },
    { container: "mend-permissions", line: /^\/data: mode 0777 -> 0750$/m, times: 1 },
    { container: "app", line: /^\/data is mine alone: starting$/m, times: 1 },
    { container: "sidecar-container", line: /^record \d+ is safe$/m, times: 5 },
  ],
  "all-in-one": [
    { container: "app", line: received, times: 2 },
    { container: "app", line: akka, times: 2 },
    { container: "sidecar", line: hello, times: 2 },
    { container: "sidecar", line: combined, times: 2 },
    { container: "sidecar", line: taken, times: 2 },
  ],
};

const forms = Object.keys(promises).flatMap((sample) =>
  ["pod.yaml", "pod-plain.yaml"].map((file) => [sample, file] as const),
);
const pods = new Map<string, RunningPod>();

function started(place: string): RunningPod {
  const pod = pods.get(place);
  if (pod === undefined) throw new Error(`${place} did not start: see above`);
  return pod;
}

/** Two at a time, as many as there are cores where this runs. */
beforeAll(async () => {
  const left = [...forms];
  const startNext = async (): Promise<void> => {
    for (let form = left.shift(); form !== undefined; form = left.shift()) {
      const [sample, file] = form;
      pods.set(`${sample}/${file}`, await RunningPod.start(readManifests(join(samples, sample, file))));
    }
  };
  await Promise.all([startNext(), startNext()]);
}, 180_000);

afterAll(async () => {
  await Promise.all([...pods.values()].map((pod) => pod[Symbol.asyncDispose]()));
}, 60_000);

describe.each(forms)("samples/%s/%s", (sample, file) => {
  test.each(promises[sample]!.map((promise) => [promise.container, promise.line.source, promise] as const))(
    "%s prints %s",
    async (_, __, { container, line, times }) => {
      const often = new RegExp(`(?:${line.source}[\\s\\S]*?){${times}}`, "m");
      await started(`${sample}/${file}`).container(container).shows(often, { within: 60_000 });
    },
  );
});

/** Warnings and errors in the own logs of a pod's sidecars. */
function complaintsOf(pod: RunningPod): string[] {
  const sidecars = pod.names().filter((name) => name.includes("sidecar"));
  return sidecars.flatMap(
    (name) =>
      pod
        .container(name)
        .output(2)
        .match(/^.*"level":"(error|warn)".*$/gm) ?? [],
  );
}

/** What a runtime itself puts into a container's root: places for what is mounted. */
const mountPoints = /^[AC] \/(etc|run|opt|var|data|tmp|sys|proc|dev)\b/;

describe("at the end", () => {
  const ends = new Map<string, Record<string, State>>();
  const complaints = new Map<string, string[]>();
  beforeAll(async () => {
    // Before the apps go: a sidecar that asks one by the clock has a reason to complain then.
    for (const [place, pod] of pods) complaints.set(place, complaintsOf(pod));
    const stops = [...pods].map(async ([place, pod]) => ends.set(place, await pod.stop()));
    await Promise.all(stops);
  }, 120_000);

  test.each(forms)("samples/%s/%s: every container ended with 0", (sample, file) => {
    const states = Object.entries(ends.get(`${sample}/${file}`) ?? {});
    expect(states.length).toBeGreaterThan(1);
    expect(states.filter(([, { code, running }]) => running || code !== 0)).toEqual([]);
  });

  test.each(forms)("samples/%s/%s: nothing was written to a root", async (sample, file) => {
    const pod = started(`${sample}/${file}`);
    for (const name of pod.names()) {
      const written = (await pod.container(name).changes()).filter((line) => !mountPoints.test(line));
      expect({ name, written }).toEqual({ name, written: [] });
    }
  });

  test.each(forms)("samples/%s/%s: no sidecar complained", (sample, file) => {
    expect(complaints.get(`${sample}/${file}`)).toEqual([]);
  });
});
