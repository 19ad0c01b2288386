/** The samples' pods as they stand, run by podman: each container prints what the tutorial promises. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { readManifests } from "./kit/manifest.ts";
import { RunningPod } from "./kit/pod.ts";
import type { State } from "./kit/podman.ts";
import { often, promises } from "./kit/promises.ts";

const samples = join(import.meta.dirname, "../../samples");

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
    async (_, __, promised) => {
      const container = started(`${sample}/${file}`).container(promised.container);
      await container.shows(often(promised), { within: 60_000 });
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
