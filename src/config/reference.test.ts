import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import { testRegistry } from "../../test/drop-ins-for-config.ts";
import { failures } from "../errors.ts";
import { documentedSchema, type JsonSchema, jsonSchema } from "./json-schema.ts";
import { errorsPage, eventsPage, generatedFiles, metricsPage } from "./reference.ts";
import { configPage } from "./reference-page.ts";

const goldens = join(import.meta.dirname, "../../test/golden/check");

/** Every key of every map of options in a schema. */
function keysOf(schema: JsonSchema): string[] {
  const own = Object.keys(schema.properties ?? {});
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items ? [schema.items] : []),
  ];
  return [...own, ...inner.flatMap(keysOf)];
}

describe("the JSON Schema", () => {
  test("takes every configuration that is right", async () => {
    const schema = z.fromJSONSchema((await jsonSchema(testRegistry)) as Parameters<typeof z.fromJSONSchema>[0]);
    const right = readdirSync(goldens).filter((name) => name.startsWith("right-"));
    expect(right.length).toBeGreaterThan(5);
    for (const name of right.filter((one) => !/empty|without-content/.test(one))) {
      const [text = ""] = readFileSync(join(goldens, name), "utf8").split(/^-{80}$/m);
      const result = schema.safeParse(parse(text, { merge: true, logLevel: "error" }));
      expect([name, result.error?.issues]).toEqual([name, undefined]);
    }
  });

  test("refuses what a schema can see is wrong", async () => {
    const schema = z.fromJSONSchema((await jsonSchema(testRegistry)) as Parameters<typeof z.fromJSONSchema>[0]);
    for (const wrong of [
      "zebra: 1",
      "inbound: [{ to: 'http://a' }]",
      "limits: { headFields: x }",
      "shutdown: { grace: 10 s }",
      "logs: [{ files: [] }]",
    ]) {
      expect([wrong, schema.safeParse(parse(wrong)).success]).toEqual([wrong, false]);
    }
  });

  test("describes every option", async () => {
    const undescribed = (schema: JsonSchema, path: string): string[] => [
      ...Object.entries(schema.properties ?? {}).flatMap(([key, one]) => [
        ...(one.description === undefined ? [`${path}.${key}`] : []),
        ...undescribed(one, `${path}.${key}`),
      ]),
      ...[...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])].flatMap((one) => undescribed(one, path)),
    ];
    expect(undescribed(await documentedSchema(), "")).toEqual([]);
  });

  test("lets no map of options take unknown keys, those of drop-ins included", async () => {
    const open = (schema: JsonSchema, path: string): string[] => [
      ...(schema.properties !== undefined && schema.additionalProperties !== false ? [path] : []),
      ...Object.entries(schema.properties ?? {}).flatMap(([key, one]) => open(one, `${path}.${key}`)),
      ...[...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])].flatMap((one) => open(one, path)),
    ];
    expect(open(await documentedSchema(), "")).toEqual([]);
  });

  test("has nothing that only the reference page reads", async () => {
    expect(JSON.stringify(await jsonSchema())).not.toContain('"x-');
  });
});

describe("the reference pages", () => {
  test("have every option, error, event and metric", async () => {
    const schema = await documentedSchema(testRegistry);
    const page = configPage(schema);
    for (const key of new Set(keysOf(schema))) expect(page).toContain(`| \`${key}\` |`);
    for (const code of Object.keys(failures)) expect(errorsPage()).toContain(`| \`${code}\` |`);
    expect(eventsPage({ a_b: { level: "warn", text: "x | {y}", metric: "m" } })).toContain(
      "| `a_b` | warn | x \\| {y} | `m` |",
    );
    expect(metricsPage({ m_total: { kind: "counter", doc: "All.", labels: ["a", "b"] } })).toContain(
      "| `m_total` | counter | `a`, `b` | All. |",
    );
  });

  test("point only at headings that are there", () => {
    return documentedSchema(testRegistry).then((schema) => {
      const page = configPage(schema);
      const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
        heading
          .toLowerCase()
          .replace(/[^a-z0-9 _-]/g, "")
          .replace(/ /g, "-"),
      );
      for (const [, anchor = ""] of page.matchAll(/\]\(#([^)]*)\)/g)) expect(headings).toContain(anchor);
    });
  });

  test("are generated the same each time", async () => {
    const [first, second] = [await generatedFiles(), await generatedFiles()];
    expect(first).toEqual(second);
    expect(first.map(({ path }) => path)).toContain("docs/reference/config.md");
  });
});
