/** The golden outputs, judged by the API's schemas and the Pod Security Standards: no worse than the inputs were. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type ManifestObject, splitDocuments } from "../../src/injector/manifest.ts";
import { podIn } from "../../src/injector/workloads.ts";
import { fetchSchemas, KubernetesSchema, schemaVersions } from "../kit/kubernetes-schema.ts";
import { manifestGoldens } from "../kit/manifest-goldens.ts";
import { podSecurityLevel } from "../kit/pod-security.ts";

/** Pairs of objects of the same kind and name before and after; what was added has no before. */
function pairsOf(input: string, output: string): { before: ManifestObject | undefined; after: ManifestObject }[] {
  const objects = (text: string) => splitDocuments("x", text).flatMap((document) => document.objects);
  const all = objects(input);
  return objects(output).map((after) => ({
    before: all.find(({ kind, name }) => kind === after.kind && name === after.name),
    after,
  }));
}

const goldens = manifestGoldens().flatMap(({ name, input, outputPath, words }) => {
  const output = readFileSync(outputPath, "utf8");
  return words.includes("--explain") || /^# exit code/m.test(output) ? [] : [{ name, input, output }];
});

describe("a golden output", () => {
  let schemas: KubernetesSchema[] = [];

  beforeAll(async () => {
    if (await fetchSchemas()) schemas = schemaVersions.map((version) => new KubernetesSchema(version));
  }, 400_000);

  const told = (schema: KubernetesSchema, value: unknown) =>
    new Set(schema.faults(value)?.map((fault) => fault.replace(/\/\d+/g, "/#")));

  test("there are many", () => expect(goldens.length).toBeGreaterThan(60));

  for (const { name, input, output } of goldens) {
    test(`${name} is as valid as its input`, () => {
      for (const schema of schemas) {
        for (const { before, after } of pairsOf(input, output)) {
          const known = told(schema, before?.value);
          expect([...told(schema, after.value)].filter((fault) => !known.has(fault))).toEqual([]);
        }
      }
    });

    test(`${name} fits the security standard its input fits`, () => {
      const levels = ["privileged", "baseline", "restricted"];
      for (const { before, after } of pairsOf(input, output)) {
        const [was, is] = [before, after].map((one) => one && podIn(one.kind, one.value));
        if (was === undefined || is === undefined || /name: outrigger-redirect/.test(output)) continue;
        expect(levels.indexOf(podSecurityLevel(is))).toBeGreaterThanOrEqual(levels.indexOf(podSecurityLevel(was)));
      }
    });
  }
});
