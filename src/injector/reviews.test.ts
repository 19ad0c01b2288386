import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { applyPatch, type Operation } from "rfc6902";
import { MetricsRegion, spineMetrics } from "../metrics.ts";
import { type Admitted, Reviews, type ReviewsOptions } from "./reviews.ts";
import { webhookMetrics } from "./webhook-declarations.ts";

function reviewsWith(options: Partial<ReviewsOptions> = {}) {
  const said: { event: string; fields: Record<string, unknown> | undefined }[] = [];
  const reported: Admitted[] = [];
  const metrics = new MetricsRegion({ ...spineMetrics, ...webhookMetrics }, { strict: true });
  const reviews = new Reviews({
    defaults: () => ({}),
    labelsOf: () => undefined,
    report: (admitted) => void reported.push(admitted),
    onError: "allow",
    emit: (event, fields) => void said.push({ event, fields }),
    metrics,
    ...options,
  });
  return { reviews, said, reported };
}

function bodyOf(object: unknown, changes: object = {}): string {
  const request = {
    uid: "u",
    namespace: "shop",
    operation: "CREATE",
    resource: { group: "", resource: "pods" },
    object,
  };
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { ...request, ...changes },
  });
}

const pod = { metadata: { name: "web" }, spec: { containers: [{ name: "web", image: "web" }] } };

async function responseOf(reviews: Reviews, body: string) {
  const outcome = await reviews.review(body);
  if ("problem" in outcome) throw new Error(outcome.problem);
  return JSON.parse(outcome.answer).response;
}

/** Values that stand where a pod's should, among them the pod's own names. */
const oddJson = fc.jsonValue({ maxDepth: 3 });
const oddPod = fc.record(
  {
    metadata: fc.oneof(oddJson, fc.record({ labels: oddJson, annotations: oddJson }, { requiredKeys: [] })),
    spec: fc.oneof(
      oddJson,
      fc.record(
        {
          containers: fc.oneof(
            oddJson,
            fc.array(
              fc.oneof(
                oddJson,
                fc.record(
                  { name: oddJson, volumeMounts: oddJson, ports: oddJson, env: oddJson, resources: oddJson },
                  { requiredKeys: [] },
                ),
              ),
              { maxLength: 3 },
            ),
          ),
          initContainers: oddJson,
          volumes: oddJson,
          nodeSelector: oddJson,
          securityContext: oddJson,
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: [] },
);

describe("a review", () => {
  test("of whatever JSON stands where a pod should be is answered; a patch applies, and no fault of ours is behind it", async () => {
    const { reviews, said } = reviewsWith();
    await fc.assert(
      fc.asyncProperty(oddPod, async (odd) => {
        const response = await responseOf(reviews, bodyOf(odd));
        expect(response.uid).toBe("u");
        expect(typeof response.allowed).toBe("boolean");
        if (response.patch === undefined) return;
        const document = structuredClone(JSON.parse(JSON.stringify(odd)));
        const patch = JSON.parse(Buffer.from(response.patch, "base64").toString()) as Operation[];
        expect(applyPatch(document, patch).filter((failure) => failure !== null)).toEqual([]);
      }),
      { numRuns: 1500 },
    );
    const faults = said.filter(({ event }) => event === "webhook_review_failed");
    expect(faults).toEqual([]);
  });

  test("whose body is anything at all is answered or turned away, and never throws", async () => {
    const { reviews } = reviewsWith();
    const text = bodyOf(pod);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 5 }))
            .map(([at, cut, other]) => text.slice(0, at) + other + text.slice(at + cut)),
        ),
        async (body) => {
          const outcome = await reviews.review(body);
          expect("answer" in outcome || outcome.problem.length > 0).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("has warnings of one line each, none longer than the API server takes whole", async () => {
    const warnings = ["one\ntwo\u0000", "x".repeat(1000)];
    const { reviews } = reviewsWith({
      inject: () => ({
        outcome: "injected",
        patch: [],
        faults: [],
        warnings,
        pod,
        plan: { settings: { image: "i", lifecycle: "native" } } as never,
      }),
    });
    const response = await responseOf(reviews, bodyOf(pod));
    expect(response.warnings[0]).toBe("outrigger: one two ");
    expect(response.warnings[1]).toHaveLength(256);
  });

  test("that was a dry run is reported to nobody", async () => {
    const { reviews, reported } = reviewsWith();
    await reviews.review(bodyOf(pod, { dryRun: true }));
    expect(reported).toEqual([]);
    await reviews.review(bodyOf(pod));
    expect(reported).toHaveLength(1);
    expect(reported[0]).toMatchObject({ namespace: "shop", type: "Normal", reason: "Injected" });
  });

  test("asks for the opt-in where the namespace's labels are known", async () => {
    const patched = async (labels: Record<string, string> | undefined) =>
      (await responseOf(reviewsWith({ labelsOf: () => labels }).reviews, bodyOf(pod))).patch !== undefined;
    expect([await patched(undefined), await patched({}), await patched({ "outrigger.dev/inject": "enabled" })]).toEqual(
      [true, false, true],
    );
  });

  test("whose namespace's labels cannot be had is a fault of ours, and the pod goes through", async () => {
    const labelsOf = () => Promise.reject(new Error("lost"));
    const { reviews, said } = reviewsWith({ labelsOf });
    expect(await responseOf(reviews, bodyOf(pod))).toMatchObject({ allowed: true, warnings: [expect.any(String)] });
    expect(said[0]?.event).toBe("webhook_review_failed");
  });
});
