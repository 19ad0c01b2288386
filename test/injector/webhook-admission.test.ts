/** The running webhook among others, some of them bad neighbours, in an emulator of admission. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Operation } from "rfc6902";
import { containersOf, dig } from "../../src/injector/pod.ts";
import { uninject } from "../../src/injector/uninject.ts";
import type { Webhook } from "../../src/injector/webhook.ts";
import { admit, type EmulatedWebhook, type Pod } from "../kit/admission-emulator.ts";
import { canMakeCertificates } from "../kit/certificates.ts";
import { podSecurityLevel } from "../kit/pod-security.ts";
import { randomPod } from "../kit/random-pods.ts";
import { FakeCluster, patchOf, pod, responseOf, review, send } from "../kit/webhook-run.ts";

/** One of other people: it answers by operations, whatever it is sent. */
function neighbour(
  name: string,
  patch: (pod: Pod) => Operation[],
  reinvocation: EmulatedWebhook["reinvocation"] = "Never",
) {
  return { name, reinvocation, selects: () => true, call: async (one: Pod) => ({ patch: patch(one) }) };
}

const operation = (op: string, path: string, value?: unknown) => ({ op, path, value }) as Operation;

/** Knows pods as they were before 1.28: what it sends back has lost `restartPolicy` of init containers. */
const forgetful = (name: string) =>
  neighbour(name, (one) =>
    containersOf(one, "initContainers").flatMap(({ at, container }) =>
      dig(container, "restartPolicy") === undefined
        ? []
        : [operation("remove", `/spec/initContainers/${at}/restartPolicy`)],
    ),
  );

/** Another mesh: its own init container first, a variable in every container, each time only where it is missing. */
const crowding = (name: string) =>
  neighbour(
    name,
    (one) => {
      if (containersOf(one).some((container) => container.name === "mesh-init")) return [];
      const init = { name: "mesh-init", image: "mesh", resources: { requests: { cpu: "1m" } } };
      const lists =
        dig(one, "spec", "initContainers") === undefined ? [operation("add", "/spec/initContainers", [])] : [];
      const variables = containersOf(one, "initContainers", "containers").map(({ list, at, container }) => {
        const env = [...((dig(container, "env") as unknown[]) ?? []), { name: "MESH", value: "on" }];
        return operation("add", `/spec/${list}/${at}/env`, env);
      });
      return [...variables, ...lists, operation("add", "/spec/initContainers/0", init)];
    },
    "IfNeeded",
  );

/** Appends a container behind all others. */
const appending = (name: string) =>
  neighbour(name, (one) =>
    containersOf(one).some((container) => container.name === "late")
      ? []
      : [operation("add", "/spec/containers/-", { name: "late", image: "late" })],
  );

describe.skipIf(!canMakeCertificates)("the webhook among others", () => {
  let cluster: FakeCluster;
  let webhook: Webhook;
  let ours: EmulatedWebhook;

  beforeAll(async () => {
    cluster = new FakeCluster();
    webhook = await cluster.started();
    ours = {
      name: "m-ours",
      reinvocation: "IfNeeded",
      selects: () => true,
      async call(one) {
        const response = responseOf(await send(review(one), { port: webhook.port, ca: cluster.caBundle }));
        if (!response.allowed) return { refusal: response.status!.message };
        return { patch: patchOf(response) as Operation[] };
      },
    };
  });
  afterAll(() => cluster.remove());

  const sidecarOf = (one: unknown) => containersOf(one).find(({ name }) => name === "outrigger");

  test("alone is called once, also when the plugins come again", async () => {
    const { pod: admitted, calls } = await admit(pod(), [ours]);
    expect(calls).toEqual(["m-ours"]);
    expect(dig(sidecarOf(admitted)?.container, "restartPolicy")).toBe("Always");
  });

  for (const { name, neighbours, calls } of [
    {
      name: "one that forgets what keeps the sidecar running",
      neighbours: [forgetful("z-old")],
      calls: "m-ours z-old m-ours",
    },
    { name: "another mesh before it", neighbours: [crowding("a-mesh")], calls: "a-mesh m-ours a-mesh m-ours" },
    { name: "another mesh behind it", neighbours: [crowding("z-mesh")], calls: "m-ours z-mesh m-ours z-mesh" },
    {
      name: "one that appends a container behind it",
      neighbours: [appending("z-late")],
      calls: "m-ours z-late m-ours",
    },
  ]) {
    test(`beside ${name}, the sidecar is whole in the end`, async () => {
      const webhooks = [...neighbours, ours].sort((a, b) => (a.name < b.name ? -1 : 1));
      const admitted = await admit(pod(), webhooks);
      expect(admitted.calls.join(" ")).toBe(calls);
      const sidecar = sidecarOf(admitted.pod);
      expect([sidecar?.list, dig(sidecar?.container, "restartPolicy")]).toEqual(["initContainers", "Always"]);
      // What is there now needs nothing any more: the next reinvocation would find an empty patch.
      const verdict = await ours.call(admitted.pod);
      expect(verdict).toEqual({ patch: [] });
    });
  }

  test("all of them around any pod: whole in the end, as secure as it was, and undone by its status", async () => {
    const webhooks = [crowding("a-mesh"), ours, appending("y-late"), forgetful("z-old")];
    let injected = 0;
    await fc.assert(
      fc.asyncProperty(randomPod, async (one) => {
        const withoutUs = await admit(
          one,
          webhooks.filter((other) => other !== ours),
        ).catch(() => undefined);
        const withUs = await admit(one, webhooks).catch((error: Error) => error);
        if (withoutUs === undefined) return; // not valid without us either
        if (withUs instanceof Error) {
          expect(withUs.message).toMatch(/^m-ours denied the request: /);
          return;
        }
        const sidecar = sidecarOf(withUs.pod);
        if (sidecar === undefined) return;
        injected++;
        expect(dig(sidecar.container, "restartPolicy")).toBe(sidecar.list === "initContainers" ? "Always" : undefined);
        expect(await ours.call(withUs.pod)).toEqual({ patch: [] });
        if (sidecar.list === "initContainers" && !JSON.stringify(withUs.pod).includes("outrigger-redirect"))
          expect(podSecurityLevel(withUs.pod)).toBe(podSecurityLevel(withoutUs.pod));
        expect(sidecarOf(uninject(withUs.pod).pod)).toBeUndefined();
      }),
      { numRuns: 150 },
    );
    expect(injected).toBeGreaterThan(10);
  }, 120_000);

  test("a pod its selector leaves out at first is not injected in the second round", async () => {
    const late: EmulatedWebhook = {
      ...ours,
      selects: (one) => dig(one, "metadata", "labels", "outrigger.dev/inject") === "true",
    };
    const labelling = neighbour("z-label", () => [operation("add", "/metadata/labels/outrigger.dev~1inject", "true")]);
    const { pod: admitted, calls } = await admit(pod(), [late, labelling]);
    expect([calls, sidecarOf(admitted)]).toEqual([["z-label"], undefined]);
  });
});
